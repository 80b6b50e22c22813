//! A run that waits, or is under way.

use std::fmt;

use contract::run::Mode;
use model::RunId;
use serde::{Deserialize, Serialize};

use crate::{Firing, Priority, Reason, RuleEvent};

/// A run that waits for its start, is under way, or waits for a reboot. It is made durable by itself: what is known of a
/// thousand runs is not written anew with each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// Which. Each try has its own.
    pub id: RunId,
    /// What it is for.
    pub origin: Origin,
    /// Before which others.
    pub priority: Priority,
    /// What it may do.
    pub mode: Mode,
    /// 1, and one more for each try.
    pub attempt: u32,
    /// The run that this one tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
    /// The place in the line of its order, which a run that is tried again inherits; no two runs have the same at once.
    pub sequence: u64,
    /// When it was put into the queue; milliseconds since 1970.
    pub queued_ms: i64,
    /// It starts no earlier; milliseconds since 1970.
    pub start_ms: i64,
    /// It starts no later; milliseconds since 1970. Any time, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// How far it is.
    pub stage: Stage,
    /// Whether it began before a reboot and goes on: it is not dropped, and nothing is asked again.
    #[serde(default)]
    pub resumes: bool,
    /// How often it was to start, and the agent ended before it did.
    #[serde(default)]
    pub lost_starts: u32,
}

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Somebody asked for it, and waits for it.
    Hand,
    /// A firing of an order's schedule.
    Schedule {
        /// The order's name.
        order: String,
        /// Which firing.
        firing: Firing,
    },
    /// A firing of an order's event rule.
    Event {
        /// The order's name.
        order: String,
        /// What the plugin sees.
        event: Box<RuleEvent>,
    },
    /// An order that runs one time.
    Once {
        /// The order's name.
        order: String,
    },
}

impl Origin {
    /// The order's name.
    pub fn order(&self) -> Option<&str> {
        match self {
            Self::Hand => None,
            Self::Schedule { order, .. } | Self::Event { order, .. } | Self::Once { order } => Some(order),
        }
    }

    /// As it is told why a run is due.
    pub(crate) fn told(&self) -> Self {
        match self {
            Self::Event { order, event } => Self::Event { order: order.clone(), event: Box::new(event.told()) },
            Self::Hand | Self::Schedule { .. } | Self::Once { .. } => self.clone(),
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It waits for its start.
    Waiting,
    /// It was started.
    UnderWay {
        /// When; milliseconds since 1970.
        since_ms: i64,
        /// Whether it was told to stop.
        is_cancelled: bool,
    },
    /// It waits for a reboot, and is in nobody's way but its own order's.
    Suspended,
}

impl Run {
    /// Whether it changes the device.
    pub fn changes(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// The order's name.
    pub fn order(&self) -> Option<&str> {
        self.origin.order()
    }
}

/// Why a run that waited was not started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotRun {
    /// What was asked again before its start spoke against it.
    Refused(Reason),
    /// The queue was full, and this was the last of the least important.
    Full,
    /// A later run of its order took its place.
    Replaced,
    /// The order is no longer there.
    Removed,
    /// It should have started before.
    TooLate,
    /// Whoever asked for it waits no longer.
    Gone,
    /// The agent is about to end.
    Draining,
    /// The agent ended each time when it was to start.
    NeverStarted,
}

impl NotRun {
    /// A word for programs; it never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.code(),
            Self::Full => "full",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::TooLate => "too-late",
            Self::Gone => "gone",
            Self::Draining => "draining",
            Self::NeverStarted => "never-started",
        }
    }

    /// Whether an order that runs one time waits again, for a window or for a word that lets it go on.
    pub fn is_put_off(&self) -> bool {
        matches!(self, Self::Refused(reason) if reason.is_of_time() || *reason == Reason::Paused)
    }
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => reason.fmt(f),
            Self::Full => f.write_str("the queue is full, and this was the last of the least important"),
            Self::Replaced => f.write_str("a later run of its order took its place"),
            Self::Removed => f.write_str("its order is no longer there"),
            Self::TooLate => f.write_str("it waited longer than it may"),
            Self::Gone => f.write_str("whoever asked for it waits no longer"),
            Self::Draining => f.write_str("the agent is about to end"),
            Self::NeverStarted => f.write_str("the agent ended each time when it was to start"),
        }
    }
}
