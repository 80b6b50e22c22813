//! What a standing order waits for: what was noticed goes in, what fires comes out. `EVENTS.md` beside this crate says what
//! happens when things come often, at the wrong time, or by our own doing; each of its rows has a test.

mod cause;
mod decide;
mod decision;
mod filter;
mod gate;
mod state;
mod tell;
mod trigger;

use contract::Class;
use jiff::tz::TimeZone;

use self::filter::Filter;
use crate::schedule::permit::{Permit, Written, keep, parsed, zone};
use crate::schedule::{Place, jitter};
use crate::{BadSchedule, Device, Overlap, Reason, Watch, text};

pub use self::cause::{Attribution, RecentRun, Touched, attribute};
pub use self::decide::RuleLook;
pub use self::decision::{RuleDecision, RuleEvent, RuleFiring, TripReason, Tripped, Unfired};
pub use self::state::RuleState;
pub use self::trigger::EventTrigger;

const HOUR_MS: i64 = 3_600_000;

const DAY_MS: i64 = 24 * HOUR_MS;

/// The longest that a level must hold.
const SUSTAIN_MS_MAX: i64 = 7 * DAY_MS;

/// The longest quiet before a burst counts: it may go on ten times as long.
const DEBOUNCE_MS_MAX: i64 = HOUR_MS;

/// The longest cooldown, and the longest time over which a breaker counts.
const COOLDOWN_MS_MAX: i64 = 31 * DAY_MS;

/// The most firings that are counted. Who wants more in an hour wants no rule for each.
const FIRINGS_MAX: u32 = 100;

/// What a rule's breaker lets through where its order does not say: what comes every six minutes is no event, but a state.
const BREAKER: Breaker = Breaker { firings: 10, within_ms: HOUR_MS };

/// An event trigger that was read, for an order on a device. Build it anew when the time zone database changes. What was noticed
/// is in a [`RuleState`].
#[derive(Clone, Debug)]
pub struct Rule {
    order: String,
    watch: Watch,
    /// A hash of what is watched and filtered.
    watched: String,
    filter: Option<Filter>,
    sustain_ms: i64,
    debounce_ms: i64,
    cooldown_ms: i64,
    max_per_hour: Option<u32>,
    breaker: Breaker,
    overlap: Overlap,
    permit: Permit,
    jitter_ms: i64,
    place: Place,
}

/// How often a rule may fire before it is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Breaker {
    firings: u32,
    within_ms: i64,
}

impl Rule {
    /// Reads the trigger of the order of this name, whose runs are of this class; or says all that is wrong with it.
    pub fn new(trigger: &EventTrigger, order: &str, class: Class, device: &Device) -> Result<Self, BadSchedule> {
        let mut problems: Vec<String> = trigger.watch.check().into_iter().map(|it| format!("watch.{it}")).collect();
        let filter = trigger.filter.as_deref().map(Filter::read).transpose();
        let filter = filter.unwrap_or_else(|all| {
            problems.extend(all.into_iter().map(|problem| format!("filter: {problem}")));
            None
        });
        if trigger.sustain.is_some() && !trigger.watch.is_level() {
            problems
                .push(format!("for: `{}` tells moments, which do not hold: expected none", trigger.watch.event_type()));
        }
        let mut duration = |text: Option<&str>, field: &str, most_ms: i64, most: &str| {
            let ms = keep(text.map_or(Ok(0), text::duration_ms), field, &mut problems).unwrap_or_default();
            if ms > most_ms {
                problems.push(format!("{field}: at most `{most}`"));
            }
            ms
        };
        let sustain_ms = duration(trigger.sustain.as_deref(), "for", SUSTAIN_MS_MAX, "7d");
        let debounce_ms = duration(trigger.debounce.as_deref(), "debounce", DEBOUNCE_MS_MAX, "1h");
        let cooldown_ms = duration(trigger.cooldown.as_deref(), "cooldown", COOLDOWN_MS_MAX, "31d");
        let max_per_hour = trigger.max_per_hour;
        if max_per_hour.is_some_and(|most| !(1..=FIRINGS_MAX).contains(&most)) {
            problems.push(format!("max-per-hour: expected 1 to {FIRINGS_MAX}"));
        }
        // Who allows more in an hour does not want to be stopped at ten.
        let usual = Breaker { firings: max_per_hour.unwrap_or(0).max(BREAKER.firings), ..BREAKER };
        let breaker = keep(trigger.breaker.as_deref().map_or(Ok(usual), breaker), "breaker", &mut problems);
        let jitter_ms = keep(jitter(trigger.jitter.as_deref()), "jitter", &mut problems).unwrap_or_default();
        let overlap = keep(parsed(trigger.overlap.as_deref()), "overlap", &mut problems);
        let zone = keep(window_zone(trigger), "zone", &mut problems).flatten().unwrap_or(TimeZone::UTC);
        let written = Written {
            start: trigger.start.as_deref(),
            expires: trigger.expires.as_deref(),
            allowed: &trigger.allowed,
            blackout: &trigger.blackout,
            zone: &zone,
        };
        let permit = Permit::read(&written, class, device, &mut problems);
        match (breaker, overlap) {
            (Some(breaker), Some(overlap)) if problems.is_empty() => Ok(Self {
                order: order.to_owned(),
                watch: trigger.watch.clone(),
                watched: watched(trigger),
                filter,
                sustain_ms,
                debounce_ms,
                cooldown_ms,
                max_per_hour,
                breaker,
                overlap,
                permit,
                jitter_ms,
                place: Place::of(&device.key, order),
            }),
            _ => Err(BadSchedule(problems)),
        }
    }

    /// What is to be watched.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Whether a run may start at this moment. Whoever lets a firing wait asks again before it starts.
    pub fn admits(&self, now_ms: i64) -> Result<(), Reason> {
        self.permit.admits(now_ms)
    }
}

fn watched(trigger: &EventTrigger) -> String {
    blake3::hash(&serde_json::to_vec(&(&trigger.watch, &trigger.filter)).unwrap_or_default()).to_hex().to_string()
}

/// Reads `10/1h`.
fn breaker(text: &str) -> Result<Breaker, String> {
    let wrong = || format!("`{text}`: expected 1 to {FIRINGS_MAX} firings in at most 31 days, such as `10/1h`");
    let (firings, within) = text.split_once('/').ok_or_else(wrong)?;
    let firings = firings.parse().ok().filter(|firings| (1..=FIRINGS_MAX).contains(firings)).ok_or_else(wrong)?;
    let within_ms = text::duration_ms(within).ok().filter(|within| (1..=COOLDOWN_MS_MAX).contains(within));
    Ok(Breaker { firings, within_ms: within_ms.ok_or_else(wrong)? })
}

/// The zone of windows that name none; an error, where there are such windows and no zone.
fn window_zone(trigger: &EventTrigger) -> Result<Option<TimeZone>, String> {
    let is_needed = trigger.allowed.iter().chain(&trigger.blackout).any(|window| window.zone.is_none());
    match &trigger.zone {
        Some(name) => zone(name).map(Some),
        None if is_needed => Err("expected, because there are windows that name none".to_owned()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
