//! Runs of ours of late, for whoever asks what brought something about.

use std::collections::VecDeque;

use model::RunId;

use crate::{Origin, RecentRun, Run, Stage, Touched};

/// How long a run that ended is remembered. No source takes as long to notice what it did.
const RECENT_MS: i64 = 86_400_000;

/// The most that are remembered, those with effects and those without apart: a thousand runs a second that change nothing drive
/// none out that did.
const RECENT_MAX: usize = 128;

/// The most effects of one run that are remembered: whoever changes more has changed it by then.
const TOUCHED_MAX: usize = 256;

/// Runs that are under way, and those that ended of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    /// In the order of their starts.
    runs: Vec<RecentRun>,
    /// In the order of their ends.
    ended: VecDeque<RunId>,
    ended_with_effects: VecDeque<RunId>,
}

impl Recent {
    pub(super) fn all(&self) -> &[RecentRun] {
        &self.runs
    }

    pub(super) fn get(&self, id: RunId) -> Option<&RecentRun> {
        self.runs.iter().rev().find(|run| run.run == id)
    }

    fn get_mut(&mut self, id: RunId) -> Option<&mut RecentRun> {
        self.runs.iter_mut().rev().find(|run| run.run == id)
    }

    /// A run begins, or goes on.
    pub(super) fn begin(&mut self, run: &Run, now_ms: i64) {
        if self.get(run.id).is_some() {
            return;
        }
        let start_ms = match run.stage {
            Stage::UnderWay { since_ms, .. } => since_ms,
            Stage::Waiting | Stage::Suspended => now_ms,
        };
        let chain = match &run.origin {
            Origin::Event { event, .. } => event.chain.clone(),
            Origin::Hand | Origin::Schedule { .. } | Origin::Once { .. } => Vec::new(),
        };
        let order = run.order().map(str::to_owned);
        self.runs.push(RecentRun { run: run.id, order, start_ms, end_ms: None, chain, effects: Vec::new() });
    }

    /// A run changed something. What it changed is known before it has ended, because that is when it is noticed.
    pub(super) fn touch(&mut self, id: RunId, touched: Vec<Touched>) {
        let Some(run) = self.get_mut(id) else { return };
        for mut touched in touched {
            if run.effects.contains(&touched) {
                continue;
            }
            let is_it =
                |it: &Touched| it.is_open() && (&it.interface, &it.target) == (&touched.interface, &touched.target);
            // What was announced is done.
            if let Some(announced) = run.effects.iter_mut().find(|it| is_it(it)) {
                *announced = touched;
                continue;
            }
            if run.effects.len() >= TOUCHED_MAX {
                // It changed more, and nobody keeps what: anything of that kind may have been it.
                (touched.target, touched.at) = (String::new(), None);
            }
            if !run.effects.contains(&touched) {
                run.effects.push(touched);
            }
        }
    }

    /// A run did not begin after all.
    pub(super) fn forget(&mut self, id: RunId) {
        self.runs.retain(|run| run.run != id);
    }

    /// A run ended. Which ones are forgotten for it.
    pub(super) fn end(&mut self, id: RunId, now_ms: i64) -> Vec<RunId> {
        let Some(run) = self.get_mut(id) else { return Vec::new() };
        run.end_ms = Some(now_ms);
        let line = if run.effects.is_empty() { &mut self.ended } else { &mut self.ended_with_effects };
        line.push_back(id);
        let mut gone = Vec::new();
        for line in [&mut self.ended, &mut self.ended_with_effects] {
            while line.len() > RECENT_MAX {
                gone.extend(line.pop_front());
            }
            let runs = &self.runs;
            let is_old = |id: &RunId| {
                let run = runs.iter().find(|run| run.run == *id);
                run.and_then(|run| run.end_ms).is_none_or(|end_ms| now_ms.saturating_sub(end_ms) > RECENT_MS)
            };
            while line.front().is_some_and(is_old) {
                gone.extend(line.pop_front());
            }
        }
        self.runs.retain(|run| !gone.contains(&run.run));
        gone
    }

    /// One that ended before the agent was started.
    pub(super) fn take_back(&mut self, run: RecentRun) {
        let line = if run.effects.is_empty() { &mut self.ended } else { &mut self.ended_with_effects };
        line.push_back(run.run);
        self.runs.push(run);
    }

    /// After all were taken back, in whatever order.
    pub(super) fn sort(&mut self) {
        self.runs.sort_by_key(|run| run.start_ms);
        let ended_ms = |id: &RunId| self.runs.iter().find(|run| run.run == *id).and_then(|run| run.end_ms);
        for line in [&mut self.ended, &mut self.ended_with_effects] {
            line.make_contiguous().sort_by_key(ended_ms);
        }
    }
}
