//! When a standing order runs by the clock: a trigger that was read, on one device. `SCHEDULES.md` beside this crate says what
//! happens when a run is missed, clocks are changed or hours happen twice; each of its rows has a test.

mod calendar;
mod cron;
mod decision;
mod due;
mod jitter;
mod nominal;
pub(crate) mod permit;
mod policy;
mod spans;
mod state;
mod trigger;

use contract::Class;
use jiff::tz::TimeZone;

use self::calendar::Ahead;
use self::cron::Pattern;
pub(crate) use self::jitter::Place;
use self::nominal::Nominal;
use self::permit::{Permit, Written, keep, parsed, timestamp, zone};
use crate::{Against, Reason, text};

pub use self::decision::{Decision, Firing, Manner, NotFired};
pub use self::due::{Elapsed, Look, Occupancy, Seen};
pub(crate) use self::due::{NOW_MS_MAX, clock_set};
pub use self::policy::{Misfire, Overlap};
pub use self::state::State;
pub use self::trigger::{BadSchedule, Calendars, Trigger, Window};

/// A firing that is decided less than so long after its time counts as on time; later, it was missed. Quartz and Rundeck draw
/// the line there too, and no pattern has two firings that near each other.
pub const GRACE_MS: i64 = 60_000;

/// The most jitter: what spreads over more than a day is another schedule.
const JITTER_MS_MAX: i64 = 86_400_000;

/// The most firings that are listed beforehand.
const COMING_MAX: usize = 1_000;

/// What a schedule must know of the device that it is on.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// A secret of the device that never changes: its places in jitters follow from it.
    pub key: [u8; 32],
    /// Windows of the device's own policy. They hold beside the order's: blackouts of all, and each set must allow.
    pub calendars: Vec<Calendars>,
}

/// A trigger that was read, for an order on a device. It holds the time zone's rules as they are now: build it anew when these
/// change. What was done is in a [`State`].
#[derive(Clone, Debug)]
pub struct Schedule {
    pub(crate) nominal: Nominal,
    pub(crate) misfire: Misfire,
    pub(crate) overlap: Overlap,
    pub(crate) jitter_ms: i64,
    place: Place,
    permit: Permit,
}

/// What is due when, and whether it is refused.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) due_ms: i64,
    pub(crate) refused: Option<Reason>,
}

/// A firing to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// When the pattern has it; milliseconds since 1970.
    pub nominal_ms: i64,
    /// When this device has it, jitter included; milliseconds since 1970.
    pub due_ms: i64,
    /// Why it will not happen, as far as that is known beforehand.
    pub refused: Option<Reason>,
}

impl Schedule {
    /// Reads the trigger of the order of this name, whose runs are of this class; or says all that is wrong with it.
    pub fn new(trigger: &Trigger, order: &str, class: Class, device: &Device) -> Result<Self, BadSchedule> {
        let mut problems = Vec::new();
        let pattern = match Pattern::read(&trigger.cron) {
            Ok(pattern) => Some(pattern),
            Err(all) => {
                problems.extend(all.into_iter().map(|problem| format!("cron: {problem}")));
                None
            }
        };
        let zone = keep(zone(&trigger.zone), "zone", &mut problems);
        let jitter_ms = keep(jitter(trigger.jitter.as_deref()), "jitter", &mut problems);
        let misfire = keep(parsed(trigger.misfire.as_deref()), "misfire", &mut problems);
        let overlap = keep(parsed(trigger.overlap.as_deref()), "overlap", &mut problems);
        let utc = TimeZone::UTC;
        let written = Written {
            start: trigger.start.as_deref(),
            expires: trigger.expires.as_deref(),
            allowed: &trigger.allowed,
            blackout: &trigger.blackout,
            zone: zone.as_ref().unwrap_or(&utc),
        };
        let permit = Permit::read(&written, class, device, &mut problems);
        match (pattern, zone, jitter_ms, misfire, overlap) {
            (Some(pattern), Some(zone), Some(jitter_ms), Some(misfire), Some(overlap)) if problems.is_empty() => {
                Ok(Self {
                    nominal: Nominal { pattern, zone },
                    misfire,
                    overlap,
                    jitter_ms,
                    place: Place::of(&device.key, order),
                    permit,
                })
            }
            _ => Err(BadSchedule(problems)),
        }
    }

    /// Whether a run may start at this moment. Whoever lets a firing wait asks again before it starts.
    pub fn admits(&self, now_ms: i64) -> Result<(), Reason> {
        self.permit.admits(now_ms)
    }

    /// What speaks against a firing at this moment, with such runs of its order.
    pub(crate) fn against(&self, now_ms: i64, occupancy: Occupancy) -> Vec<Against> {
        let overlap = self.overlap.meet(occupancy).err().map(|reason| Against::new(reason, None));
        self.permit.against(now_ms).into_iter().chain(overlap).collect()
    }

    /// The next firings after this moment, those that will not happen included; at most 1,000.
    pub fn next(&self, state: &State, from_ms: i64, count: usize) -> Vec<Coming> {
        let mut last = from_ms.saturating_sub(self.jitter_ms);
        let (mut coming, mut verdicts) = (Vec::new(), self.verdicts());
        while coming.len() < count.min(COMING_MAX) {
            let Some(nominal_ms) = self.nominal.next_after(last) else { break };
            last = nominal_ms;
            if let Some(end) = state.done.end_of(nominal_ms) {
                last = end;
                continue;
            }
            let Verdict { due_ms, refused } = verdicts.of(nominal_ms);
            if due_ms > from_ms {
                coming.push(Coming { nominal_ms, due_ms, refused });
            }
        }
        coming
    }

    /// When to look again; nothing, where nothing will be due any more.
    pub fn wake_ms(&self, state: &State, now_ms: i64) -> Option<i64> {
        if self.permit.expires_ms.is_some_and(|expires| now_ms >= expires) {
            return None;
        }
        let mut last = state.passed_ms.unwrap_or(i64::MIN).max(now_ms.saturating_sub(self.jitter_ms));
        if let Some(start_ms) = self.permit.start_ms {
            // What is before that is told with the first look after it.
            last = last.max(start_ms.saturating_sub(1));
        }
        let mut verdicts = self.verdicts();
        loop {
            let nominal_ms = self.nominal.next_after(last)?;
            let due_ms = verdicts.of(nominal_ms).due_ms;
            match state.done.end_of(nominal_ms) {
                Some(end) => last = end,
                None if due_ms > now_ms => return Some(due_ms),
                None => last = nominal_ms,
            }
        }
    }

    /// To judge one firing after another.
    pub(crate) fn verdicts(&self) -> Verdicts<'_> {
        Verdicts { schedule: self, ahead: self.permit.ahead() }
    }

    /// Parts of a time in which the order had not begun, was valid, and had expired; with the reason that a firing had there
    /// which nobody looked at.
    pub(crate) fn by_validity(&self, (after_ms, until_ms): (i64, i64), valid: &Reason) -> Vec<(Reason, (i64, i64))> {
        let last_before =
            |ms: Option<i64>, otherwise: i64| ms.map_or(otherwise, |ms| ms.saturating_sub(1)).clamp(after_ms, until_ms);
        let begin_ms = last_before(self.permit.start_ms, after_ms);
        let end_ms = last_before(self.permit.expires_ms, until_ms).max(begin_ms);
        let parts = [
            (Reason::NotStarted, (after_ms, begin_ms)),
            (valid.clone(), (begin_ms, end_ms)),
            (Reason::Expired, (end_ms, until_ms)),
        ];
        parts.into_iter().filter(|(_, (after_ms, until_ms))| after_ms < until_ms).collect()
    }
}

/// Judges one firing after another.
pub(crate) struct Verdicts<'a> {
    schedule: &'a Schedule,
    ahead: Ahead<'a>,
}

impl Verdicts<'_> {
    /// What becomes of a firing of the pattern if somebody is there in time. What is due later never comes before what is due
    /// earlier: devices are spread over what is left of an opening, and over nothing where there is none.
    pub(crate) fn of(&mut self, nominal_ms: i64) -> Verdict {
        match self.spread(nominal_ms) {
            Ok(due_ms) => Verdict { due_ms, refused: None },
            Err(reason) => Verdict { due_ms: nominal_ms, refused: Some(reason) },
        }
    }

    /// This device's place after a moment, inside what is left of the opening; or why nothing may start at that moment.
    pub(crate) fn spread(&mut self, from_ms: i64) -> Result<i64, Reason> {
        let Schedule { jitter_ms, permit, place, .. } = self.schedule;
        permit.is_valid(from_ms)?;
        let most_ms = from_ms.saturating_add(*jitter_ms).min(permit.expires_ms.unwrap_or(i64::MAX));
        let end = self.ahead.open_until(timestamp(from_ms), timestamp(most_ms))?;
        Ok(from_ms + place.of_ms((end.as_millisecond() - from_ms).max(0)))
    }
}

/// Reads `30m`.
pub(crate) fn jitter(text: Option<&str>) -> Result<i64, String> {
    let ms = text.map_or(Ok(0), text::duration_ms)?;
    if ms > JITTER_MS_MAX { Err("at most `24h`".to_owned()) } else { Ok(ms) }
}

#[cfg(test)]
mod tests;
