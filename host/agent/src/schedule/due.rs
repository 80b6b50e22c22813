//! One look at the clock: what is due, and what is not to be.

use std::collections::BTreeMap;

use crate::schedule::Verdict;
use crate::{Cause, Decision, Firing, GRACE_MS, Manner, Misfire, NotFired, Reason, Schedule, State};

/// How many missed firings are looked at one by one, the latest of those that no jitter can have put off until now. What lies
/// further back is only counted.
const LOOKED_AT_MAX: u64 = 1_000;

/// How far back missed firings are counted: a hundred years, more than a broken clock's 1970 and some.
const COUNTED_MS_MAX: i64 = 36_525 * 86_400_000;

/// Later than that, it is a clock that is wrong, and calendars end: the year 4900.
pub(crate) const NOW_MS_MAX: i64 = 92_460_000_000_000;

/// By how much two clocks may differ without one having been set, beside a thousandth of the time that they ran.
const CLOCK_TOLERANCE_MS: i64 = 1_000;

/// What is handed in with each look.
#[derive(Clone, Debug)]
pub struct Look {
    /// The time of day; milliseconds since 1970.
    pub now_ms: i64,
    /// How long it is since the last look, by clocks that nobody sets; nothing, where there was no last look since the agent
    /// started.
    pub elapsed: Option<Elapsed>,
    /// Whether runs of this order are under way or wait.
    pub occupancy: Occupancy,
    /// Whether somebody has paused this order, or all.
    pub is_paused: bool,
}

/// How long it is since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    /// While the machine was awake (on Linux: `CLOCK_MONOTONIC`); milliseconds.
    pub awake_ms: i64,
    /// While it was suspended (what `CLOCK_BOOTTIME` has more); milliseconds.
    pub asleep_ms: i64,
}

/// Runs of the same order that began before, whatever triggered them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupancy {
    /// There are none.
    Idle,
    /// One is under way.
    Running,
    /// At least one waits, for others or for its `start_ms`; whether or not another is under way.
    Waiting,
}

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// In the order of their times. Those that are fired are to be started in this order.
    pub decisions: Vec<Decision>,
    /// By how many milliseconds the clock was set since the last look; forward is positive. After a restart, only what was set
    /// back is known.
    pub clock_set_ms: Option<i64>,
}

/// A firing of the pattern that was due since the last look.
struct Due {
    nominal_ms: i64,
    due_ms: i64,
}

impl Schedule {
    /// Decides everything that became due since the last look. A firing is decided once, and fired at most once, however often
    /// the agent restarts and the clock is set; see `SCHEDULES.md`.
    pub fn due(&self, state: &mut State, look: &Look) -> Seen {
        let now_ms = look.now_ms.clamp(0, NOW_MS_MAX);
        let clock_set_ms = clock_set(state.looked_ms, now_ms, look.elapsed);
        if now_ms < state.looked_ms {
            state.looked_ms = now_ms;
            state.passed_ms = None;
            return Seen { decisions: Vec::new(), clock_set_ms };
        }
        let mut book = Book::new(cause(state.looked_ms, now_ms, look.elapsed));
        let (missed, ready) = self.sort_out(state, now_ms, &mut book);
        let late = self.catch_up(missed, ready.is_empty(), now_ms, &mut book);
        self.start(late, ready, look, now_ms, state, &mut book);
        state.looked_ms = now_ms;
        Seen { decisions: book.into_decisions(), clock_set_ms }
    }

    /// What was missed and what is on time, of all that nothing speaks against.
    fn sort_out(&self, state: &mut State, now_ms: i64, book: &mut Book) -> (Vec<Due>, Vec<Due>) {
        let (mut missed, mut ready) = (Vec::new(), Vec::new());
        let mut last = self.count_old(state, now_ms, book);
        let mut verdicts = self.verdicts();
        while let Some(nominal_ms) = self.nominal.next_after(last).filter(|&nominal_ms| nominal_ms <= now_ms) {
            if let Some(end) = state.done.end_of(nominal_ms) {
                last = end.min(now_ms);
                continue;
            }
            let Verdict { due_ms, refused } = verdicts.of(nominal_ms);
            if due_ms > now_ms {
                break;
            }
            last = nominal_ms;
            // The clock was set back, or the order changed: that was before the last look.
            if due_ms <= state.looked_ms {
                continue;
            }
            let is_late = now_ms - due_ms >= GRACE_MS;
            let due = Due { nominal_ms, due_ms };
            match refused {
                Some(reason) => {
                    book.tally(reason, nominal_ms);
                    if !is_late {
                        self.settle(nominal_ms, state, now_ms);
                    }
                }
                None if is_late => missed.push(due),
                None => ready.push(due),
            }
        }
        state.passed_ms = Some(last);
        (missed, ready)
    }

    /// Up to where all is decided: by the last look, or because it is too far back to be looked at, and is counted here.
    fn count_old(&self, state: &State, now_ms: i64, book: &mut Book) -> i64 {
        let begin_ms = state.looked_ms.saturating_sub(self.jitter_ms).max(now_ms - COUNTED_MS_MAX);
        let begin_ms = state.passed_ms.unwrap_or(begin_ms).max(begin_ms);
        // What is younger may still be to come, or on time, because of jitter.
        let old_ms = now_ms - self.jitter_ms - GRACE_MS - 1_000;
        // No pattern has more than one firing a minute.
        if u64::try_from((old_ms - begin_ms) / 60_000).unwrap_or(0) < LOOKED_AT_MAX {
            return begin_ms;
        }
        let after_ms = self.skip_seen(begin_ms, state, old_ms);
        let end_ms = self.nominal.start_of_latest(LOOKED_AT_MAX, after_ms, old_ms);
        for hole in state.done.between(after_ms, end_ms) {
            for (reason, (after_ms, until_ms)) in self.by_validity(hole, &book.misfire) {
                let count = self.nominal.count(after_ms, until_ms);
                if let Some(first_ms) = self.nominal.next_after(after_ms).filter(|_| count > 0) {
                    let last_ms = self.nominal.start_of_latest(0, after_ms, until_ms);
                    book.tally_many(reason, NotFiredRange { count, first_ms, last_ms });
                }
            }
        }
        end_ms
    }

    /// Past the firings that were due before the last look.
    fn skip_seen(&self, after_ms: i64, state: &State, until_ms: i64) -> i64 {
        let (mut last, mut verdicts) = (after_ms, self.verdicts());
        while let Some(nominal_ms) = self.nominal.next_after(last).filter(|&nominal_ms| nominal_ms <= until_ms) {
            if let Some(end) = state.done.end_of(nominal_ms) {
                last = end.min(until_ms);
            } else if verdicts.of(nominal_ms).due_ms <= state.looked_ms {
                last = nominal_ms;
            } else {
                break;
            }
        }
        last
    }

    /// What is run of that which was missed.
    fn catch_up(&self, mut missed: Vec<Due>, is_idle_now: bool, now_ms: i64, book: &mut Book) -> Vec<Due> {
        let is_near = |within_ms: i64| missed.last().is_some_and(|due| now_ms - due.due_ms <= within_ms);
        let runs = match self.misfire {
            Misfire::Skip => 0,
            Misfire::RunOnce => usize::from(is_idle_now),
            Misfire::RunOnceIfWithin(within_ms) => usize::from(is_idle_now && is_near(within_ms)),
            Misfire::RunAll(runs) => usize::try_from(runs).unwrap_or(usize::MAX),
        };
        let late = missed.split_off(missed.len().saturating_sub(runs));
        for due in missed {
            book.tally(book.misfire.clone(), due.nominal_ms);
        }
        late
    }

    /// Starts what may start. What is caught up and the first firing that is on time are one as far as overlaps are concerned.
    fn start(&self, late: Vec<Due>, ready: Vec<Due>, look: &Look, now_ms: i64, state: &mut State, book: &mut Book) {
        // Devices that were missing together come back together.
        let late_start_ms = self.verdicts().spread(now_ms);
        let refused = late_start_ms.clone().err().or(look.is_paused.then_some(Reason::Paused));
        let mut occupancy = look.occupancy;
        let late_count = late.len();
        // How the batch of late ones and the first on time is started; nothing, where it is not.
        let mut batch = None;
        for (at, due) in late.into_iter().chain(ready).enumerate() {
            let is_late = at < late_count;
            let decided = match &refused {
                Some(reason) => Err(reason.clone()),
                None if at == 0 || at > late_count => self.overlap.meet(occupancy),
                None => batch.map(|_| Manner::Queue).ok_or(Reason::Overlap),
            };
            if at == 0 {
                batch = decided.as_ref().ok().copied();
            }
            if !is_late || decided.is_ok() {
                self.settle(due.nominal_ms, state, now_ms);
            }
            match decided {
                Ok(manner) => {
                    let is_first = occupancy == Occupancy::Idle || manner == Manner::Replace;
                    occupancy = if is_first { Occupancy::Running } else { Occupancy::Waiting };
                    let Due { nominal_ms, due_ms } = due;
                    let start_ms = late_start_ms.clone().ok().filter(|_| is_late).unwrap_or(due_ms);
                    book.fired.push(Firing { nominal_ms, due_ms, start_ms, is_late, manner });
                }
                Err(reason) => book.tally(reason, due.nominal_ms),
            }
        }
    }

    /// It never comes again.
    fn settle(&self, nominal_ms: i64, state: &mut State, now_ms: i64) {
        state.done.add(nominal_ms, now_ms, |last| self.nominal.next_after(last));
    }
}

/// By how much the clock was set, where it was.
pub(crate) fn clock_set(looked_ms: i64, now_ms: i64, elapsed: Option<Elapsed>) -> Option<i64> {
    let wall_ms = now_ms.saturating_sub(looked_ms);
    let Some(Elapsed { awake_ms, asleep_ms }) = elapsed else { return (wall_ms < 0).then_some(wall_ms) };
    let real_ms = awake_ms.saturating_add(asleep_ms);
    let by_ms = wall_ms.saturating_sub(real_ms);
    (by_ms.saturating_abs() > CLOCK_TOLERANCE_MS + real_ms / 1_000).then_some(by_ms)
}

/// What took most of the time since the last look.
fn cause(looked_ms: i64, now_ms: i64, elapsed: Option<Elapsed>) -> Cause {
    let Some(Elapsed { awake_ms, asleep_ms }) = elapsed else { return Cause::NotRunning };
    let set_ms = now_ms.saturating_sub(looked_ms).saturating_sub(awake_ms).saturating_sub(asleep_ms);
    if set_ms >= awake_ms && set_ms >= asleep_ms {
        Cause::ClockSet
    } else if asleep_ms >= awake_ms {
        Cause::Suspended
    } else {
        Cause::Busy
    }
}

/// So many firings, from one to another.
struct NotFiredRange {
    count: u64,
    first_ms: i64,
    last_ms: i64,
}

/// What a look has decided so far.
struct Book {
    misfire: Reason,
    fired: Vec<Firing>,
    not_fired: BTreeMap<Reason, NotFiredRange>,
}

impl Book {
    fn new(cause: Cause) -> Self {
        Self { misfire: Reason::Misfire { cause }, fired: Vec::new(), not_fired: BTreeMap::new() }
    }

    fn tally(&mut self, reason: Reason, nominal_ms: i64) {
        self.tally_many(reason, NotFiredRange { count: 1, first_ms: nominal_ms, last_ms: nominal_ms });
    }

    fn tally_many(&mut self, reason: Reason, more: NotFiredRange) {
        let all = self.not_fired.entry(reason).or_insert(NotFiredRange { count: 0, ..more });
        all.count += more.count;
        all.first_ms = all.first_ms.min(more.first_ms);
        all.last_ms = all.last_ms.max(more.last_ms);
    }

    fn into_decisions(self) -> Vec<Decision> {
        let not_fired = self.not_fired.into_iter().map(|(reason, NotFiredRange { count, first_ms, last_ms })| {
            (first_ms, Decision::NotFired(NotFired { reason, count, first_ms, last_ms }))
        });
        let fired = self.fired.into_iter().map(|firing| (firing.nominal_ms, Decision::Fire(firing)));
        let mut all: Vec<_> = not_fired.chain(fired).collect();
        all.sort_by_key(|(at_ms, _)| *at_ms);
        all.into_iter().map(|(_, decision)| decision).collect()
    }
}
