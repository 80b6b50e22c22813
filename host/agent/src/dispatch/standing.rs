//! One order on this device, with what is known of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::input::Placed;
use super::told::Told;
use crate::{Device, Elapsed, Look, Occasion, Order, Reason, Schedule, Seen, State, text};

/// The form of what is written.
const FORMAT: u32 = 1;

/// How much of what was decided is remembered for whoever asks; the rest is in the log.
const RECENT_MAX: usize = 32;

/// How long is remembered what an order did that is gone: if it comes back, it does nothing twice, and its budget is not new.
const GONE_MS: i64 = 31 * 86_400_000;

const DAY_MS: i64 = 86_400_000;

/// An order, or what is known of one that is gone.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// What it is; nothing, while it is gone or unfit.
    pub(crate) order: Option<InForce>,
    pub(crate) kept: Kept,
    /// When something of it is due; milliseconds since 1970.
    pub(crate) wake_ms: Option<i64>,
    /// How long the clocks that nobody sets had run at its last look since the agent was started.
    looked: Option<Elapsed>,
    pub(crate) recent: VecDeque<Told>,
}

/// An order that can run here.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    pub(crate) order: Order,
    trigger: Trigger,
}

#[derive(Clone, Debug)]
enum Trigger {
    Schedule(Box<Schedule>),
}

/// What is kept of an order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Kept {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<State>,
    #[serde(default)]
    spent: Spent,
    /// Since when the order is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone_ms: Option<i64>,
}

impl Kept {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let kept: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match kept.format {
            FORMAT => Ok(kept),
            other => Err(format!("it has format {other}, this remit reads {FORMAT}: update remit")),
        }
    }
}

/// How many runs of an order began on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// Which day: days since 1970, in UTC.
    day: i64,
    runs: u32,
}

impl Spent {
    /// So many began today. A clock that is set back to another day gives nothing back.
    pub(crate) fn today(&mut self, now_ms: i64) -> u32 {
        let day = now_ms.div_euclid(DAY_MS);
        if day > self.day {
            self.runs = 0;
        }
        self.day = day;
        self.runs
    }

    pub(crate) fn spend(&mut self, now_ms: i64) {
        self.runs = self.today(now_ms).saturating_add(1);
    }
}

impl InForce {
    /// Reads the order's trigger for this device; or says all that speaks against it.
    fn new(placed: &Placed, device: &Device) -> Result<Self, Vec<String>> {
        let Placed { name, order, class } = placed;
        let trigger = match &order.occasion {
            Occasion::Schedule(trigger) => {
                let mut trigger = trigger.clone();
                trigger.expires = trigger.expires.or_else(|| order.expires_ms.map(text::moment_text));
                let schedule = Schedule::new(&trigger, name, *class, device).map_err(|bad| bad.0)?;
                Trigger::Schedule(Box::new(schedule))
            }
            Occasion::Event(_) => return Err(vec!["event: this remit does not wait for events".to_owned()]),
        };
        Ok(Self { order: order.clone(), trigger })
    }

    /// Whether a run of it may start at this moment.
    pub(crate) fn admits(&self, now_ms: i64) -> Result<(), Reason> {
        match &self.trigger {
            Trigger::Schedule(schedule) => schedule.admits(now_ms),
        }
    }

    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        match &self.trigger {
            Trigger::Schedule(schedule) => Some(schedule),
        }
    }
}

impl Standing {
    /// Of which only that is known which was kept.
    pub(crate) fn kept(kept: Kept) -> Self {
        Self {
            order: None,
            kept: Kept { format: FORMAT, ..kept },
            wake_ms: None,
            looked: None,
            recent: VecDeque::new(),
        }
    }

    /// The order stands from now on, or is another one. Whether what is kept of it changed, or all that speaks against it.
    pub(crate) fn place(&mut self, placed: &Placed, device: &Device, now_ms: i64) -> Result<bool, Vec<String>> {
        let in_force = match InForce::new(placed, device) {
            Ok(in_force) => in_force,
            Err(problems) => {
                self.order = None;
                return Err(problems);
            }
        };
        let was_gone = self.kept.gone_ms.take().is_some();
        let mut has_changed = was_gone;
        if in_force.schedule().is_some() {
            match &mut self.kept.schedule {
                None => {
                    self.kept.schedule = Some(State::new(now_ms));
                    has_changed = true;
                }
                // What was due while it was gone is none of its business, and what it did before it does not do again.
                Some(state) if was_gone => state.leave_out(now_ms),
                Some(_) => {}
            }
        }
        self.order = Some(in_force);
        self.wake_ms = Some(now_ms);
        Ok(has_changed)
    }

    /// The order is gone. What it did is kept for a while. Whether that is news.
    pub(crate) fn take_away(&mut self, now_ms: i64) -> bool {
        self.order = None;
        self.wake_ms = None;
        let is_news = self.kept.gone_ms.is_none();
        self.kept.gone_ms.get_or_insert(now_ms);
        is_news
    }

    /// Whether it is gone for so long that nothing is kept of it any more.
    pub(crate) fn is_forgotten(&self, now_ms: i64) -> bool {
        self.kept.gone_ms.is_some_and(|gone_ms| now_ms.saturating_sub(gone_ms) > GONE_MS)
    }

    pub(crate) fn gone_ms(&self) -> Option<i64> {
        self.kept.gone_ms
    }

    /// What its schedule decides now, and whether what is kept of it changed.
    pub(crate) fn look(&mut self, clocks: Elapsed, look: Look) -> (Seen, bool) {
        let schedule = self.order.as_ref().and_then(InForce::schedule);
        let (Some(schedule), Some(state)) = (schedule, &mut self.kept.schedule) else {
            return (Seen::default(), false);
        };
        let since = |last: Elapsed| Elapsed {
            awake_ms: clocks.awake_ms.saturating_sub(last.awake_ms),
            asleep_ms: clocks.asleep_ms.saturating_sub(last.asleep_ms),
        };
        let look = Look { elapsed: self.looked.map(since), ..look };
        let seen = schedule.due(state, &look);
        self.looked = Some(clocks);
        self.wake_ms = schedule.wake_ms(state, look.now_ms);
        let is_set_back = seen.clock_set_ms.is_some_and(|by_ms| by_ms < 0);
        let has_changed = is_set_back || !seen.decisions.is_empty();
        (seen, has_changed)
    }

    /// Whether its budget lets another run begin.
    pub(crate) fn has_budget(&self, now_ms: i64) -> Result<(), Reason> {
        let most = self.order.as_ref().and_then(|it| it.order.runs_per_day);
        let runs = { self.kept.spent }.today(now_ms);
        match most.filter(|most| runs >= *most) {
            Some(most) => Err(Reason::Budget { what: format!("{runs} of its {most} runs a day (UTC) have begun") }),
            None => Ok(()),
        }
    }

    pub(crate) fn spend(&mut self, now_ms: i64) {
        self.kept.spent.spend(now_ms);
    }

    /// How many of its runs began today.
    pub(crate) fn spent(&self, now_ms: i64) -> u32 {
        { self.kept.spent }.today(now_ms)
    }

    pub(crate) fn state(&self) -> Option<&State> {
        self.kept.schedule.as_ref()
    }

    /// Remembers what was decided.
    pub(crate) fn remember(&mut self, told: Told) {
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(told);
    }
}
