//! What is known of an order from before.

use serde::{Deserialize, Serialize};

use crate::schedule::spans::Spans;

/// The form of what is written.
const FORMAT: u32 = 1;

/// What an order's schedule must remember. It does not grow, and belongs to the order's name: a changed order goes on with it.
///
/// It is to be made durable after each look that decided something or found the clock set back, and before its runs start; then
/// nothing is fired twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct State {
    /// When the last look was.
    pub(crate) looked_ms: i64,
    /// No firing of the pattern up to this one is still to come, unless the clock is set back.
    pub(crate) passed_ms: Option<i64>,
    /// What fired, and what was decided on time: it never comes again. What was missed is not in it.
    pub(crate) done: Spans,
}

impl State {
    /// That of an order that is new: what was due before is none of its business.
    pub fn new(now_ms: i64) -> Self {
        Self { looked_ms: now_ms, passed_ms: None, done: Spans::default() }
    }

    /// What was due since the last look was none of the order's business, because it was not there.
    pub(crate) fn leave_out(&mut self, now_ms: i64) {
        if now_ms > self.looked_ms {
            self.looked_ms = now_ms;
            self.passed_ms = None;
        }
    }

    /// When the last look was; milliseconds since 1970.
    pub fn looked_ms(&self) -> i64 {
        self.looked_ms
    }
}

/// As it is written. Fields that a later version adds are skipped by this one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Form {
    format: u32,
    looked_ms: i64,
    #[serde(default)]
    passed_ms: Option<i64>,
    #[serde(default)]
    done: Spans,
}

impl TryFrom<Form> for State {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        if form.format > FORMAT {
            return Err(format!("it has format {}, this remit reads up to {FORMAT}: update remit", form.format));
        }
        let Form { looked_ms, passed_ms, done, .. } = form;
        Ok(Self { looked_ms, passed_ms: passed_ms.filter(|&passed| passed <= looked_ms), done })
    }
}

impl From<State> for Form {
    fn from(State { looked_ms, passed_ms, done }: State) -> Self {
        Self { format: FORMAT, looked_ms, passed_ms, done }
    }
}
