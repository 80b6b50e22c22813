//! What a rule decided.

use model::RunId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::state::json_bytes;
use crate::{Change, Manner, Reason};

/// The most bytes of what a source told that are kept where it is told why a run is due: a thousand of those are kept of each
/// order, and the run's record has all of it.
const TOLD_BYTES_MAX: usize = 1 << 10;

/// What one notice or one look decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleDecision {
    /// A run is due now.
    Fire(Box<RuleFiring>),
    /// What was noticed starts nothing, or not yet.
    NotFired(Unfired),
    /// The breaker has tripped: one ticket is to be raised. Told once each time it trips.
    Tripped(Tripped),
}

/// A run that is due now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleFiring {
    /// What the plugin sees.
    pub event: RuleEvent,
    /// What it does with other runs of its order.
    pub manner: Manner,
}

/// What a rule fired for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleEvent {
    /// The order's name, when it fired and a number: no other firing on this device has it.
    pub id: String,
    /// What kind of event: [`crate::Watch::event_type`].
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was noticed, the last time where there were several; milliseconds since 1970.
    pub at_ms: i64,
    /// What it is about, the last time.
    pub subject: String,
    /// What became of it.
    pub change: Change,
    /// What the source told, the last time.
    pub data: Map<String, Value>,
    /// How often it was noticed since the rule last fired or gave up, this time included.
    pub occurrences: u64,
    /// The orders that led to it, the first one first; none, where it came from outside. The run that answers belongs behind them.
    pub chain: Vec<String>,
    /// The run of ours that brought it about, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<RunId>,
}

impl RuleEvent {
    /// As it is told: what a source told at length is left out, and how much that was is said.
    pub(crate) fn told(&self) -> Self {
        let (mut data, mut left, mut dropped) = (Map::new(), TOLD_BYTES_MAX, 0);
        for (name, value) in &self.data {
            let bytes = name.len() + json_bytes(value);
            match left.checked_sub(bytes) {
                Some(rest) => {
                    left = rest;
                    data.insert(name.clone(), value.clone());
                }
                None => dropped += bytes,
            }
        }
        if dropped > 0 {
            data.insert("dropped-bytes".to_owned(), dropped.into());
        }
        Self {
            id: self.id.clone(),
            kind: self.kind.clone(),
            at_ms: self.at_ms,
            subject: self.subject.clone(),
            change: self.change,
            data,
            occurrences: self.occurrences,
            chain: self.chain.clone(),
            cause: self.cause,
        }
    }
}

/// What did not fire, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unfired {
    /// Why.
    pub reason: Reason,
    /// How many. Where one reason comes often, the first is told at once, and the others together, once a minute.
    pub count: u64,
    /// When the first of them was noticed; milliseconds since 1970.
    pub first_ms: i64,
    /// When the last of them was noticed; milliseconds since 1970.
    pub last_ms: i64,
    /// Whether that is put off: it fires yet, if it still holds when the reason is gone.
    pub is_waiting: bool,
}

/// Why a rule was switched off, and which time that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tripped {
    /// 1 for the first time. With the order's name it says which ticket this is.
    pub number: u64,
    /// When; milliseconds since 1970.
    pub at_ms: i64,
    /// Why.
    pub why: TripReason,
}

/// Why a breaker trips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TripReason {
    /// It would have fired once more than it may.
    TooOften {
        /// So many firings.
        firings: u32,
        /// In so many milliseconds.
        within_ms: i64,
    },
    /// Orders trigger each other in a circle.
    Circle {
        /// The orders in it, from the one that began to the one that would begin again.
        chain: Vec<String>,
    },
}
