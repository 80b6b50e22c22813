//! Telling what did not fire: the first at once, and what follows for the same reason together, once a minute. A log that is noisy
//! has ten thousand lines a second, and whoever asks why wants one.

use super::state::{RuleState, Tally};
use super::{RuleDecision, Unfired};
use crate::Reason;

/// How often one reason is told.
const EVERY_MS: i64 = 60_000;

impl RuleState {
    /// Something did not fire, and does not later either.
    pub(super) fn tell(
        &mut self,
        reason: Reason,
        (count, first_ms, last_ms): (u64, i64, i64),
        out: &mut Vec<RuleDecision>,
    ) {
        let real_ms = self.real_ms;
        let Some(tally) = self.tallies.iter_mut().find(|it| it.reason.code() == reason.code()) else {
            out.push(not_fired(reason.clone(), count, (first_ms, last_ms)));
            self.tallies.push(Tally { reason, count: 0, first_ms, last_ms, told_ms: real_ms });
            return;
        };
        if tally.count == 0 {
            (tally.first_ms, tally.last_ms) = (first_ms, last_ms);
        }
        tally.reason = reason;
        tally.count = tally.count.saturating_add(count);
        tally.first_ms = tally.first_ms.min(first_ms);
        tally.last_ms = tally.last_ms.max(last_ms);
    }

    /// Tells what has not been told for a minute.
    pub(super) fn tell_rest(&mut self, out: &mut Vec<RuleDecision>) {
        let real_ms = self.real_ms;
        self.tallies.retain_mut(|tally| {
            if real_ms.saturating_sub(tally.told_ms) < EVERY_MS {
                return true;
            }
            if tally.count == 0 {
                return false;
            }
            out.push(not_fired(tally.reason.clone(), tally.count, (tally.first_ms, tally.last_ms)));
            (tally.count, tally.told_ms) = (0, real_ms);
            true
        });
    }

    /// How long until something is to be told.
    pub(super) fn rest_in_ms(&self) -> Option<i64> {
        let waiting = self.tallies.iter().filter(|tally| tally.count > 0);
        waiting.map(|tally| tally.told_ms.saturating_add(EVERY_MS).saturating_sub(self.real_ms)).min()
    }
}

fn not_fired(reason: Reason, count: u64, (first_ms, last_ms): (i64, i64)) -> RuleDecision {
    RuleDecision::NotFired(Unfired { reason, count, first_ms, last_ms, is_waiting: false })
}
