//! The one place in which all triggers of a device meet: it decides what runs, when, and what does not. `DISPATCH.md` beside
//! this crate says what happens when; each row of its tables has its test.

mod explain;
mod input;
mod noticed;
mod orders;
mod recent;
mod restore;
mod runs;
mod standing;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use model::{Outcome, RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::recent::Recent;
use self::standing::{Standing, Verdict};
use crate::queue::Queue;
use crate::schedule::clock_set;
use crate::{Elapsed, Look, NotRun, Notice, Order, Reason, RuleLook, Stage, Watch};

pub use self::explain::Explained;
pub use self::input::{HandRun, Input, Now, Placed, Scope, Shell, Step, Ticket};
pub use self::restore::{Restored, SetAside};
pub use self::told::{Told, What};

/// A look comes no later than so long after the last one: if the machine is suspended meanwhile, that is what most of the time
/// went by with.
const LOOK_MS_MAX: i64 = 900_000;

/// After so many starts that an end of the agent prevented, it is the run that is the reason.
const LOST_STARTS_MAX: u32 = 3;

/// The most orders that are gone of which something is kept.
const GONE_MAX: usize = 1_000;

/// What is kept of pauses.
const PAUSES: &str = "pauses";

/// All orders of a device with what is known of them, the queue, and the runs under way. It does nothing by itself: see
/// [`Dispatcher::step`].
#[derive(Clone, Debug)]
pub struct Dispatcher {
    standing: BTreeMap<String, Standing>,
    queue: Queue,
    pauses: Pauses,
    recent: Recent,
    facts: Map<String, Value>,
    clocks: Clocks,
    /// Whether it knows which orders stand.
    is_loaded: bool,
    is_draining: bool,
    /// What was found when it was restored, and goes with the first step.
    found: Step,
}

/// Who is paused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Pauses {
    all: bool,
    orders: BTreeSet<String>,
}

impl Pauses {
    fn has(&self, order: &str) -> bool {
        self.all || self.orders.contains(order)
    }
}

/// What has gone by since the agent was started.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    run: Elapsed,
    last_ms: Option<i64>,
}

impl Clocks {
    fn new() -> Self {
        Self { run: Elapsed { awake_ms: 0, asleep_ms: 0 }, last_ms: None }
    }

    /// Time goes by. Whether the clock was set.
    fn tick(&mut self, now: Now) -> bool {
        if let Some(Elapsed { awake_ms, asleep_ms }) = now.elapsed {
            self.run.awake_ms = self.run.awake_ms.saturating_add(awake_ms.max(0));
            self.run.asleep_ms = self.run.asleep_ms.saturating_add(asleep_ms.max(0));
        }
        let last_ms = self.last_ms.replace(now.now_ms);
        last_ms.is_some_and(|last_ms| clock_set(last_ms, now.now_ms, now.elapsed).is_some())
    }

    fn steady_ms(&self) -> i64 {
        self.run.awake_ms.saturating_add(self.run.asleep_ms)
    }
}

/// One step while it is made.
struct Turn<'a> {
    now_ms: i64,
    shell: &'a mut dyn Shell,
    step: Step,
    /// What is to be written anew at the end of the step.
    orders: BTreeSet<String>,
    runs: BTreeSet<RunId>,
}

impl Dispatcher {
    /// Decides everything that follows from one input. It is a function of what is known and of what is handed in, so what was
    /// not made durable has not been: a dispatcher that is restored decides it again.
    pub fn step(&mut self, input: Input, now: Now, shell: &mut dyn Shell) -> Step {
        let is_set = self.clocks.tick(now);
        let step = std::mem::take(&mut self.found);
        let mut turn = Turn { now_ms: now.now_ms, shell, step, orders: BTreeSet::new(), runs: BTreeSet::new() };
        let is_look = is_set || matches!(input, Input::Looked | Input::Reloaded { .. });
        self.take(input, &mut turn);
        if self.is_loaded {
            self.look(is_look, &mut turn);
        }
        self.start(&mut turn);
        self.finish(turn)
    }

    fn take(&mut self, input: Input, turn: &mut Turn<'_>) {
        match input {
            Input::Looked => {}
            Input::Reloaded { orders, device, facts } => {
                self.facts = facts;
                self.reload(&orders, &device, turn);
            }
            Input::Noticed { order, notice } => self.notice(&order, &notice, turn),
            Input::Emitted { name, data, cause } => self.emitted(&name, &data, cause, turn),
            Input::Touched { run, touched } => self.recent.touch(run, touched),
            Input::Ended { run, outcome, touched, data } => {
                self.recent.touch(run, touched);
                match outcome {
                    Outcome::Suspended => self.suspend(run, turn),
                    outcome => self.end(run, outcome, data, turn),
                }
            }
            Input::Again(run) => self.again(run, turn),
            Input::Asked(asked) => self.ask(asked, turn),
            Input::Gone(run) => self.give_up(run, turn),
            Input::Paused(scope) => self.pause(scope, true, turn),
            Input::Resumed(scope) => self.pause(scope, false, turn),
            Input::Drain => {
                self.is_draining = true;
                let by_hand: Vec<RunId> = self.queue.waiting_by_hand().collect();
                by_hand.into_iter().for_each(|run| self.drop_waiting(run, NotRun::Draining, turn));
            }
            Input::GoOn => self.is_draining = false,
            Input::Rebooting { run, told } => {
                let order = self.queue.get(run).and_then(|run| run.order().map(str::to_owned));
                self.tell(order.as_deref(), What::Reboot { run, told }, turn);
            }
        }
    }

    /// When an order's trigger is to be looked at.
    fn next_look(&self) -> Option<i64> {
        self.standing.values().filter_map(|standing| standing.wake_ms).min()
    }

    /// The triggers decide what is due: all of them, or those of which it is known that something is.
    fn look(&mut self, is_all: bool, turn: &mut Turn<'_>) {
        let is_due = |it: &Standing| is_all || it.wake_ms.is_some_and(|wake_ms| wake_ms <= turn.now_ms);
        let due = self.standing.iter().filter(|(_, it)| it.order.is_some() && is_due(it));
        let names: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.decide(&name, None, turn);
        }
    }

    /// An order's trigger decides what is due now, or what becomes of what was noticed.
    fn decide(&mut self, name: &str, notice: Option<&Notice>, turn: &mut Turn<'_>) {
        let Some(standing) = self.standing.get_mut(name) else { return };
        let look = Look {
            now_ms: turn.now_ms,
            elapsed: None,
            occupancy: self.queue.occupancy(name),
            is_paused: self.pauses.has(name),
        };
        let look = RuleLook { look, facts: &self.facts, runs: self.recent.all() };
        let (verdicts, has_changed) = match notice {
            Some(notice) => standing.notice(name, self.clocks.run, &look, notice),
            None => standing.look(name, self.clocks.run, &look),
        };
        if has_changed {
            turn.orders.insert(name.to_owned());
        }
        for verdict in verdicts {
            match verdict {
                Verdict::Fire { origin, manner, start_ms } => self.fire(origin, manner, start_ms, turn),
                Verdict::Other(what) => {
                    if let What::Tripped(tripped) = &what {
                        turn.step.tickets.push(Ticket { order: name.to_owned(), tripped: tripped.clone() });
                    }
                    self.tell(Some(name), what, turn);
                }
            }
        }
    }

    /// Starts whoever may start.
    fn start(&mut self, turn: &mut Turn<'_>) {
        for id in self.queue.overdue(self.clocks.steady_ms()) {
            self.drop_waiting(id, NotRun::TooLate, turn);
        }
        if self.is_draining || !self.is_loaded {
            return;
        }
        while let Some(id) = self.queue.next(self.clocks.steady_ms()) {
            if let Err(reason) = self.admits(id, turn) {
                let order = self.queue.get(id).and_then(|run| run.order().map(str::to_owned));
                let why = NotRun::Refused(reason);
                let is_put_off = why.is_put_off();
                self.drop_waiting(id, why, turn);
                let standing =
                    order.filter(|_| is_put_off).and_then(|name| Some((self.standing.get_mut(&name)?, name)));
                if let Some((standing, name)) = standing {
                    standing.put_off(turn.now_ms);
                    turn.orders.insert(name);
                }
                continue;
            }
            let stage = Stage::UnderWay { since_ms: turn.now_ms, is_cancelled: false };
            let Some(run) = self.queue.move_to(id, stage).cloned() else { return };
            turn.runs.insert(id);
            self.recent.begin(&run, turn.now_ms);
            let standing =
                run.order().filter(|_| !run.resumes).and_then(|name| Some((name, self.standing.get_mut(name)?)));
            if let Some((name, standing)) = standing {
                standing.spend(turn.now_ms);
                turn.orders.insert(name.to_owned());
            }
            self.tell(run.order(), What::Started { run: id }, turn);
            turn.step.start.push(run);
        }
    }

    /// Asks again, right before a start.
    fn admits(&self, id: RunId, turn: &mut Turn<'_>) -> Result<(), Reason> {
        let Some(run) = self.queue.get(id).filter(|run| !run.resumes) else { return Ok(()) };
        let standing = run.order().and_then(|name| Some((name, self.standing.get(name)?)));
        if let Some((name, standing)) = standing {
            if self.pauses.has(name) {
                return Err(Reason::Paused);
            }
            if let Some(in_force) = &standing.order {
                in_force.admits(turn.now_ms)?;
            }
            standing.has_budget(turn.now_ms)?;
        }
        let order = standing.and_then(|(_, standing)| standing.order.as_ref()).map(|it| &it.order);
        turn.shell.permits(run, order)
    }

    /// Writes down what changed, and says when to look again.
    fn finish(&mut self, turn: Turn<'_>) -> Step {
        let Turn { now_ms, mut step, orders, runs, .. } = turn;
        for name in orders {
            let kept = self.standing.get(&name).and_then(|it| serde_json::to_string(&it.kept).ok());
            step.changed.insert(restore::order_key(&name), kept);
        }
        for id in runs {
            let kept = self.queue.get(id).and_then(|run| serde_json::to_string(run).ok());
            step.changed.insert(restore::run_key(id), kept);
        }
        let steady_ms = self.clocks.steady_ms();
        let waits = self.queue.wake(steady_ms).map(|at| now_ms.saturating_add(at - steady_ms));
        let looks = self.next_look().map(|wake_ms| wake_ms.clamp(now_ms, now_ms.saturating_add(LOOK_MS_MAX)));
        step.wake_ms = waits.into_iter().chain(looks).min();
        step.is_drained = self.is_draining && self.queue.under_way() == 0;
        step
    }

    fn tell(&mut self, order: Option<&str>, what: What, turn: &mut Turn<'_>) {
        let told = Told { at_ms: turn.now_ms, order: order.map(str::to_owned), what };
        if let Some(standing) = order.and_then(|order| self.standing.get_mut(order)) {
            standing.remember(told.clone());
        }
        turn.step.told.push(told);
    }

    /// What is to be watched, and for which order.
    pub fn watches(&self) -> impl Iterator<Item = (&str, &Watch)> {
        self.standing.iter().filter_map(|(name, it)| Some((name.as_str(), it.order.as_ref()?.watch()?)))
    }

    /// What the windows of a run's order have against what is done for it at a time. That it expired meanwhile is nothing to a run
    /// that began.
    pub fn admits_at(&self, run: RunId, at_ms: i64) -> Result<(), Reason> {
        let order = self.queue.get(run).and_then(|run| self.standing.get(run.order()?)?.order.as_ref());
        match order.map_or(Ok(()), |order| order.admits(at_ms)) {
            Err(reason @ (Reason::Window | Reason::Blackout { .. })) => Err(reason),
            _ => Ok(()),
        }
    }

    /// Whether a run of ours changes something, or did of late.
    pub fn has_touched(&self) -> bool {
        self.queue.all().any(|run| run.changes() && run.stage != Stage::Waiting)
            || self.recent.all().iter().any(|run| !run.effects.is_empty())
    }

    /// The order of this name that stands.
    pub fn order(&self, name: &str) -> Option<&Order> {
        self.standing.get(name)?.order.as_ref().map(|it| &it.order)
    }
}

#[cfg(test)]
mod tests;
