//! What was decided of a firing.

use serde::{Deserialize, Serialize};

use crate::Reason;

/// What one look decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// A run is due now.
    Fire(Firing),
    /// Firings that do not happen.
    NotFired(NotFired),
}

/// A run that is due now. The order's name and `nominal_ms` identify it: it is fired at most once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Firing {
    /// When the pattern has it; milliseconds since 1970.
    pub nominal_ms: i64,
    /// When this device has it, jitter included; milliseconds since 1970.
    pub due_ms: i64,
    /// It starts no earlier; milliseconds since 1970. That has been, but for one that is caught up: that one is spread over the
    /// jitter too, from now on.
    pub start_ms: i64,
    /// Whether it was missed and is caught up.
    pub is_late: bool,
    /// What it does with other runs of its order.
    pub manner: Manner,
}

/// What a firing does with other runs of its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// There are none: it starts.
    Start,
    /// It starts when those before it have ended.
    Queue,
    /// It starts when those that are under way have been cancelled, and those that wait were dropped.
    Replace,
}

/// Firings that do not happen, for one reason. One look has at most one of these for each reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NotFired {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// When the pattern has the first of them; milliseconds since 1970.
    pub first_ms: i64,
    /// When the pattern has the last of them; milliseconds since 1970.
    pub last_ms: i64,
}
