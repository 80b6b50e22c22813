//! What becomes of what was noticed, and of timers that have come.

use serde_json::{Map, Value};

use super::cause::{CHAIN_MAX, RecentRun, attributions};
use super::gate::Moment;
use super::state::{self, Burst, Kept, LEVELS_BYTES_MAX, Level, RuleState, SUBJECTS_MAX, Stage};
use super::{Rule, RuleDecision, TripReason, Unfired};
use crate::schedule::NOW_MS_MAX;
use crate::{Change, Look, Notice, Reason, Watch};

/// How long after the agent's start a source may take to raise what holds: one that asks a package manager takes minutes.
const CONFIRM_MS: i64 = 600_000;

/// A burst counts at last after so many times its quiet.
const BURST_FACTOR: i64 = 10;

/// What is handed in with each notice and each look.
#[derive(Clone, Debug)]
pub struct RuleLook<'a> {
    /// As for schedules: the time, how long it is since this rule's last look, what runs, whether the order is paused.
    pub look: Look,
    /// What a filter sees as `device`: id, client, site, tags, os.
    pub facts: &'a Map<String, Value>,
    /// Runs of ours that are under way, or ended in the last day, whatever started them.
    pub runs: &'a [RecentRun],
}

impl Rule {
    /// Decides what becomes of something that was noticed, and of timers that have come before it.
    pub fn notice(&self, state: &mut RuleState, notice: &Notice, look: &RuleLook<'_>) -> Vec<RuleDecision> {
        let mut now = self.begin(state, look);
        self.come(state, &mut now);
        match notice.change {
            Change::Raised => self.raised(state, notice, &mut now),
            Change::Cleared => self.cleared(state, notice, &mut now),
            Change::Happened => self.happened(state, notice, &mut now),
        }
        self.come(state, &mut now);
        state.tell_rest(&mut now.out);
        now.out
    }

    /// Decides what timers that have come bring. It is to be called when [`Rule::wake_ms`] says so, after the agent's start, after
    /// a resume, when the clock was set, when a run of the order ended, and when the order goes on after a pause.
    pub fn look(&self, state: &mut RuleState, look: &RuleLook<'_>) -> Vec<RuleDecision> {
        let mut now = self.begin(state, look);
        self.come(state, &mut now);
        state.tell_rest(&mut now.out);
        now.out
    }

    /// When to look again; nothing, where no time brings anything. At the latest a minute later, where something waits for a run
    /// or a pause to end.
    pub fn wake_ms(&self, state: &RuleState, now_ms: i64) -> Option<i64> {
        let mut waits: Vec<i64> = state.rest_in_ms().into_iter().collect();
        for level in &state.levels {
            match level.stage {
                _ if !level.is_confirmed => {
                    waits.push(state.started_ms.saturating_add(CONFIRM_MS).saturating_sub(state.awake_ms));
                }
                Stage::Holding => waits.push(self.holds_in_ms(state, level)),
                Stage::Due => {
                    waits.extend(self.place_in_ms(state, level.told.as_deref()).or_else(|| self.again_in_ms(state)));
                }
                Stage::InBurst | Stage::Done => {}
            }
        }
        if let Some(burst) = &state.burst {
            match self.counts_in_ms(state, burst) {
                left_ms if left_ms > 0 => waits.push(left_ms),
                _ => {
                    waits.extend(self.place_in_ms(state, burst.told.as_deref()).or_else(|| self.again_in_ms(state)));
                }
            }
        }
        // The clock may have been set back since the last look.
        let from_ms = state.looked_ms.min(now_ms);
        waits.into_iter().min().map(|wait_ms| from_ms.saturating_add(wait_ms.max(1)))
    }

    /// Clocks go on: those of the rule as much as time went by, whatever the one on the wall says.
    fn begin<'a>(&self, state: &mut RuleState, look: &'a RuleLook<'a>) -> Moment<'a> {
        let now_ms = look.look.now_ms.clamp(0, NOW_MS_MAX);
        match look.look.elapsed {
            Some(elapsed) => {
                let awake_ms = elapsed.awake_ms.max(0);
                state.awake_ms = state.awake_ms.saturating_add(awake_ms);
                state.real_ms = state.real_ms.saturating_add(awake_ms).saturating_add(elapsed.asleep_ms.max(0));
            }
            None => {
                let away_ms = now_ms.saturating_sub(state.looked_ms).max(0);
                state.real_ms = state.real_ms.saturating_add(away_ms);
                state.watch_anew();
                for level in &mut state.levels {
                    level.unseen_ms = level.unseen_ms.saturating_add(away_ms);
                }
            }
        }
        state.looked_ms = now_ms;
        if state.watched != self.watched {
            state.watched.clone_from(&self.watched);
            state.levels.clear();
            state.burst = None;
        }
        Moment { look, occupancy: look.look.occupancy, out: Vec::new() }
    }

    fn raised(&self, state: &mut RuleState, notice: &Notice, now: &mut Moment<'_>) {
        let subject = state::subject(&notice.subject);
        let at = state.levels.iter().position(|level| level.subject == subject);
        if let Err(reason) = self.wanted(notice, now) {
            // What the filter does not want does not hold, as far as this rule is concerned.
            if let Some(at) = at {
                state.levels.remove(at);
            }
            return state.tell(reason, once(notice), &mut now.out);
        }
        if let Some(level) = at.and_then(|at| state.levels.get_mut(at)) {
            if !level.is_confirmed {
                // It holds now and held before: while nobody looked, it held too, as far as anybody knows.
                level.since_ms = level.since_ms.saturating_sub(std::mem::take(&mut level.unseen_ms));
                level.is_confirmed = true;
            }
            if let Some(kept) = &mut level.kept {
                *kept = Kept::of(notice, std::mem::take(&mut kept.chain), kept.cause);
            }
        } else {
            let (stage, kept) = match self.origin(state, notice, now) {
                Ok((chain, cause)) => (Stage::Holding, Some(Kept::of(notice, chain, cause))),
                Err(reason) => {
                    state.tell(reason, once(notice), &mut now.out);
                    (Stage::Done, None)
                }
            };
            let since_ms = state.awake_ms;
            state.levels.push_back(Level {
                subject,
                stage,
                since_ms,
                unseen_ms: 0,
                is_confirmed: true,
                kept,
                told: None,
            });
        }
        while state.levels.len() > SUBJECTS_MAX || state.levels_bytes() > LEVELS_BYTES_MAX {
            let Some(oldest) = state.levels.pop_front() else { break };
            state.tell(Reason::Crowded { subject: oldest.subject }, once(notice), &mut now.out);
        }
    }

    fn cleared(&self, state: &mut RuleState, notice: &Notice, now: &mut Moment<'_>) {
        let subject = state::subject(&notice.subject);
        let Some(at) = state.levels.iter().position(|level| level.subject == subject) else { return };
        if let Some(Level { stage: Stage::Holding, kept: Some(kept), .. }) = state.levels.remove(at) {
            state.tell(Reason::For, (1, kept.at_ms, kept.at_ms), &mut now.out);
        }
    }

    fn happened(&self, state: &mut RuleState, notice: &Notice, now: &mut Moment<'_>) {
        let origin = self.wanted(notice, now).and_then(|()| self.origin(state, notice, now));
        let kept = match origin {
            Ok((chain, cause)) => Kept::of(notice, chain, cause),
            Err(reason) => return state.tell(reason, once(notice), &mut now.out),
        };
        if self.debounce_ms > 0 || state.burst.is_some() {
            state.join(kept);
            return;
        }
        match self.may_fire(state, now) {
            Ok(manner) => self.fire(state, kept, 1, manner, now),
            // The run that is under way may have looked before. What the file ends with is not lost.
            Err(Reason::Overlap) if matches!(self.watch, Watch::FileChange { .. }) => state.join(kept),
            Err(reason) => state.tell(reason, once(notice), &mut now.out),
        }
    }

    /// Whether the filter wants it.
    fn wanted(&self, notice: &Notice, now: &Moment<'_>) -> Result<(), Reason> {
        let check = |filter: &super::Filter| filter.check(self.watch.event_type(), notice, now.look.facts);
        self.filter.as_ref().map_or(Ok(()), check)
    }

    /// Which orders and which run led to it; or that it must not fire because of them.
    fn origin(
        &self,
        state: &mut RuleState,
        notice: &Notice,
        now: &mut Moment<'_>,
    ) -> Result<(Vec<String>, Option<model::RunId>), Reason> {
        let all = attributions(notice, &self.watch, now.look.runs);
        let Some(run) = all.first().map(|first| first.run) else { return Ok((Vec::new(), None)) };
        // A circle comes before what the rule's own run did: the same event may be both, and a circle is somebody's mistake.
        let own = |chain: &[String]| chain.iter().position(|order| *order == self.order);
        let round = all.iter().filter(|it| it.is_certain && it.chain.last() != Some(&self.order));
        let round = round.filter_map(|it| Some((it, it.chain.get(own(&it.chain)?..)?))).next();
        if let Some((it, orders)) = round {
            let chain = orders.iter().chain([&self.order]).cloned().collect();
            self.trip(state, TripReason::Circle { chain }, &mut now.out);
            return Err(Reason::Cause { run: it.run, chain: it.chain.clone() });
        }
        if let Some(it) = all.iter().find(|it| own(&it.chain).is_some()) {
            return Err(Reason::Cause { run: it.run, chain: it.chain.clone() });
        }
        let mut chain = Vec::new();
        all.into_iter().for_each(|it| join_orders(&mut chain, it.chain));
        if chain.len() > CHAIN_MAX { Err(Reason::Cause { run, chain }) } else { Ok((chain, Some(run))) }
    }

    /// Everything that is due by now.
    fn come(&self, state: &mut RuleState, now: &mut Moment<'_>) {
        self.forget_unseen(state, now);
        for at in 0..state.levels.len() {
            let Some(level) = state.levels.get(at) else { break };
            if level.stage != Stage::Holding || !level.is_confirmed || self.holds_in_ms(state, level) > 0 {
                continue;
            }
            let in_burst = level.kept.clone().filter(|_| self.debounce_ms > 0);
            let stage = if in_burst.is_some() { Stage::InBurst } else { Stage::Due };
            if let Some(kept) = in_burst {
                state.join(kept);
            }
            if let Some(level) = state.levels.get_mut(at) {
                level.stage = stage;
            }
        }
        for at in 0..state.levels.len() {
            self.fire_level(state, at, now);
        }
        if let Some(burst) = state.burst.take() {
            state.burst = self.fire_burst(state, burst, now);
        }
    }

    fn fire_level(&self, state: &mut RuleState, at: usize, now: &mut Moment<'_>) {
        let is_ready = |level: &&Level| level.stage == Stage::Due && level.is_confirmed;
        let Some(at_ms) = state.levels.get(at).filter(is_ready).and_then(|level| Some(level.kept.as_ref()?.at_ms))
        else {
            return;
        };
        if self.place_in_ms(state, state.levels.get(at).and_then(|level| level.told.as_deref())).is_some() {
            return;
        }
        let decided = self.may_fire(state, now);
        self.note_opening(state, &decided);
        let Some(level) = state.levels.get_mut(at) else { return };
        let once = (1, at_ms, at_ms);
        match decided {
            Err(reason) if reason != Reason::Expired => wait(&mut level.told, reason, once, &mut now.out),
            decided => {
                level.stage = Stage::Done;
                match (decided, level.kept.take()) {
                    (Ok(manner), Some(kept)) => self.fire(state, kept, 1, manner, now),
                    (Err(reason), _) => state.tell(reason, once, &mut now.out),
                    (Ok(_), None) => {}
                }
            }
        }
    }

    /// The burst, where it goes on or waits.
    fn fire_burst(&self, state: &mut RuleState, mut burst: Burst, now: &mut Moment<'_>) -> Option<Burst> {
        if self.counts_in_ms(state, &burst) > 0 {
            return Some(burst);
        }
        let is_levels = burst.last.change == Change::Raised;
        if is_levels {
            let members = || state.levels.iter().filter(|level| level.stage == Stage::InBurst);
            if members().any(|level| !level.is_confirmed) {
                return Some(burst);
            }
            let Some(last) = members().filter_map(|level| level.kept.as_ref()).max_by_key(|kept| kept.at_ms) else {
                state.tell(Reason::For, burst.times(), &mut now.out);
                return None;
            };
            // A run of the burst is for the last that holds, and is led to by whatever led to any of it.
            let is_newer = last.subject != burst.last.subject || last.data != burst.last.data;
            if is_newer || last.at_ms != burst.last.at_ms {
                let chain = std::mem::take(&mut burst.last.chain);
                burst.last = Kept { chain, ..last.clone() };
            }
        }
        if self.place_in_ms(state, burst.told.as_deref()).is_some() {
            return Some(burst);
        }
        let times = burst.times();
        let decided = self.may_fire(state, now);
        self.note_opening(state, &decided);
        match decided {
            Err(reason) if reason != Reason::Expired && (is_levels || reason.is_rate()) => {
                wait(&mut burst.told, reason, times, &mut now.out);
                return Some(burst);
            }
            Err(reason) => state.tell(reason, times, &mut now.out),
            Ok(manner) => {
                self.fire(state, burst.last, burst.count, manner, now);
                let (count, first_ms, last_ms) = times;
                if count > 1 {
                    let reason = Reason::Debounce;
                    let unfired = Unfired { reason, count: count - 1, first_ms, last_ms, is_waiting: false };
                    now.out.push(RuleDecision::NotFired(unfired));
                }
            }
        }
        for level in state.levels.iter_mut().filter(|level| level.stage == Stage::InBurst) {
            (level.stage, level.kept) = (Stage::Done, None);
        }
        None
    }

    /// What was raised before the agent started, and that no source raised since, is over.
    fn forget_unseen(&self, state: &mut RuleState, now: &mut Moment<'_>) {
        if state.awake_ms.saturating_sub(state.started_ms) < CONFIRM_MS {
            return;
        }
        let gone: Vec<Kept> =
            state.levels.iter().filter(|it| !it.is_confirmed).filter_map(|it| it.kept.clone()).collect();
        state.levels.retain(|level| level.is_confirmed);
        for kept in gone {
            state.tell(Reason::For, (1, kept.at_ms, kept.at_ms), &mut now.out);
        }
    }

    fn holds_in_ms(&self, state: &RuleState, level: &Level) -> i64 {
        level.since_ms.saturating_add(self.sustain_ms).saturating_sub(state.awake_ms)
    }

    fn counts_in_ms(&self, state: &RuleState, burst: &Burst) -> i64 {
        let quiet_ms = burst.last_ms.saturating_add(self.debounce_ms);
        let most_ms = burst.first_ms.saturating_add(self.debounce_ms.saturating_mul(BURST_FACTOR));
        quiet_ms.min(most_ms).saturating_sub(state.real_ms)
    }
}

/// Told once, as long as the reason stays the same.
fn wait(
    told: &mut Option<String>,
    reason: Reason,
    (count, first_ms, last_ms): (u64, i64, i64),
    out: &mut Vec<RuleDecision>,
) {
    if told.as_deref() != Some(reason.code()) {
        *told = Some(reason.code().to_owned());
        out.push(RuleDecision::NotFired(Unfired { reason, count, first_ms, last_ms, is_waiting: true }));
    }
}

fn once(notice: &Notice) -> (u64, i64, i64) {
    (1, notice.at_ms, notice.at_ms)
}

fn join_orders(chain: &mut Vec<String>, more: Vec<String>) {
    for order in more {
        if !chain.contains(&order) {
            chain.push(order);
        }
    }
}

impl Reason {
    /// Whether it is about how often something runs, and not about when.
    fn is_rate(&self) -> bool {
        matches!(self, Self::Cooldown | Self::MaxPerHour | Self::Overlap)
    }
}

impl Burst {
    fn times(&self) -> (u64, i64, i64) {
        (self.count, self.first_at_ms, self.last.at_ms)
    }
}

impl RuleState {
    /// One more of a burst.
    fn join(&mut self, kept: Kept) {
        let real_ms = self.real_ms;
        let Some(burst) = &mut self.burst else {
            let first_at_ms = kept.at_ms;
            self.burst =
                Some(Burst { count: 1, first_at_ms, first_ms: real_ms, last_ms: real_ms, last: kept, told: None });
            return;
        };
        // Whatever led to any of them led to all of it.
        let mut chain = std::mem::take(&mut burst.last.chain);
        join_orders(&mut chain, kept.chain.clone());
        chain.truncate(CHAIN_MAX);
        let cause = kept.cause.or(burst.last.cause);
        burst.last = Kept { chain, cause, ..kept };
        burst.count = burst.count.saturating_add(1);
        burst.last_ms = real_ms;
    }
}
