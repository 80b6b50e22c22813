//! Why an order did or did not run, and what comes next.

use super::Dispatcher;
use super::told::Told;
use crate::{Against, Coming, Run, Tripped};

/// Everything that can be said of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Whether it stands; else it is gone, or unfit, as `recent` tells.
    pub stands: bool,
    /// What speaks against a run that would start now; the owner's policy and the device's budgets aside, but for its windows.
    pub against: Vec<Against>,
    /// Its runs that wait, are under way or wait for a reboot.
    pub runs: Vec<Run>,
    /// How many of its runs began today (UTC), and how many may.
    pub runs_today: (u32, Option<u32>),
    /// When its trigger is looked at next, if nothing happens before; milliseconds since 1970.
    pub looks_ms: Option<i64>,
    /// The next firings of its schedule, with what speaks against each as far as that is known.
    pub coming: Vec<Coming>,
    /// Why its breaker is open, where it is: it is off until somebody looks.
    pub tripped: Option<Tripped>,
    /// What was decided of late, oldest first.
    pub recent: Vec<Told>,
}

impl Dispatcher {
    /// All that can be said of an order at this moment, with so many firings to come; nothing, where nobody has heard of it.
    pub fn explain(&self, name: &str, now_ms: i64, coming: usize) -> Option<Explained> {
        let standing = self.standing.get(name)?;
        let in_force = standing.order.as_ref();
        let schedule = in_force.and_then(|it| it.schedule()).zip(standing.state());
        Some(Explained {
            stands: in_force.is_some(),
            against: standing.against(now_ms, self.pauses.has(name), self.queue.occupancy(name)),
            runs: self.queue.of(name).cloned().collect(),
            runs_today: (standing.spent(now_ms), in_force.and_then(|it| it.order.runs_per_day)),
            looks_ms: standing.wake_ms,
            coming: schedule.map(|(schedule, state)| schedule.next(state, now_ms, coming)).unwrap_or_default(),
            tripped: standing.tripped().cloned(),
            recent: standing.recent.iter().cloned().collect(),
        })
    }

    /// The names of all orders that stand, or stood of late.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.standing.keys().map(String::as_str)
    }

    /// All runs that wait, are under way or wait for a reboot.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.queue.all()
    }

    /// Whether an order is paused, by itself or with all.
    pub fn is_paused(&self, name: &str) -> bool {
        self.pauses.has(name)
    }
}
