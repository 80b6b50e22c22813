//! One order on this device, with what is known of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::input::Placed;
use super::told::{Told, What};
use crate::schedule::permit::{Permit, Written};
use crate::{
    Against, Decision, Device, Elapsed, Look, Manner, NotFired, Notice, Occasion, Occupancy, Order, Origin, Reason,
    Rule, RuleDecision, RuleLook, RuleState, Schedule, State, Tripped, Watch, text,
};

/// The form of what is written.
const FORMAT: u32 = 1;

/// How much of what was decided is remembered for whoever asks; the rest is in the log.
const RECENT_MAX: usize = 32;

/// How long is remembered what an order did that is gone: if it comes back, it does nothing twice, and its budget is not new.
const GONE_MS: i64 = 31 * 86_400_000;

/// How long an order that runs one time waits after it was let go on, and was not after all.
const PUT_OFF_MS: i64 = 300_000;

/// How often is kept at most what sources notice without a decision, such as each event of a burst.
const KEEP_MS: i64 = 1_000;

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
    /// The same, when what is known of it was last to be kept.
    kept_at: Option<i64>,
    /// Something was noticed since then. It is kept after a while, whether more of it comes or not.
    is_behind: bool,
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
    Event(Box<Rule>),
    Once(Box<Permit>),
}

/// What an order's trigger decided.
pub(crate) enum Verdict {
    Fire { origin: Origin, manner: Manner, start_ms: i64 },
    Other(What),
}

/// What is kept of an order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Kept {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<RuleState>,
    /// What the rule watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watch: Option<Watch>,
    #[serde(default)]
    spent: Spent,
    /// Of an order that runs one time: whether its run is, or was, in the queue, or will never be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_fired: Option<bool>,
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
        let Placed { name, order, class, calendars } = placed;
        let mut device = device.clone();
        device.calendars.extend(calendars.iter().cloned());
        let device = &device;
        let trigger = match &order.occasion {
            Occasion::Schedule(trigger) => {
                let mut trigger = trigger.clone();
                trigger.expires = trigger.expires.or_else(|| order.expires_ms.map(text::moment_text));
                let schedule = Schedule::new(&trigger, name, *class, device).map_err(|bad| bad.0)?;
                Trigger::Schedule(Box::new(schedule))
            }
            Occasion::Event(trigger) => {
                let mut trigger = trigger.clone();
                trigger.expires = trigger.expires.or_else(|| order.expires_ms.map(text::moment_text));
                Trigger::Event(Box::new(Rule::new(&trigger, name, *class, device).map_err(|bad| bad.0)?))
            }
            Occasion::Once => {
                let expires = order.expires_ms.map(text::moment_text);
                let (zone, mut problems) = (jiff::tz::TimeZone::UTC, Vec::new());
                let written =
                    Written { start: None, expires: expires.as_deref(), allowed: &[], blackout: &[], zone: &zone };
                let permit = Permit::read(&written, *class, device, &mut problems);
                if !problems.is_empty() {
                    return Err(problems);
                }
                Trigger::Once(Box::new(permit))
            }
        };
        Ok(Self { order: order.clone(), trigger })
    }

    /// Whether a run of it may start at this moment.
    pub(crate) fn admits(&self, now_ms: i64) -> Result<(), Reason> {
        match &self.trigger {
            Trigger::Schedule(schedule) => schedule.admits(now_ms),
            Trigger::Event(rule) => rule.admits(now_ms),
            Trigger::Once(permit) => permit.admits(now_ms),
        }
    }

    /// What of its trigger speaks against a firing at this moment.
    fn against(&self, kept: &Kept, now_ms: i64, occupancy: Occupancy) -> Vec<Against> {
        match (&self.trigger, &kept.rule) {
            (Trigger::Schedule(schedule), _) => schedule.against(now_ms, occupancy),
            (Trigger::Event(rule), Some(state)) => rule.against(state, now_ms, occupancy),
            (Trigger::Event(_), None) => Vec::new(),
            (Trigger::Once(permit), _) => permit.against(now_ms).into_iter().collect(),
        }
    }

    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        match &self.trigger {
            Trigger::Schedule(schedule) => Some(schedule),
            Trigger::Event(_) | Trigger::Once(_) => None,
        }
    }

    /// What it waits for.
    pub(crate) fn watch(&self) -> Option<&Watch> {
        match &self.trigger {
            Trigger::Schedule(_) | Trigger::Once(_) => None,
            Trigger::Event(rule) => Some(rule.watch()),
        }
    }
}

impl Standing {
    /// Of which only that is known which was kept.
    pub(crate) fn kept(kept: Kept) -> Self {
        let kept = Kept { format: FORMAT, ..kept };
        Self {
            order: None,
            kept,
            wake_ms: None,
            looked: None,
            kept_at: None,
            is_behind: false,
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
        let has_changed = match &in_force.trigger {
            Trigger::Schedule(_) => self.place_schedule(was_gone, now_ms),
            Trigger::Event(rule) => self.place_rule(rule, now_ms),
            Trigger::Once(_) => {
                (self.kept.schedule, self.kept.watch) = (None, None);
                let was_rule = self.kept.rule.take().is_some();
                let is_new = self.kept.is_fired.is_none();
                self.kept.is_fired.get_or_insert(false);
                was_rule || is_new
            }
        };
        self.order = Some(in_force);
        self.wake_ms = Some(now_ms);
        Ok(has_changed || was_gone)
    }

    fn place_schedule(&mut self, was_gone: bool, now_ms: i64) -> bool {
        let was_rule = self.kept.rule.take().is_some();
        self.kept.watch = None;
        match &mut self.kept.schedule {
            None => self.kept.schedule = Some(State::new(now_ms)),
            // What was due while it was gone is none of its business, and what it did before it does not do again.
            Some(state) if was_gone => state.leave_out(now_ms),
            Some(_) => return was_rule,
        }
        true
    }

    fn place_rule(&mut self, rule: &Rule, now_ms: i64) -> bool {
        self.kept.schedule = None;
        let is_same = self.kept.watch.as_ref() == Some(rule.watch());
        let is_new = self.kept.rule.is_none();
        let state = self.kept.rule.get_or_insert_with(|| RuleState::new(now_ms));
        if !is_same {
            // What held of something else says nothing of this; how often it fired does.
            state.forget_noticed();
            self.kept.watch = Some(rule.watch().clone());
        }
        is_new || !is_same
    }

    /// The order is gone. What it did is kept for a while. Whether that is news.
    pub(crate) fn take_away(&mut self, now_ms: i64) -> bool {
        self.order = None;
        self.wake_ms = None;
        // Nobody watches for it meanwhile: what holds is told anew.
        self.looked = None;
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

    /// What its trigger decides now, and whether what is kept of it changed.
    pub(crate) fn look(&mut self, name: &str, clocks: Elapsed, look: &RuleLook<'_>) -> (Vec<Verdict>, bool) {
        self.decide(name, clocks, look, None)
    }

    /// What becomes of something that was noticed for it.
    pub(crate) fn notice(
        &mut self,
        name: &str,
        clocks: Elapsed,
        look: &RuleLook<'_>,
        notice: &Notice,
    ) -> (Vec<Verdict>, bool) {
        self.decide(name, clocks, look, Some(notice))
    }

    fn decide(
        &mut self,
        name: &str,
        clocks: Elapsed,
        look: &RuleLook<'_>,
        notice: Option<&Notice>,
    ) -> (Vec<Verdict>, bool) {
        let since = |last: Elapsed| Elapsed {
            awake_ms: clocks.awake_ms.saturating_sub(last.awake_ms),
            asleep_ms: clocks.asleep_ms.saturating_sub(last.asleep_ms),
        };
        let mut look = look.clone();
        look.look.elapsed = self.looked.map(since);
        let now_ms = look.look.now_ms;
        let Some(in_force) = &self.order else { return (Vec::new(), false) };
        let (verdicts, is_set_back) = match (&in_force.trigger, &mut self.kept) {
            (Trigger::Schedule(schedule), Kept { schedule: Some(state), .. }) if notice.is_none() => {
                let seen = schedule.due(state, &look.look);
                self.wake_ms = schedule.wake_ms(state, now_ms);
                let is_set_back = seen.clock_set_ms.is_some_and(|by_ms| by_ms < 0);
                (seen.decisions.into_iter().map(|it| of_schedule(name, it)).collect(), is_set_back)
            }
            (Trigger::Event(rule), Kept { rule: Some(state), .. }) => {
                let decisions = match notice {
                    Some(notice) => rule.notice(state, notice, &look),
                    None => rule.look(state, &look),
                };
                self.wake_ms = rule.wake_ms(state, now_ms);
                (decisions.into_iter().map(|it| of_rule(name, now_ms, it)).collect::<Vec<_>>(), false)
            }
            (Trigger::Once(permit), kept) if notice.is_none() => {
                let (verdicts, wake_ms) = once(name, permit, kept.is_fired.get_or_insert(false), &look.look);
                self.wake_ms = wake_ms;
                (verdicts, false)
            }
            _ => return (Vec::new(), false),
        };
        self.looked = Some(clocks);
        let steady_ms = clocks.awake_ms.saturating_add(clocks.asleep_ms);
        let rest_ms = self.kept_at.map_or(0, |kept_at| kept_at.saturating_add(KEEP_MS).saturating_sub(steady_ms));
        self.is_behind |= notice.is_some();
        let is_to_keep = !verdicts.is_empty() || is_set_back || (self.is_behind && rest_ms <= 0);
        if is_to_keep {
            self.is_kept(steady_ms);
        } else if self.is_behind {
            let keep_ms = now_ms.saturating_add(rest_ms);
            self.wake_ms = Some(self.wake_ms.map_or(keep_ms, |wake_ms| wake_ms.min(keep_ms)));
        }
        (verdicts, is_to_keep)
    }

    /// What is known of it is kept with this step.
    pub(crate) fn is_kept(&mut self, steady_ms: i64) {
        self.kept_at = Some(steady_ms);
        self.is_behind = false;
    }

    /// What its rule waits for may have come, such as the end of a run.
    pub(crate) fn look_soon(&mut self, now_ms: i64) {
        let waits = |it: &InForce| it.watch().is_some() || matches!(it.trigger, Trigger::Once(_));
        if self.order.as_ref().is_some_and(waits) {
            self.wake_ms = Some(now_ms);
        }
    }

    /// Its one run did not start after all: it is due again, a while later.
    pub(crate) fn put_off(&mut self, now_ms: i64) {
        if self.order.as_ref().is_some_and(|it| matches!(it.trigger, Trigger::Once(_))) {
            self.kept.is_fired = Some(false);
            self.wake_ms = Some(now_ms.saturating_add(PUT_OFF_MS));
        }
    }

    /// Why its rule is off.
    pub(crate) fn tripped(&self) -> Option<&Tripped> {
        self.order.as_ref()?;
        self.kept.rule.as_ref()?.tripped()
    }

    /// Somebody looked: its rule goes on. Whether it had been off.
    pub(crate) fn reset(&mut self) -> bool {
        let was_tripped = self.tripped().is_some();
        if let Some(state) = self.kept.rule.as_mut().filter(|_| was_tripped) {
            state.reset();
        }
        was_tripped
    }

    /// Whether its budget lets another run begin.
    pub(crate) fn has_budget(&self, now_ms: i64) -> Result<(), Reason> {
        let most = self.order.as_ref().and_then(|it| it.order.runs_per_day);
        let runs = { self.kept.spent }.today(now_ms);
        match most.filter(|most| runs >= *most) {
            Some(most) => {
                Err(Reason::Budget { what: format!("{runs} of the order's {most} runs a day (UTC) have begun") })
            }
            None => Ok(()),
        }
    }

    /// Everything that speaks against a run at this moment, with such runs of it.
    pub(crate) fn against(&self, now_ms: i64, is_paused: bool, occupancy: Occupancy) -> Vec<Against> {
        let Some(in_force) = &self.order else { return Vec::new() };
        let mut against = in_force.against(&self.kept, now_ms, occupancy);
        // As a firing is told it: after what the order's own times say.
        let times = against.iter().take_while(|it| it.reason < Reason::Paused).count();
        if is_paused {
            against.insert(times, Against::new(Reason::Paused, None));
        }
        let tomorrow_ms = now_ms.div_euclid(DAY_MS).saturating_add(1).saturating_mul(DAY_MS);
        against.extend(self.has_budget(now_ms).err().map(|reason| Against::new(reason, Some(tomorrow_ms))));
        against
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

/// What becomes of an order that runs one time, and when to look again.
fn once(name: &str, permit: &Permit, is_fired: &mut bool, look: &Look) -> (Vec<Verdict>, Option<i64>) {
    let now_ms = look.now_ms;
    if *is_fired {
        return (Vec::new(), None);
    }
    let reason = match permit.admits(now_ms) {
        // Whoever lets it go on has it looked at.
        Ok(()) if look.is_paused => return (Vec::new(), permit.expires_ms),
        Ok(()) => {
            *is_fired = true;
            let origin = Origin::Once { order: name.to_owned() };
            return (vec![Verdict::Fire { origin, manner: Manner::Start, start_ms: now_ms }], None);
        }
        Err(reason) => reason,
    };
    if reason != Reason::Expired {
        let opens_ms = permit.opens_ms(now_ms);
        return (Vec::new(), opens_ms.into_iter().chain(permit.expires_ms).min());
    }
    *is_fired = true;
    let not = NotFired { reason, count: 1, first_ms: now_ms, last_ms: now_ms };
    (vec![Verdict::Other(What::NotFired(not))], None)
}

fn of_schedule(name: &str, decision: Decision) -> Verdict {
    match decision {
        Decision::NotFired(not) => Verdict::Other(What::NotFired(not)),
        Decision::Fire(firing) => {
            let (manner, start_ms) = (firing.manner, firing.start_ms);
            Verdict::Fire { origin: Origin::Schedule { order: name.to_owned(), firing }, manner, start_ms }
        }
    }
}

fn of_rule(name: &str, now_ms: i64, decision: RuleDecision) -> Verdict {
    match decision {
        RuleDecision::NotFired(unfired) => Verdict::Other(What::Unfired(unfired)),
        RuleDecision::Tripped(tripped) => Verdict::Other(What::Tripped(tripped)),
        RuleDecision::Fire(firing) => {
            let origin = Origin::Event { order: name.to_owned(), event: Box::new(firing.event) };
            Verdict::Fire { origin, manner: firing.manner, start_ms: now_ms }
        }
    }
}
