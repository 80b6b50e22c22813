//! What of that which was noticed counts: an expression that is read once and asked often.

use expression::{Expression, Shape};
use serde_json::{Map, Value};

use crate::{Notice, Reason};

/// What a filter may ask. What a notice says depends on what is watched.
const NAMES: &[(&str, Shape)] = &[("event", Shape::Any), ("device", Shape::Any)];

/// The most steps that it may take to answer, by an upper bound: some tens of milliseconds.
const STEPS_MAX: u64 = 500_000;

/// A filter that was read.
#[derive(Clone, Debug)]
pub(crate) struct Filter(Expression);

impl Filter {
    /// Reads a filter, or says all that is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<String>> {
        let problems = |all: Vec<expression::Problem>| all.iter().map(ToString::to_string).collect();
        Expression::read(text, NAMES).map(Self).map_err(problems)
    }

    /// Whether what was noticed counts; else why not.
    pub(crate) fn check(&self, kind: &str, notice: &Notice, facts: &Map<String, Value>) -> Result<(), Reason> {
        let (event, device) = (event(kind, notice), Value::Object(facts.clone()));
        match self.0.ask(&[("event", &event), ("device", &device)], STEPS_MAX) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reason::Filter { failed: None }),
            Err(why) => Err(Reason::Filter { failed: Some(why) }),
        }
    }
}

/// What a filter sees of a notice.
fn event(kind: &str, notice: &Notice) -> Value {
    serde_json::json!({
        "type": kind,
        "subject": notice.subject,
        "change": notice.change,
        "at": notice.at_ms,
        "data": notice.data,
    })
}

#[cfg(test)]
mod tests;
