//! What was decided, for whoever asks later.

use model::{Outcome, RunId};
use serde::{Deserialize, Serialize};

use crate::{NotFired, NotRun, Origin, RebootTold, Tripped, Unfired};

/// Something that was decided of an order, or of a run by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Told {
    /// When; milliseconds since 1970.
    pub at_ms: i64,
    /// The order's name; none, where it is about a run by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// What.
    pub what: What,
}

/// What was decided. A run has one `queued`, and then either one `not-started`, or one `started` and one `ended`: each a
/// second time only after [`What::Again`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A run waits for its start.
    Queued {
        /// Which.
        run: RunId,
        /// What it is for.
        origin: Origin,
        /// Which try.
        attempt: u32,
        /// It starts no earlier; milliseconds since 1970.
        start_ms: i64,
    },
    /// Firings of the schedule that do not happen.
    NotFired(NotFired),
    /// What was noticed starts nothing, or not yet.
    Unfired(Unfired),
    /// The rule's breaker tripped: it is off until somebody looks.
    Tripped(Tripped),
    /// A run that waited does not start.
    NotStarted {
        /// Which.
        run: RunId,
        /// Why.
        why: NotRun,
    },
    /// A run starts.
    Started {
        /// Which.
        run: RunId,
    },
    /// A run is told to stop, because a later one takes its place.
    Cancelled {
        /// Which.
        run: RunId,
    },
    /// A run waits for a reboot.
    Suspended {
        /// Which.
        run: RunId,
    },
    /// What became of the reboot that a run waits for.
    Reboot {
        /// Which run.
        run: RunId,
        /// What.
        told: RebootTold,
    },
    /// A run waits for its start once more: the agent ended before it did, or the machine was rebooted.
    Again {
        /// Which.
        run: RunId,
    },
    /// A run ended.
    Ended {
        /// Which.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// The run that tries again what it was for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry: Option<RunId>,
    },
    /// The order stands from now on.
    Placed,
    /// The order is another one now.
    Changed,
    /// The order is gone.
    Removed,
    /// The order cannot stand here: a line each.
    Unfit(Vec<String>),
    /// What was known of it could not be read, was set aside, and it begins anew.
    SetAside(String),
    /// Somebody paused it.
    Paused,
    /// Somebody let it go on.
    Resumed,
}
