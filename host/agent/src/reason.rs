//! Why something did not run.

use std::fmt;

use model::RunId;
use serde::{Deserialize, Serialize};

/// Why a firing does not happen, or what was noticed starts nothing. Where there are several reasons, a schedule tells the first
/// of this list; `EVENTS.md` has the order in which a rule asks.
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
    /// The rule fired less than its cooldown ago.
    Cooldown,
    /// It is one of a burst: the last of it counts.
    Debounce,
    /// The rule has fired as often as it may in an hour.
    MaxPerHour,
    /// The rule fired too often, or is one of a circle, and is off until somebody looks.
    Breaker,
    /// A budget is used up: the order's, or the device's.
    Budget {
        /// Which, and how much of it.
        what: String,
    },
    /// A run of ours brought it about, and the rule's own order is among what led to that run.
    Cause {
        /// The run.
        run: RunId,
        /// The orders that led to it, the first one first, its own last.
        chain: Vec<String>,
    },
    /// The filter does not want it.
    Filter {
        /// Why it could not be asked, where it could not.
        failed: Option<String>,
    },
    /// The level did not hold long enough.
    For,
    /// More subjects than a rule remembers: this one, the oldest, is forgotten.
    Crowded {
        /// Which.
        subject: String,
    },
    /// The device's policy forbids it.
    Policy {
        /// What in it.
        what: String,
    },
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
            Self::Cooldown => "cooldown",
            Self::Debounce => "debounce",
            Self::MaxPerHour => "max-per-hour",
            Self::Breaker => "breaker",
            Self::Budget { .. } => "budget",
            Self::Cause { .. } => "cause",
            Self::Filter { .. } => "filter",
            Self::For => "for",
            Self::Crowded { .. } => "crowded",
            Self::Policy { .. } => "policy",
        }
    }

    /// Whether it is about windows: then it is over when one opens.
    pub fn is_of_time(&self) -> bool {
        matches!(self, Self::Window | Self::Blackout { .. })
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
            Self::Cooldown => f.write_str("the rule has fired just now, and cools down"),
            Self::Debounce => f.write_str("it is one of a burst, of which the last counts"),
            Self::MaxPerHour => f.write_str("the rule has fired as often as it may in an hour"),
            Self::Breaker => f.write_str("the rule's breaker has tripped: it is off until somebody looks"),
            Self::Budget { what } => write!(f, "a budget is used up: {what}"),
            Self::Cause { run, chain } => {
                write!(f, "{run} brought it about, to which `{}` led", chain.join("`, then `"))
            }
            Self::Filter { failed: None } => f.write_str("the filter does not want it"),
            Self::Filter { failed: Some(why) } => write!(f, "the filter could not be asked: {why}"),
            Self::For => f.write_str("it did not hold long enough"),
            Self::Crowded { subject } => write!(f, "the rule watches more than it remembers: `{subject}` is forgotten"),
            Self::Policy { what } => write!(f, "the device's policy forbids it: {what}"),
        }
    }
}

/// A reason that holds at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    /// Which.
    pub reason: Reason,
    /// Until when, by all that is known; milliseconds since 1970. None, where no time ends it.
    pub until_ms: Option<i64>,
}

impl Against {
    pub(crate) fn new(reason: Reason, until_ms: Option<i64>) -> Self {
        Self { reason, until_ms }
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
