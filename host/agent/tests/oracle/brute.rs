//! The oracle: what `SCHEDULES.md` says, minute by minute, over the local time of `chrono-tz`, with sets that forget nothing
//! but what the table says is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, TimeZone as _, Timelike as _};

use crate::orders::{Local, Misfire, Open, Order, Overlap};

const MINUTE: i64 = 60_000;

/// The local time of each minute of a zone.
pub(crate) struct Clock {
    first: i64,
    minutes: Vec<i32>,
    first_day: i64,
    days: Vec<Local>,
    changes: Vec<i64>,
}

impl Clock {
    pub(crate) fn new(zone: &str, first: i64, last: i64) -> Self {
        let zone: chrono_tz::Tz = zone.parse().unwrap();
        let minutes = (first..last).map(|minute| {
            let at = zone.timestamp_opt(minute * 60, 0).unwrap().naive_local();
            i32::try_from(at.and_utc().timestamp().div_euclid(60)).unwrap()
        });
        let first_day = first / 1_440 - 2;
        let first_date = chrono::DateTime::from_timestamp(first_day * 86_400, 0).unwrap().date_naive();
        let days = first_date.iter_days().take(usize::try_from((last - first) / 1_440).unwrap() + 5).map(day).collect();
        let minutes: Vec<i32> = minutes.collect();
        let changes = (first + 1..).zip(minutes.windows(2)).filter(|(_, pair)| pair[1] - pair[0] != 1);
        let changes = changes.map(|(minute, _)| minute * MINUTE).collect();
        Self { first, minutes, first_day, days, changes }
    }

    /// When it is changed next after this time; in milliseconds.
    pub(crate) fn next_change(&self, after: i64) -> Option<i64> {
        let at = self.changes.partition_point(|&change| change <= after);
        self.changes.get(at).copied()
    }

    fn local(&self, minute: i64) -> i64 {
        i64::from(self.minutes[usize::try_from(minute - self.first).unwrap()])
    }

    fn read(&self, local: i64) -> Local {
        let of_day = u32::try_from(local.rem_euclid(1_440)).unwrap();
        let day = self.days[usize::try_from(local.div_euclid(1_440) - self.first_day).unwrap()];
        Local { hour: of_day / 60, minute: of_day % 60, ..day }
    }

    fn holds(&self, minute: i64, holds: fn(Local) -> bool) -> bool {
        holds(self.read(self.local(minute)))
    }
}

fn day(date: chrono::NaiveDate) -> Local {
    let next = date.with_day(1).unwrap() + chrono::Months::new(1);
    Local {
        month: date.month(),
        day: date.day(),
        days: next.pred_opt().unwrap().day(),
        weekday: date.weekday().num_days_from_monday(),
        hour: date.and_hms_opt(0, 0, 0).unwrap().hour(),
        minute: 0,
        date: date.signed_duration_since(chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()).num_days(),
    }
}

/// The clocks of all zones.
pub(crate) type Clocks = BTreeMap<&'static str, Clock>;

/// A firing of the pattern, worked out beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) nominal: i64,
    pub(crate) due: i64,
    pub(crate) refused: Option<String>,
}

/// What was decided; a word for the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Decided {
    Fired { nominal: i64, due: i64, start: i64, is_late: bool, manner: &'static str },
    Not { first: i64, last: i64, count: u64, reason: String },
}

pub(crate) struct Oracle<'a> {
    order: &'a Order,
    clocks: &'a Clocks,
    place: u64,
    pub(crate) entries: Vec<Entry>,
    looked: i64,
    done: Vec<bool>,
    /// Where what is done begins after something that is not.
    starts: BTreeSet<usize>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(order: &'a Order, clocks: &'a Clocks, key: &[u8; 32], now: i64) -> Self {
        let place = place(order, key);
        let entries = entries(order, clocks, place);
        let done = vec![false; entries.len()];
        Self { order, clocks, place, entries, looked: now, done, starts: BTreeSet::new() }
    }

    /// When something is due next.
    pub(crate) fn wake(&self, now: i64) -> Option<i64> {
        if now >= self.order.expires_ms {
            return None;
        }
        let from = self.entries.partition_point(|entry| entry.due <= now);
        let to_come =
            (from..self.entries.len()).find(|&at| !self.done[at] && self.entries[at].nominal >= self.order.start_ms);
        to_come.map(|at| self.entries[at].due)
    }

    pub(crate) fn look(&mut self, now: i64, busy: (bool, bool), is_paused: bool, cause: &str) -> Vec<Decided> {
        if now < self.looked {
            self.looked = now;
            return Vec::new();
        }
        let from = self.entries.partition_point(|entry| entry.due <= self.looked);
        let to = self.entries.partition_point(|entry| entry.due <= now);
        self.looked = now;
        let mut decided = Vec::new();
        let mut not: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let misfire = format!("misfire {cause}");
        let old = now - self.order.jitter_ms - 61_000;
        let only_counted = self.entries.partition_point(|entry| entry.nominal <= old).saturating_sub(1_000);
        let (mut missed, mut ready) = (Vec::new(), Vec::new());
        for at in from..to {
            if self.done[at] {
                continue;
            }
            let entry = self.entries[at].clone();
            let is_late = now - entry.due >= MINUTE;
            if at < only_counted {
                let reason = match entry.nominal {
                    nominal if nominal < self.order.start_ms => "not-started".to_owned(),
                    nominal if nominal >= self.order.expires_ms => "expired".to_owned(),
                    _ => misfire.clone(),
                };
                not.entry(reason).or_default().push(entry.nominal);
            } else if let Some(reason) = entry.refused {
                not.entry(reason).or_default().push(entry.nominal);
                if !is_late {
                    self.finish(at, now);
                }
            } else if is_late {
                missed.push(at);
            } else {
                ready.push(at);
            }
        }
        let runs = match self.order.misfire {
            Misfire::Skip => 0,
            Misfire::Once => usize::from(ready.is_empty()),
            Misfire::Within(most) => {
                let is_near = missed.last().is_some_and(|&at| now - self.entries[at].due <= most);
                usize::from(ready.is_empty() && is_near)
            }
            Misfire::All(runs) => runs,
        };
        let late = missed.split_off(missed.len() - runs.min(missed.len()));
        for at in missed {
            not.entry(misfire.clone()).or_default().push(self.entries[at].nominal);
        }
        // Those that are caught up and the first on time go together.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let lates = late.len();
        let all: Vec<usize> = late.into_iter().chain(ready).collect();
        let first = all.len().min(if lates == 0 { 1 } else { lates + 1 });
        groups.push(all[..first].to_vec());
        groups.extend(all[first..].iter().map(|&at| vec![at]));
        let closed = self.closed(now).or(is_paused.then(|| "paused".to_owned()));
        let (mut is_running, mut is_waiting) = busy;
        let mut seen = 0;
        for group in groups {
            let is_refused = match (is_running || is_waiting, self.order.overlap) {
                _ if closed.is_some() => closed.clone(),
                (true, Overlap::Skip) => Some("overlap".to_owned()),
                (true, Overlap::Queue) if is_waiting => Some("overlap".to_owned()),
                _ => None,
            };
            let is_free = !is_running && !is_waiting;
            for (place, &at) in group.iter().enumerate() {
                let is_late = seen < lates;
                seen += 1;
                let Entry { nominal, due, .. } = self.entries[at];
                if let Some(reason) = &is_refused {
                    not.entry(reason.clone()).or_default().push(nominal);
                    if !is_late {
                        self.finish(at, now);
                    }
                    continue;
                }
                let manner = match () {
                    () if place > 0 => "queue",
                    () if is_free => "start",
                    () if self.order.overlap == Overlap::Replace => "replace",
                    () => "queue",
                };
                is_waiting = manner == "queue";
                is_running = is_running || !is_waiting;
                self.finish(at, now);
                let start = if is_late { spread(self.order, self.clocks, self.place, now) } else { due };
                decided.push(Decided::Fired { nominal, due, start, is_late, manner });
            }
        }
        decided.extend(not.into_iter().map(|(reason, all)| {
            let (first, last) = (*all.iter().min().unwrap(), *all.iter().max().unwrap());
            Decided::Not { first, last, count: all.len() as u64, reason }
        }));
        decided.sort();
        decided
    }

    fn closed(&self, now: i64) -> Option<String> {
        refused(self.order, self.clocks, now)
    }

    /// What is done stays done. At most 32 stretches of what is done are told apart; then the oldest hole is given up, or the
    /// one farthest away where none is past.
    fn finish(&mut self, at: usize, now: i64) {
        if std::mem::replace(&mut self.done[at], true) {
            return;
        }
        if at == 0 || !self.done[at - 1] {
            self.starts.insert(at);
        }
        self.starts.remove(&(at + 1));
        if self.starts.len() > 32 {
            let second = *self.starts.iter().nth(1).unwrap();
            let next = if self.entries[second].nominal <= now { second } else { *self.starts.last().unwrap() };
            self.starts.remove(&next);
            self.done[..next].iter_mut().rev().take_while(|done| !**done).for_each(|done| *done = true);
        }
    }
}

fn refused(order: &Order, clocks: &Clocks, at: i64) -> Option<String> {
    if at < order.start_ms {
        return Some("not-started".to_owned());
    }
    if at >= order.expires_ms {
        return Some("expired".to_owned());
    }
    let minute = at.div_euclid(MINUTE);
    let holds = |open: &Open| clocks[open.zone].holds(minute, open.holds);
    for set in order.windows {
        if let Some(open) = set.iter().find(|open| open.blackout.is_some() && holds(open)) {
            return Some(format!("blackout {:?}", open.blackout.unwrap()));
        }
    }
    for set in order.windows {
        let mut allowed = set.iter().filter(|open| open.blackout.is_none()).peekable();
        if allowed.peek().is_some() && !allowed.any(holds) {
            return Some("window".to_owned());
        }
    }
    None
}

/// Where this device has what could begin at this time: minute by minute until something forbids it, or the jitter ends.
fn spread(order: &Order, clocks: &Clocks, place: u64, from: i64) -> i64 {
    let most = from + order.jitter_ms;
    let minutes = (from.div_euclid(MINUTE) + 1..).map(|minute| minute * MINUTE);
    let end = minutes.into_iter().find(|&at| at >= most || refused(order, clocks, at).is_some()).unwrap().min(most);
    from + i64::try_from((u128::from(place) * u128::try_from(end - from).unwrap()) >> 64).unwrap()
}

fn place(order: &Order, key: &[u8; 32]) -> u64 {
    let hash = blake3::keyed_hash(key, &[b"remit schedule jitter\0", order.name.as_bytes()].concat());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap())
}

fn entries(order: &Order, clocks: &Clocks, place: u64) -> Vec<Entry> {
    let clock = &clocks[order.zone];
    let mut entries = Vec::new();
    let mut highest = clock.local(clock.first);
    // Jitter needs the minutes after a firing.
    let end = clock.first + i64::try_from(clock.minutes.len()).unwrap() - 1_500;
    for minute in clock.first + 1..end {
        let (before, local) = (clock.local(minute - 1), clock.local(minute));
        let matches = |local: i64| (order.matches)(clock.read(local));
        let is_firing = if order.is_pace {
            matches(local)
        } else {
            (local > highest && matches(local)) || (before + 1..local).any(matches)
        };
        highest = highest.max(local);
        if !is_firing {
            continue;
        }
        let nominal = minute * MINUTE;
        let refused = refused(order, clocks, nominal);
        let due = if refused.is_none() { spread(order, clocks, place, nominal) } else { nominal };
        entries.push(Entry { nominal, due, refused });
    }
    entries
}
