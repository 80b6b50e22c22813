//! Whether what is due may fire now: the order's own times, how often it fired, what runs, and the breaker.

use super::decide::RuleLook;
use super::state::{FIRED_MAX, Kept, RuleState};
use super::{Breaker, HOUR_MS, Rule, RuleDecision, RuleEvent, RuleFiring, TripReason, Tripped};
use crate::schedule::permit::timestamp;
use crate::{Against, Manner, Occupancy, Reason};

/// What is asked again though nothing says when: a run that ends and an order that goes on are told to whoever calls, who looks.
const AGAIN_MS: i64 = 60_000;

/// One call: what of it changes with each firing.
pub(super) struct Moment<'a> {
    pub(super) look: &'a RuleLook<'a>,
    pub(super) occupancy: Occupancy,
    pub(super) out: Vec<RuleDecision>,
}

impl Rule {
    /// Whether what is due may fire; once more than the breaker lets it trips it.
    pub(super) fn may_fire(&self, state: &mut RuleState, now: &mut Moment<'_>) -> Result<Manner, Reason> {
        let manner = self.gate(state, now)?;
        let Breaker { firings, within_ms } = self.breaker;
        if self.fired_within(state, within_ms) >= firings {
            self.trip(state, TripReason::TooOften { firings, within_ms }, &mut now.out);
            return Err(Reason::Breaker);
        }
        Ok(manner)
    }

    /// Fires what may.
    pub(super) fn fire(&self, state: &mut RuleState, kept: Kept, count: u64, manner: Manner, now: &mut Moment<'_>) {
        state.firings = state.firings.saturating_add(1);
        state.fired_ms.push_back(state.real_ms);
        if state.fired_ms.len() > FIRED_MAX {
            state.fired_ms.pop_front();
        }
        now.occupancy = match manner {
            Manner::Queue => Occupancy::Waiting,
            Manner::Start | Manner::Replace => Occupancy::Running,
        };
        let Kept { at_ms, subject, change, data, chain, cause, .. } = kept;
        let event = RuleEvent {
            id: format!("{}/{}/{}", self.order, state.looked_ms, state.firings),
            kind: self.watch.event_type().to_owned(),
            at_ms,
            subject,
            change,
            data,
            occurrences: count,
            chain,
            cause,
        };
        now.out.push(RuleDecision::Fire(Box::new(RuleFiring { event, manner })));
    }

    /// In the order in which reasons are told.
    fn gate(&self, state: &RuleState, now: &Moment<'_>) -> Result<Manner, Reason> {
        self.permit.admits(state.looked_ms)?;
        if now.look.look.is_paused {
            return Err(Reason::Paused);
        }
        if state.tripped.is_some() {
            return Err(Reason::Breaker);
        }
        if self.cooldown_in_ms(state).is_some() {
            return Err(Reason::Cooldown);
        }
        if self.quota_in_ms(state).is_some() {
            return Err(Reason::MaxPerHour);
        }
        self.overlap.meet(now.occupancy)
    }

    /// What speaks against a firing at this moment, a while after the last look, with such runs of its order.
    pub(crate) fn against(&self, state: &RuleState, now_ms: i64, occupancy: Occupancy) -> Vec<Against> {
        let since_ms = now_ms.saturating_sub(state.looked_ms).max(0);
        let until = |reason: Reason, left_ms: Option<i64>| {
            let left_ms = left_ms?.saturating_sub(since_ms);
            (left_ms > 0).then(|| Against::new(reason, Some(now_ms.saturating_add(left_ms))))
        };
        let breaker = state.tripped.as_ref().map(|_| Against::new(Reason::Breaker, None));
        let cooldown = until(Reason::Cooldown, self.cooldown_in_ms(state));
        let quota = until(Reason::MaxPerHour, self.quota_in_ms(state));
        let overlap = self.overlap.meet(occupancy).err().map(|reason| Against::new(reason, None));
        [self.permit.against(now_ms), breaker, cooldown, quota, overlap].into_iter().flatten().collect()
    }

    /// What waits for a window waits for one that opens then.
    pub(super) fn note_opening(&self, state: &mut RuleState, decided: &Result<Manner, Reason>) {
        state.opens_ms = match decided {
            Err(Reason::Window | Reason::Blackout { .. }) => self.permit.opens_ms(state.looked_ms),
            Err(Reason::NotStarted) => self.permit.start_ms,
            _ => return,
        };
    }

    /// How long until this device's place in the opening for which something waited; nothing, where it has come, or where it
    /// waited for none.
    pub(super) fn place_in_ms(&self, state: &RuleState, told: Option<&str>) -> Option<i64> {
        let has_waited = matches!(told, Some("window" | "blackout" | "not-started"));
        let now_ms = state.looked_ms;
        let opened_ms = state.opens_ms.filter(|opened_ms| has_waited && self.jitter_ms > 0 && *opened_ms <= now_ms)?;
        self.permit.admits(now_ms).ok()?;
        let most_ms = opened_ms.saturating_add(self.jitter_ms).min(self.permit.expires_ms.unwrap_or(i64::MAX));
        // Squeezed into what is open, so that the last device too fires inside.
        let end = self.permit.ahead().open_until(timestamp(opened_ms), timestamp(most_ms)).ok()?;
        let place_ms = self.place.of_ms(end.as_millisecond().saturating_sub(opened_ms).max(0));
        Some(opened_ms.saturating_add(place_ms).saturating_sub(now_ms)).filter(|&left_ms| left_ms > 0)
    }

    /// Switches the rule off, once.
    pub(super) fn trip(&self, state: &mut RuleState, why: TripReason, out: &mut Vec<RuleDecision>) {
        if state.tripped.is_some() {
            return;
        }
        state.trips = state.trips.saturating_add(1);
        let tripped = Tripped { number: state.trips, at_ms: state.looked_ms, why };
        state.tripped = Some(tripped.clone());
        out.push(RuleDecision::Tripped(tripped));
    }

    /// How long until what waits may fire; nothing, where no time helps.
    pub(super) fn again_in_ms(&self, state: &RuleState) -> Option<i64> {
        let now_ms = state.looked_ms;
        match self.permit.admits(now_ms) {
            Err(Reason::Expired) => None,
            Err(Reason::NotStarted) => self.permit.start_ms.map(|start_ms| start_ms.saturating_sub(now_ms)),
            Err(_) => Some(self.permit.next_change_ms(now_ms).saturating_sub(now_ms)),
            Ok(()) if state.tripped.is_some() => None,
            Ok(()) => {
                let waits = [self.cooldown_in_ms(state), self.quota_in_ms(state)];
                Some(waits.into_iter().flatten().max().unwrap_or(AGAIN_MS))
            }
        }
    }

    fn cooldown_in_ms(&self, state: &RuleState) -> Option<i64> {
        let end_ms = state.fired_ms.back()?.saturating_add(self.cooldown_ms);
        Some(end_ms.saturating_sub(state.real_ms)).filter(|&left_ms| left_ms > 0)
    }

    fn quota_in_ms(&self, state: &RuleState) -> Option<i64> {
        let most = usize::try_from(self.max_per_hour?).unwrap_or(usize::MAX);
        let first = state.fired_ms.get(state.fired_ms.len().checked_sub(most)?)?;
        Some(first.saturating_add(HOUR_MS).saturating_sub(state.real_ms)).filter(|&left_ms| left_ms > 0)
    }

    fn fired_within(&self, state: &RuleState, within_ms: i64) -> u32 {
        let recent = state.fired_ms.iter().filter(|&&fired_ms| state.real_ms.saturating_sub(fired_ms) < within_ms);
        u32::try_from(recent.count()).unwrap_or(u32::MAX)
    }
}
