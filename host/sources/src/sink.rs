//! Where notices go.

use agent::{Change, Notice};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::Surroundings;

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

    /// The rule's order.
    pub(crate) fn order(&self) -> &str {
        &self.order
    }

    /// Waits for room for one notice: what it says is then as fresh as can be. Whoever waits may gather meanwhile.
    pub(crate) async fn room(&self) -> Room<'_> {
        match self.to.reserve().await {
            Ok(permit) => Room { order: &self.order, permit },
            // The agent ends, and this with it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Hands it over, and waits where there is no room. Nobody listens any more when the agent ends: then it is gone.
    pub async fn send(&self, notice: Notice) {
        let _ = self.to.send(Noticed { order: self.order.clone(), notice }).await;
    }
}

/// Room for one notice.
pub(crate) struct Room<'a> {
    order: &'a str,
    permit: mpsc::Permit<'a, Noticed>,
}

impl Room<'_> {
    /// Hands it over.
    pub(crate) fn send(self, notice: Notice) {
        self.permit.send(Noticed { order: self.order.to_owned(), notice });
    }
}

/// A moment.
pub(crate) fn happened<const N: usize>(at_ms: i64, subject: &str, data: [(&str, Value); N]) -> Notice {
    Notice {
        at_ms,
        subject: subject.to_owned(),
        change: Change::Happened,
        data: self::data(data),
        cause: None,
        found: None,
    }
}

/// Tells a level's changes, and nothing where it stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    is_raised: bool,
}

impl Level {
    /// Says what the level is now, if that is news. What there is to say of it is worked out only then.
    pub(crate) async fn tell(
        &mut self,
        sink: &Sink,
        is_raised: bool,
        around: &Surroundings,
        subject: &str,
        said: impl FnOnce() -> Map<String, Value>,
    ) {
        if is_raised != self.is_raised {
            self.is_raised = is_raised;
            let change = if is_raised { Change::Raised } else { Change::Cleared };
            let (at_ms, subject) = (around.now_ms(), subject.to_owned());
            sink.send(Notice { at_ms, subject, change, data: said(), cause: None, found: None }).await;
        }
    }

    /// Whether it is raised, as far as was told.
    pub(crate) fn is_raised(&self) -> bool {
        self.is_raised
    }
}

/// What there is to say.
pub(crate) fn data<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// To one decimal: for a person.
#[expect(clippy::cast_precision_loss, reason = "a percentage for a person")]
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1_000.0).round() / 10.0 }
}
