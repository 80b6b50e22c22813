//! Runs that ended, numbered, for whoever traces and counts them: the latest, in memory.

use std::collections::{BTreeMap, VecDeque};

use model::{Outcome, RunId};
use store::Store;

use crate::agent::network::trace::{Ended, RunTrace};

/// How many are remembered. Whoever asks less often than these end loses some, and is told how many.
const REMEMBERED: usize = 1_000;

/// How many are told at once: each may have some hundred calls.
const AT_ONCE: usize = 50;

/// Runs that ended since this process began.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// The number of the first that is remembered.
    first: u64,
    ended: VecDeque<RunId>,
    /// How many ended so.
    pub(super) by_outcome: BTreeMap<String, u64>,
}

impl Traces {
    pub(super) fn ended(&mut self, run: RunId, outcome: Outcome) {
        *self.by_outcome.entry(outcome.to_string()).or_default() += 1;
        if self.ended.len() >= REMEMBERED {
            self.ended.pop_front();
            self.first += 1;
        }
        self.ended.push_back(run);
    }

    /// Those after a place; without one only the place.
    pub(super) fn after(&self, after: Option<u64>, store: &Store) -> Result<Ended, store::Error> {
        let end = self.first + u64::try_from(self.ended.len()).unwrap_or(u64::MAX);
        let Some(after) = after else { return Ok(Ended { next: end, ..Ended::default() }) };
        // A place of an earlier process is before all of them, or behind: then it begins anew.
        let from = if after > end { self.first } else { after.max(self.first) };
        let skip = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let (mut runs, mut next) = (Vec::new(), from);
        for run in self.ended.iter().skip(skip).take(AT_ONCE) {
            next += 1;
            runs.extend(RunTrace::of(&store.events(*run)?));
        }
        Ok(Ended { next, runs, lost: if after > end { 0 } else { from - after } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_too_late_is_told_how_many_are_lost() {
        let (mut traces, store) = (Traces::default(), Store::in_memory().unwrap());
        let place = |traces: &Traces, after| {
            let it = traces.after(after, &store).unwrap();
            (it.next, it.lost)
        };
        assert_eq!(place(&traces, None), (0, 0));
        for _ in 0..REMEMBERED + 5 {
            traces.ended(RunId::new(), Outcome::Completed);
        }
        assert_eq!(place(&traces, None), (1_005, 0));
        assert_eq!(place(&traces, Some(0)), (55, 5));
        assert_eq!(place(&traces, Some(1_000)), (1_005, 0));
        assert_eq!(place(&traces, Some(9_999)), (55, 0), "of an earlier process");
        assert_eq!(traces.by_outcome["completed"], 1_005);
    }
}
