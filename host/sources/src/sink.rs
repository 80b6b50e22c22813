//! Where notices go.

use agent::{Change, Notice};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

/// What the source of one rule noticed.
#[derive(Clone, Debug, PartialEq)]
pub struct Noticed {
    /// The rule's order.
    pub order: String,
    /// What.
    pub notice: Notice,
}

/// Takes what the source of one rule notices. It is bounded: whoever fills it waits, and gathers meanwhile.
#[derive(Clone, Debug)]
pub struct Sink {
    order: String,
    to: mpsc::Sender<Noticed>,
}

impl Sink {
    /// For the rule of this order.
    pub fn new(order: &str, to: mpsc::Sender<Noticed>) -> Self {
        Self { order: order.to_owned(), to }
    }

    /// Hands it over, and waits where there is no room. Nobody listens any more when the agent ends: then it is gone.
    pub async fn send(&self, notice: Notice) {
        let _ = self.to.send(Noticed { order: self.order.clone(), notice }).await;
    }
}

/// Tells a level's changes, and nothing where it stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    is_raised: bool,
}

impl Level {
    /// What the level is now. Gives what to tell, if anything.
    pub(crate) fn set(
        &mut self,
        is_raised: bool,
        at_ms: i64,
        subject: &str,
        data: Map<String, Value>,
    ) -> Option<Notice> {
        if is_raised == self.is_raised {
            return None;
        }
        self.is_raised = is_raised;
        let change = if is_raised { Change::Raised } else { Change::Cleared };
        Some(Notice { at_ms, subject: subject.to_owned(), change, data, cause: None })
    }

    /// Whether it is raised, as far as was told.
    pub(crate) fn is_raised(&self) -> bool {
        self.is_raised
    }
}
