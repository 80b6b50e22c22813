//! Runs, from when they are due until they have ended.

use model::{Outcome, RunId};
use serde_json::{Map, Value};

use super::{Dispatcher, HandRun, LOST_STARTS_MAX, Turn, What};
use crate::queue::Offered;
use crate::{Manner, NotRun, Origin, Run, Stage};

impl Dispatcher {
    /// A run is due.
    pub(super) fn fire(&mut self, origin: Origin, manner: Manner, start_ms: i64, turn: &mut Turn<'_>) {
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
        self.tell_queued(&run, turn);
        let dropped = match self.queue.offer(run, self.clocks.steady_ms()) {
            Offered::Taken => return,
            Offered::InPlaceOf(dropped) | Offered::Full(dropped) => dropped,
        };
        turn.runs.insert(dropped.id);
        self.tell(dropped.order(), What::NotStarted { run: dropped.id, why: NotRun::Full }, turn);
    }

    pub(super) fn ask(&mut self, asked: HandRun, turn: &mut Turn<'_>) {
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

    pub(super) fn give_up(&mut self, run: RunId, turn: &mut Turn<'_>) {
        if self.queue.get(run).is_some_and(|it| it.order().is_none()) {
            self.drop_waiting(run, NotRun::Gone, turn);
        }
    }

    /// A run that waits is dropped; one that began before a reboot is told to stop.
    pub(super) fn drop_waiting(&mut self, id: RunId, why: NotRun, turn: &mut Turn<'_>) {
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

    pub(super) fn suspend(&mut self, id: RunId, turn: &mut Turn<'_>) {
        let is_under_way = |run: &&Run| matches!(run.stage, Stage::UnderWay { .. });
        let Some(run) = self.queue.get(id).filter(is_under_way) else { return };
        let order = run.order().map(str::to_owned);
        self.queue.move_to(id, Stage::Suspended);
        turn.runs.insert(id);
        self.tell(order.as_deref(), What::Suspended { run: id }, turn);
    }

    fn tell_queued(&mut self, run: &Run, turn: &mut Turn<'_>) {
        let &Run { id, attempt, start_ms, .. } = run;
        turn.runs.insert(id);
        self.tell(run.order(), What::Queued { run: id, origin: run.origin.told(), attempt, start_ms }, turn);
    }

    pub(super) fn end(&mut self, id: RunId, outcome: Outcome, data: Map<String, Value>, turn: &mut Turn<'_>) {
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
            self.tell_queued(&retry, turn);
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
    pub(super) fn again(&mut self, id: RunId, turn: &mut Turn<'_>) {
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
}
