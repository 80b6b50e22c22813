//! An order that stands on a device: when it runs is decided as the agent does.

use agent::{Decision, Device, Look, Occasion, Occupancy, Order, Schedule, State};
use fleet::Begun;
use trust::Signed;

use crate::plugin::Carried;

/// An order that stands.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) begun: Begun,
    pub(crate) order: Signed,
    /// Its plugin, once it is there.
    pub(crate) carried: Option<Carried>,
    schedule: Schedule,
    state: State,
}

impl Standing {
    /// One that begins now; none where nobody can say when it runs, or it waits for events, which no simulated machine has.
    pub(crate) fn new(begun: Begun, order: Signed, key: [u8; 32], now_ms: u64) -> Option<Self> {
        let form: Order = serde_json::from_str(&begun.body.standing_form()?).ok()?;
        let Occasion::Schedule(trigger) = &form.occasion else { return None };
        let device = Device { key, calendars: Vec::new() };
        let name = begun.body.id.to_string();
        let schedule = Schedule::new(trigger, &name, begun.body.risks(), &device).ok()?;
        let state = State::new(i64::try_from(now_ms).unwrap_or(i64::MAX));
        Some(Self { begun, order, carried: None, schedule, state })
    }

    /// How many runs are due now.
    pub(crate) fn due(&mut self, now_ms: u64, is_paused: bool) -> usize {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let look = Look { now_ms, elapsed: None, occupancy: Occupancy::Idle, is_paused };
        let seen = self.schedule.due(&mut self.state, &look);
        seen.decisions.iter().filter(|it| matches!(it, Decision::Fire(_))).count()
    }
}
