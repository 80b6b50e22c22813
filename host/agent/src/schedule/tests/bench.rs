//! An order on a device whose clock is moved by hand, and what it decides, in words.

use contract::Class;
use jiff::Timestamp;

use crate::{Decision, Device, Elapsed, Look, Manner, Occupancy, Reason, Schedule, State, Trigger};

pub(super) struct Bench {
    pub(super) schedule: Schedule,
    pub(super) state: State,
    pub(super) occupancy: Occupancy,
    pub(super) is_paused: bool,
    pub(super) clock_set_ms: Option<i64>,
}

pub(super) fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

pub(super) fn said(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap().strftime("%m-%dT%H:%M").to_string()
}

pub(super) fn schedule(trigger: &str) -> Schedule {
    schedule_on(trigger, Class::L2, &Device::default())
}

pub(super) fn schedule_on(trigger: &str, class: Class, device: &Device) -> Schedule {
    let trigger: Trigger = toml::from_str(trigger).unwrap();
    Schedule::new(&trigger, "order", class, device).unwrap()
}

impl Bench {
    /// An order that was first seen at this time.
    pub(super) fn new(trigger: &str, since: &str) -> Self {
        Self::of(schedule(trigger), since)
    }

    pub(super) fn of(schedule: Schedule, since: &str) -> Self {
        let state = State::new(ms(since));
        Self { schedule, state, occupancy: Occupancy::Idle, is_paused: false, clock_set_ms: None }
    }

    fn look(&mut self, now: &str, elapsed: Option<Elapsed>) -> Vec<String> {
        let look = Look { now_ms: ms(now), elapsed, occupancy: self.occupancy, is_paused: self.is_paused };
        let seen = self.schedule.due(&mut self.state, &look);
        self.clock_set_ms = seen.clock_set_ms;
        seen.decisions.iter().map(in_words).collect()
    }

    fn wall(&self, now: &str) -> i64 {
        ms(now) - self.state.looked_ms()
    }

    /// Time went by as it does.
    pub(super) fn at(&mut self, now: &str) -> Vec<String> {
        let elapsed = Elapsed { awake_ms: self.wall(now), asleep_ms: 0 };
        self.look(now, Some(elapsed))
    }

    /// The machine was suspended.
    pub(super) fn slept_until(&mut self, now: &str) -> Vec<String> {
        let elapsed = Elapsed { awake_ms: 0, asleep_ms: self.wall(now) };
        self.look(now, Some(elapsed))
    }

    /// The clock was set, a second ago.
    pub(super) fn set_to(&mut self, now: &str) -> Vec<String> {
        self.look(now, Some(Elapsed { awake_ms: 1_000, asleep_ms: 0 }))
    }

    /// The agent was not there since the last look.
    pub(super) fn restarted_at(&mut self, now: &str) -> Vec<String> {
        self.state = serde_json::from_str(&serde_json::to_string(&self.state).unwrap()).unwrap();
        self.look(now, None)
    }

    /// Looks whenever something is due, until this time.
    pub(super) fn through(&mut self, until: &str) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(wake) =
            self.schedule.wake_ms(&self.state, self.state.looked_ms()).filter(|&wake| wake <= ms(until))
        {
            all.extend(self.at(&Timestamp::from_millisecond(wake).unwrap().to_string()));
        }
        all.extend(self.at(until));
        all
    }
}

fn in_words(decision: &Decision) -> String {
    match decision {
        Decision::Fire(firing) => {
            let late = if firing.is_late { " late" } else { "" };
            let manner = match firing.manner {
                Manner::Start => "",
                Manner::Queue => ", queued",
                Manner::Replace => ", replacing",
            };
            format!("fire {}{late}{manner}", said(firing.nominal_ms))
        }
        Decision::NotFired(not) => {
            let cause = match &not.reason {
                Reason::Misfire { cause } => format!("missed ({cause:?})"),
                Reason::Blackout { name } => format!("blackout {}", name.as_deref().unwrap_or("-")),
                other => other.code().to_owned(),
            };
            match not.count {
                1 => format!("{cause}: {}", said(not.first_ms)),
                count => format!("{cause}: {count} from {} to {}", said(not.first_ms), said(not.last_ms)),
            }
        }
    }
}
