//! The one place in which all triggers of a device meet: it decides what runs, when, and what does not. `DISPATCH.md` beside
//! this crate says what happens when; each row of its tables has its test.

mod explain;
mod input;
mod noticed;
mod recent;
mod restore;
mod standing;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use model::{Outcome, RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::recent::Recent;
use self::standing::{Standing, Verdict};
use crate::queue::{Offered, Queue};
use crate::schedule::clock_set;
use crate::{Device, Elapsed, Look, Manner, NotRun, Notice, Order, Origin, Reason, RuleLook, Run, Stage, Watch};

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
        }
    }

    fn reload(&mut self, orders: &[Placed], device: &Device, turn: &mut Turn<'_>) {
        let is_first = !std::mem::replace(&mut self.is_loaded, true);
        for placed in orders {
            self.place(placed, device, turn);
        }
        let there: BTreeSet<&str> = orders.iter().map(|placed| placed.name.as_str()).collect();
        let gone = self.standing.iter_mut().filter(|(name, _)| !there.contains(name.as_str()));
        let gone: Vec<String> =
            gone.filter_map(|(name, standing)| standing.take_away(turn.now_ms).then(|| name.clone())).collect();
        for name in gone {
            self.tell(Some(&name), What::Removed, turn);
            turn.orders.insert(name);
        }
        // Also what waits for an order of which nothing else is known.
        let is_lost = |run: &&Run| {
            let has_order = run.order().is_none_or(|order| self.order(order).is_some());
            run.stage == Stage::Waiting && !run.resumes && !has_order
        };
        let lost: Vec<RunId> = self.queue.all().filter(is_lost).map(|run| run.id).collect();
        lost.into_iter().for_each(|run| self.drop_waiting(run, NotRun::Removed, turn));
        self.forget(turn);
        if is_first {
            let tripped = self.standing.iter().filter_map(|(name, it)| Some((name, it.tripped()?)));
            let tickets = tripped.map(|(name, tripped)| Ticket { order: name.clone(), tripped: tripped.clone() });
            turn.step.tickets.extend(tickets);
        }
    }

    fn place(&mut self, placed: &Placed, device: &Device, turn: &mut Turn<'_>) {
        let name = &placed.name;
        let standing = self.standing.entry(name.clone()).or_insert_with(|| Standing::kept(standing::Kept::default()));
        let before = standing.order.take().map(|it| it.order);
        let is_news = before.as_ref() != Some(&placed.order);
        match standing.place(placed, device, turn.now_ms) {
            Ok(has_changed) => {
                if has_changed {
                    turn.orders.insert(name.clone());
                }
                // After a start, an order that stood before is no news.
                if is_news && (before.is_some() || has_changed) {
                    self.tell(Some(name), if before.is_some() { What::Changed } else { What::Placed }, turn);
                }
            }
            Err(problems) => {
                if standing.take_away(turn.now_ms) {
                    turn.orders.insert(name.clone());
                }
                return self.tell(Some(name), What::Unfit(problems), turn);
            }
        }
        // What waits runs as the order says now.
        let waiting: Vec<RunId> =
            self.queue.of(name).filter(|run| run.stage == Stage::Waiting).map(|run| run.id).collect();
        for id in waiting {
            let is_same = self
                .queue
                .get(id)
                .is_some_and(|run| (run.mode, run.priority) == (placed.order.mode, placed.order.priority));
            if !is_same {
                self.queue.change(id, |run| (run.mode, run.priority) = (placed.order.mode, placed.order.priority));
                turn.runs.insert(id);
            }
        }
    }

    /// Forgets what is gone for long, and the oldest of too much.
    fn forget(&mut self, turn: &mut Turn<'_>) {
        let mut gone: Vec<(i64, String)> =
            self.standing.iter().filter_map(|(name, it)| Some((it.gone_ms()?, name.clone()))).collect();
        gone.sort();
        let too_many = gone.len().saturating_sub(GONE_MAX);
        for (at, (_, name)) in gone.into_iter().enumerate() {
            if at < too_many || self.standing.get(&name).is_some_and(|it| it.is_forgotten(turn.now_ms)) {
                self.standing.remove(&name);
                if self.pauses.orders.remove(&name) {
                    turn.step.changed.insert(PAUSES.to_owned(), serde_json::to_string(&self.pauses).ok());
                }
                turn.orders.insert(name);
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

    /// A run is due.
    fn fire(&mut self, origin: Origin, manner: Manner, start_ms: i64, turn: &mut Turn<'_>) {
        let Some(name) = origin.order().map(str::to_owned) else { return };
        let Some(order) = self.order(&name) else { return };
        let (mode, priority) = (order.mode, order.priority);
        if manner == Manner::Replace {
            self.make_room(&name, turn);
        }
        let run = Run {
            id: turn.shell.new_run(),
            origin,
            priority,
            mode,
            attempt: 1,
            retry_of: None,
            sequence: self.queue.end(),
            queued_ms: turn.now_ms,
            start_ms,
            until_ms: None,
            stage: Stage::Waiting,
            resumes: false,
            lost_starts: 0,
        };
        self.offer(run, turn);
    }

    /// Everything of an order that waits is dropped, and everything under way is told to stop.
    fn make_room(&mut self, name: &str, turn: &mut Turn<'_>) {
        let runs: Vec<(RunId, Stage)> = self.queue.of(name).map(|run| (run.id, run.stage)).collect();
        for (id, stage) in runs {
            match stage {
                Stage::Waiting => self.drop_waiting(id, NotRun::Replaced, turn),
                Stage::UnderWay { is_cancelled: true, .. } => {}
                Stage::UnderWay { .. } | Stage::Suspended => self.cancel(id, turn),
            }
        }
    }

    /// A run that has begun is told to stop. Its end is awaited, however far it is.
    fn cancel(&mut self, id: RunId, turn: &mut Turn<'_>) {
        let stage = Stage::UnderWay { since_ms: turn.now_ms, is_cancelled: true };
        let Some(order) = self.queue.move_to(id, stage).map(|run| run.order().map(str::to_owned)) else { return };
        turn.runs.insert(id);
        turn.step.cancel.push(id);
        self.tell(order.as_deref(), What::Cancelled { run: id }, turn);
    }

    /// Lets a new run in, and tells what became of it and of whoever had to go.
    fn offer(&mut self, run: Run, turn: &mut Turn<'_>) {
        let Run { id, origin, attempt, start_ms, .. } = run.clone();
        let order = run.order().map(str::to_owned);
        self.tell(order.as_deref(), What::Queued { run: id, origin, attempt, start_ms }, turn);
        turn.runs.insert(id);
        let dropped = match self.queue.offer(run, self.clocks.steady_ms()) {
            Offered::Taken => return,
            Offered::InPlaceOf(dropped) | Offered::Full(dropped) => dropped,
        };
        turn.runs.insert(dropped.id);
        self.tell(dropped.order(), What::NotStarted { run: dropped.id, why: NotRun::Full }, turn);
    }

    fn ask(&mut self, asked: HandRun, turn: &mut Turn<'_>) {
        let HandRun { id, mode, priority, wait_ms } = asked;
        if self.queue.get(id).is_some() {
            return;
        }
        let run = Run {
            id,
            origin: Origin::Hand,
            priority,
            mode,
            attempt: 1,
            retry_of: None,
            sequence: self.queue.end(),
            queued_ms: turn.now_ms,
            start_ms: turn.now_ms,
            until_ms: wait_ms.map(|wait_ms| turn.now_ms.saturating_add(wait_ms.max(1))),
            stage: Stage::Waiting,
            resumes: false,
            lost_starts: 0,
        };
        self.offer(run, turn);
        if self.is_draining {
            self.drop_waiting(id, NotRun::Draining, turn);
        }
    }

    fn give_up(&mut self, run: RunId, turn: &mut Turn<'_>) {
        if self.queue.get(run).is_some_and(|it| it.order().is_none()) {
            self.drop_waiting(run, NotRun::Gone, turn);
        }
    }

    fn pause(&mut self, scope: Scope, is_paused: bool, turn: &mut Turn<'_>) {
        let before = self.pauses.clone();
        let name = match scope {
            Scope::All => {
                self.pauses.all = is_paused;
                None
            }
            Scope::Order(name) if is_paused && self.standing.contains_key(&name) => {
                self.pauses.orders.insert(name.clone());
                Some(name)
            }
            Scope::Order(name) => {
                self.pauses.orders.remove(&name);
                Some(name)
            }
        };
        let mut has_changed = self.pauses != before;
        if has_changed {
            turn.step.changed.insert(PAUSES.to_owned(), serde_json::to_string(&self.pauses).ok());
        }
        if let Some((name, standing)) = name.as_ref().and_then(|name| Some((name, self.standing.get_mut(name)?)))
            && !is_paused
            && standing.reset()
        {
            turn.orders.insert(name.clone());
            has_changed = true;
        }
        if has_changed {
            // What waits may fire now.
            self.standing.values_mut().for_each(|it| it.look_soon(turn.now_ms));
            self.tell(name.as_deref(), if is_paused { What::Paused } else { What::Resumed }, turn);
        }
    }

    /// A run that waits is dropped; one that began before a reboot is told to stop.
    fn drop_waiting(&mut self, id: RunId, why: NotRun, turn: &mut Turn<'_>) {
        match self.queue.get(id) {
            Some(run) if run.stage == Stage::Waiting && run.resumes => return self.cancel(id, turn),
            Some(run) if run.stage == Stage::Waiting => {}
            _ => return,
        }
        if let Some(run) = self.queue.remove(id) {
            turn.runs.insert(id);
            self.tell(run.order(), What::NotStarted { run: id, why }, turn);
        }
    }

    fn suspend(&mut self, id: RunId, turn: &mut Turn<'_>) {
        let is_under_way = |run: &&Run| matches!(run.stage, Stage::UnderWay { .. });
        let Some(run) = self.queue.get(id).filter(is_under_way) else { return };
        let order = run.order().map(str::to_owned);
        self.queue.move_to(id, Stage::Suspended);
        turn.runs.insert(id);
        self.tell(order.as_deref(), What::Suspended { run: id }, turn);
    }

    fn end(&mut self, id: RunId, outcome: Outcome, data: Map<String, Value>, turn: &mut Turn<'_>) {
        if self.queue.get(id).is_none_or(|run| run.stage == Stage::Waiting) {
            return;
        }
        let Some(run) = self.queue.remove(id) else { return };
        turn.runs.insert(id);
        let order = run.order().map(str::to_owned);
        self.remember_end(id, turn);
        let retry = self.retry(run, outcome, turn);
        let what = What::Ended { run: id, outcome, retry: retry.as_ref().map(|retry| retry.id) };
        self.tell(order.as_deref(), what, turn);
        if let Some(retry) = retry {
            let Run { id, origin, attempt, start_ms, .. } = retry.clone();
            self.tell(order.as_deref(), What::Queued { run: id, origin, attempt, start_ms }, turn);
            turn.runs.insert(id);
            // It had its place, so it is not asked whether there is one.
            self.queue.put(retry, self.clocks.steady_ms(), 0);
        }
        if let Some(standing) = order.as_ref().and_then(|order| self.standing.get_mut(order)) {
            standing.look_soon(turn.now_ms);
        }
        self.finished(id, order.as_deref(), outcome, data, turn);
    }

    /// The run that tries again what this one was for, in its place in the line.
    fn retry(&self, run: Run, outcome: Outcome, turn: &mut Turn<'_>) -> Option<Run> {
        if matches!(run.stage, Stage::UnderWay { is_cancelled: true, .. }) {
            return None;
        }
        let order = self.order(run.order()?)?;
        let wait_ms = order.retry.as_ref()?.wait_ms(run.id, run.attempt, outcome)?;
        Some(Run {
            id: turn.shell.new_run(),
            priority: order.priority,
            mode: order.mode,
            attempt: run.attempt.saturating_add(1),
            retry_of: Some(run.id),
            queued_ms: turn.now_ms,
            start_ms: turn.now_ms.saturating_add(wait_ms),
            stage: Stage::Waiting,
            resumes: false,
            lost_starts: 0,
            ..run
        })
    }

    /// A run that did not start, or may go on after a reboot, waits again.
    fn again(&mut self, id: RunId, turn: &mut Turn<'_>) {
        let Some(run) = self.queue.get(id).filter(|run| run.stage != Stage::Waiting) else { return };
        let (order, was_lost) = (run.order().map(str::to_owned), run.stage != Stage::Suspended);
        // Whoever was told to stop, or asked for it by hand and is gone with the agent, is not started once more.
        let why = match run.stage {
            Stage::UnderWay { is_cancelled: true, .. } => Some(NotRun::Replaced),
            // A resumed one has begun, so that its end is awaited.
            Stage::UnderWay { .. } if run.resumes => None,
            Stage::UnderWay { .. } if order.is_none() => Some(NotRun::Gone),
            Stage::UnderWay { .. } if run.lost_starts.saturating_add(1) >= LOST_STARTS_MAX => {
                Some(NotRun::NeverStarted)
            }
            _ if order.as_deref().is_some_and(|order| self.is_loaded && self.order(order).is_none()) => {
                was_lost.then_some(NotRun::Removed)
            }
            _ => None,
        };
        self.queue.move_to(id, Stage::Waiting);
        if was_lost {
            self.recent.forget(id);
        }
        self.queue.change(id, |run| match was_lost {
            true => run.lost_starts = run.lost_starts.saturating_add(1),
            false => run.resumes = true,
        });
        turn.runs.insert(id);
        self.tell(order.as_deref(), What::Again { run: id }, turn);
        if let Some(why) = why {
            self.drop_waiting(id, why, turn);
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
                self.drop_waiting(id, NotRun::Refused(reason), turn);
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

    /// The order of this name that stands.
    pub fn order(&self, name: &str) -> Option<&Order> {
        self.standing.get(name)?.order.as_ref().map(|it| &it.order)
    }
}

#[cfg(test)]
mod tests;
