//! The one queue in which all runs of a device meet. `DISPATCH.md` beside this crate says who goes first, and who goes when it
//! is full.

mod run;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::RunId;

use crate::{Occupancy, Priority};

pub use self::run::{NotRun, Origin, Run, Stage};

/// How much waiting makes up for one step of priority.
const RISE_MS: i64 = 600_000;

/// How many runs there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most that wait.
    pub waiting_max: usize,
    /// The most that look at the device at once.
    pub looking_max: usize,
}

impl Default for Limits {
    /// What piles up beyond a thousand is not caught up in a day. Four runs that look keep a small machine busy.
    fn default() -> Self {
        Self { waiting_max: 1_000, looking_max: 4 }
    }
}

/// All runs that wait, are under way or wait for a reboot.
///
/// It measures by a clock that nobody sets, in milliseconds since some moment: who is to wait for five minutes does so, however
/// the time of day is set meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    limits: Limits,
    runs: BTreeMap<u64, Slot>,
    sequences: BTreeMap<RunId, u64>,
    /// The runs of each order, in their order. Those by hand have none.
    lines: BTreeMap<String, BTreeSet<u64>>,
    by_hand: BTreeSet<u64>,
    waiting: usize,
    looking: usize,
    changing: usize,
}

#[derive(Clone, Debug)]
struct Slot {
    run: Run,
    /// From when on, and until when, it may start.
    from: i64,
    until: Option<i64>,
}

/// What became of a run that asked to be let in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Offered {
    /// It waits.
    Taken,
    /// It waits, and this one was dropped for it.
    InPlaceOf(Box<Run>),
    /// It is not taken: what waits is more important, or waited before.
    Full(Box<Run>),
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            runs: BTreeMap::new(),
            sequences: BTreeMap::new(),
            lines: BTreeMap::new(),
            by_hand: BTreeSet::new(),
            waiting: 0,
            looking: 0,
            changing: 0,
        }
    }

    /// The place behind all others.
    pub(crate) fn end(&self) -> u64 {
        self.runs.keys().next_back().map_or(0, |last| last + 1)
    }

    /// Lets a new run in, or says that the queue is full. What an order is dropped for is more important. Nothing is dropped
    /// for a run by hand, whose asker can ask again, and no run by hand is dropped.
    pub(crate) fn offer(&mut self, run: Run, steady_ms: i64) -> Offered {
        if self.waiting < self.limits.waiting_max {
            self.put(run, steady_ms, 0);
            return Offered::Taken;
        }
        let is_by_hand = run.order().is_none();
        match self.least().filter(|least| !is_by_hand && least.priority < run.priority).map(|least| least.id) {
            Some(least) => {
                let dropped = self.remove(least);
                self.put(run, steady_ms, 0);
                dropped.map_or(Offered::Taken, |dropped| Offered::InPlaceOf(Box::new(dropped)))
            }
            None => Offered::Full(Box::new(run)),
        }
    }

    /// The least important run of any order that waits; of several, the one that came last.
    fn least(&self) -> Option<&Run> {
        let waiting = self.runs.values().map(|slot| &slot.run).filter(|run| run.stage == Stage::Waiting);
        waiting
            .filter(|run| run.order().is_some() && !run.resumes)
            .min_by_key(|run| (run.priority, Reverse(run.sequence)))
    }

    /// Takes a run in, however full it is, that has waited for so long: one that was there before the agent was started anew, or
    /// is tried again.
    pub(crate) fn put(&mut self, mut run: Run, steady_ms: i64, waited_ms: i64) {
        self.remove(run.id);
        if self.runs.contains_key(&run.sequence) {
            run.sequence = self.end();
        }
        let (id, sequence) = (run.id, run.sequence);
        match run.order() {
            Some(order) => self.lines.entry(order.to_owned()).or_default().insert(sequence),
            None => self.by_hand.insert(sequence),
        };
        self.sequences.insert(id, sequence);
        let queued = steady_ms.saturating_sub(waited_ms);
        let after = |ms: i64| queued.saturating_add(ms.saturating_sub(run.queued_ms).max(0));
        // Whoever has waited for longer than any priority is worth is first, and no clock that was set makes it more.
        let from = after(run.start_ms).max(steady_ms.saturating_sub(3 * RISE_MS));
        let slot = Slot { from, until: run.until_ms.map(after), run };
        self.count(&slot.run, true);
        self.runs.insert(sequence, slot);
    }

    pub(crate) fn remove(&mut self, id: RunId) -> Option<Run> {
        let sequence = self.sequences.remove(&id)?;
        let Slot { run, .. } = self.runs.remove(&sequence)?;
        self.count(&run, false);
        self.by_hand.remove(&sequence);
        if let Some(order) = run.order()
            && let Some(line) = self.lines.get_mut(order)
        {
            line.remove(&sequence);
            if line.is_empty() {
                self.lines.remove(order);
            }
        }
        Some(run)
    }

    pub(crate) fn get(&self, id: RunId) -> Option<&Run> {
        self.sequences.get(&id).and_then(|sequence| self.runs.get(sequence)).map(|slot| &slot.run)
    }

    /// Puts a run into another stage.
    pub(crate) fn move_to(&mut self, id: RunId, stage: Stage) -> Option<&Run> {
        let sequence = *self.sequences.get(&id)?;
        let before = self.runs.get(&sequence)?.run.clone();
        self.count(&before, false);
        let slot = self.runs.get_mut(&sequence)?;
        slot.run.stage = stage;
        let after = slot.run.clone();
        self.count(&after, true);
        self.get(id)
    }

    /// Changes what a run that waits would be now, such as because its order was changed.
    pub(crate) fn change(&mut self, id: RunId, change: impl FnOnce(&mut Run)) -> Option<&Run> {
        let sequence = *self.sequences.get(&id)?;
        change(&mut self.runs.get_mut(&sequence)?.run);
        self.get(id)
    }

    fn count(&mut self, run: &Run, is_more: bool) {
        let counter = match run.stage {
            Stage::Waiting => &mut self.waiting,
            Stage::UnderWay { .. } if run.changes() => &mut self.changing,
            Stage::UnderWay { .. } => &mut self.looking,
            Stage::Suspended => return,
        };
        *counter = if is_more { counter.saturating_add(1) } else { counter.saturating_sub(1) };
    }

    /// Who would start now. Only who is first may, so whoever waits for the machine to be free gets it: nobody goes past.
    pub(crate) fn next(&self, steady_ms: i64) -> Option<RunId> {
        let first = self.first(steady_ms)?;
        let is_free = match first.changes() {
            true => self.looking == 0,
            false => self.looking < self.limits.looking_max,
        };
        (self.changing == 0 && is_free).then_some(first.id)
    }

    /// Who is first of those that need nothing but the machine.
    fn first(&self, steady_ms: i64) -> Option<&Run> {
        let ready = self.fronts().filter(|slot| slot.from <= steady_ms);
        let rise = |priority: Priority| match priority {
            Priority::Low => 0,
            Priority::Normal => RISE_MS,
            Priority::High => 2 * RISE_MS,
        };
        let key = |slot: &&Slot| (slot.from.saturating_sub(rise(slot.run.priority)), slot.run.sequence);
        ready.min_by_key(key).map(|slot| &slot.run)
    }

    /// The first of each order's line, where that one waits, and all by hand that wait.
    fn fronts(&self) -> impl Iterator<Item = &Slot> {
        let first = self.lines.values().filter_map(BTreeSet::first);
        let slots = first.chain(&self.by_hand).filter_map(|sequence| self.runs.get(sequence));
        slots.filter(|slot| slot.run.stage == Stage::Waiting)
    }

    /// Those that have waited longer than they may.
    pub(crate) fn overdue(&self, steady_ms: i64) -> Vec<RunId> {
        let waiting = self.runs.values().filter(|slot| slot.run.stage == Stage::Waiting);
        let is_over = |slot: &&Slot| !slot.run.resumes && slot.until.is_some_and(|until| until <= steady_ms);
        waiting.filter(is_over).map(|slot| slot.run.id).collect()
    }

    /// When one of them may start that may not now, or has waited too long.
    pub(crate) fn wake(&self, steady_ms: i64) -> Option<i64> {
        let waiting = self.runs.values().filter(|slot| slot.run.stage == Stage::Waiting);
        let times = waiting.flat_map(|slot| [Some(slot.from), slot.until]).flatten();
        times.filter(|&time| time > steady_ms).min()
    }

    /// Whether runs of an order are under way or wait.
    pub(crate) fn occupancy(&self, order: &str) -> Occupancy {
        let mut occupancy = Occupancy::Idle;
        for run in self.of(order) {
            match run.stage {
                Stage::Waiting => return Occupancy::Waiting,
                Stage::UnderWay { .. } | Stage::Suspended => occupancy = Occupancy::Running,
            }
        }
        occupancy
    }

    /// The runs of an order, in their order.
    pub(crate) fn of(&self, order: &str) -> impl Iterator<Item = &Run> {
        let line = self.lines.get(order).into_iter().flatten();
        line.filter_map(|sequence| self.runs.get(sequence)).map(|slot| &slot.run)
    }

    /// What was asked for by hand and waits.
    pub(crate) fn waiting_by_hand(&self) -> impl Iterator<Item = RunId> {
        let runs = self.by_hand.iter().filter_map(|sequence| self.runs.get(sequence)).map(|slot| &slot.run);
        runs.filter(|run| run.stage == Stage::Waiting).map(|run| run.id)
    }

    /// All runs, in the order of their places.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().map(|slot| &slot.run)
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.looking + self.changing
    }
}
