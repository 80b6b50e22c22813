//! What was decided of a firing.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// Why a firing does not happen. Where there are several reasons, the first of this list is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The order does not begin before a later day.
    NotStarted,
    /// The order has ended.
    Expired,
    /// A blackout forbids it.
    Blackout {
        /// The blackout's name, where it has one.
        name: Option<String>,
    },
    /// No window allows it.
    Window,
    /// Nobody was there when it was due, and the order does not want it later.
    Misfire {
        /// Why nobody was.
        cause: Cause,
    },
    /// The order is paused.
    Paused,
    /// An earlier run of the order is under way, or waits.
    Overlap,
}

impl Reason {
    /// A word for programs; it never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotStarted => "not-started",
            Self::Expired => "expired",
            Self::Blackout { .. } => "blackout",
            Self::Window => "window",
            Self::Misfire { .. } => "misfire",
            Self::Paused => "paused",
            Self::Overlap => "overlap",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("the order has not begun yet"),
            Self::Expired => f.write_str("the order has expired"),
            Self::Blackout { name: Some(name) } => write!(f, "the blackout `{name}` forbids it"),
            Self::Blackout { name: None } => f.write_str("a blackout forbids it"),
            Self::Window => f.write_str("no window allows it"),
            Self::Misfire { cause } => write!(f, "it was missed: {cause}"),
            Self::Paused => f.write_str("the order is paused"),
            Self::Overlap => f.write_str("an earlier run of the order is under way, or waits"),
        }
    }
}

/// Why nobody was there when something was due: what took most of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The agent did not run.
    NotRunning,
    /// The machine was suspended.
    Suspended,
    /// The clock was set forward over it.
    ClockSet,
    /// The agent ran and did not get round to it.
    Busy,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRunning => "the agent did not run",
            Self::Suspended => "the machine was suspended",
            Self::ClockSet => "the clock was set forward over it",
            Self::Busy => "the agent did not get round to it in time",
        })
    }
}
