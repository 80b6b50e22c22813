//! What holds for any schedule: patterns, zones, windows and clocks are drawn by lot.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on panics")]

mod dice;

use std::collections::BTreeSet;

use agent::{Decision, Device, Look, Occupancy, Schedule, State, Trigger};
use chrono::{Datelike as _, Offset as _, TimeZone as _};
use contract::Class;
use dice::Dice;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;

impl Dice {
    fn some(&mut self, most: usize, from: i64, below: i64) -> BTreeSet<i64> {
        (0..=self.below(i64::try_from(most).unwrap())).map(|_| from + self.below(below - from)).collect()
    }
}

/// A pattern, as text and as sets.
struct Pattern {
    text: String,
    minutes: BTreeSet<i64>,
    hours: BTreeSet<i64>,
    /// From Sunday.
    weekdays: BTreeSet<i64>,
}

impl Pattern {
    fn any(dice: &mut Dice) -> Self {
        let list = |values: &BTreeSet<i64>| values.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let (minutes, minute_text) = match dice.below(4) {
            0 => ((0..60).collect(), "*".to_owned()),
            1 => {
                let step = 2 + dice.below(40);
                ((0..60).filter(|minute| minute % step == 0).collect(), format!("*/{step}"))
            }
            _ => {
                let minutes = dice.some(4, 0, 60);
                let text = list(&minutes);
                (minutes, text)
            }
        };
        let (hours, hour_text) = match dice.below(4) {
            0 => ((0..24).collect(), "*".to_owned()),
            1 => {
                let (from, many) = (dice.below(24), dice.below(8));
                let to = (from + many).min(23);
                ((from..=to).collect(), format!("{from}-{to}"))
            }
            _ => {
                let hours = dice.some(4, 0, 24);
                let text = list(&hours);
                (hours, text)
            }
        };
        let (weekdays, day_text) = if dice.one_in(3) {
            let weekdays = dice.some(4, 0, 7);
            let text = list(&weekdays);
            (weekdays, text)
        } else {
            ((0..7).collect(), "*".to_owned())
        };
        Self { text: format!("{minute_text} {hour_text} * * {day_text}"), minutes, hours, weekdays }
    }

    fn matches(&self, local: i64) -> bool {
        let day = local.div_euclid(1_440);
        let of_day = local.rem_euclid(1_440);
        // 1970 began on a Thursday.
        let weekday = (day + 4).rem_euclid(7);
        self.weekdays.contains(&weekday) && self.hours.contains(&(of_day / 60)) && self.minutes.contains(&(of_day % 60))
    }

    /// Minute by minute: all firings after the first day and before the end, in minutes since 1970.
    fn walk(&self, zone: chrono_tz::Tz, first: i64, last: i64) -> Vec<i64> {
        let local = |minute: i64| minute + offset(zone, minute) / 60;
        let mut highest = local(first);
        let mut firings = Vec::new();
        for minute in first + 1..last {
            let (before, now) = (local(minute - 1), local(minute));
            let is_firing = if self.hours.len() == 24 {
                self.matches(now)
            } else {
                (now > highest && self.matches(now)) || (before + 1..now).any(|left_out| self.matches(left_out))
            };
            highest = highest.max(now);
            if is_firing && minute > first + 1_440 {
                firings.push(minute);
            }
        }
        firings
    }
}

fn offset(zone: chrono_tz::Tz, minute: i64) -> i64 {
    let at = chrono::DateTime::from_timestamp(minute * 60, 0).unwrap();
    i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc())
}

/// A zone of which both databases know something, and a week in it; mostly one in which its clocks change.
fn any_week(dice: &mut Dice) -> (chrono_tz::Tz, i64) {
    let first_year = 1_974;
    let start = chrono::DateTime::parse_from_rfc3339("1974-01-01T00:00:00Z").unwrap().timestamp() / 60;
    let needs_change = !dice.one_in(5);
    loop {
        let zone = chrono_tz::TZ_VARIANTS[usize::try_from(dice.below(chrono_tz::TZ_VARIANTS.len() as i64)).unwrap()];
        let week = start + dice.below((2_024 - first_year) * 365) * 1_440 + dice.below(1_440);
        // The next half year.
        let change = (0..180).map(|day| week + day * 1_440).find(|&at| offset(zone, at) != offset(zone, at + 1_440));
        let week = match change.filter(|_| needs_change) {
            Some(change) => change - 3 * 1_440,
            None if needs_change => continue,
            None => week,
        };
        let is_whole = (0..9).all(|day| offset(zone, week + day * 1_440) % 60 == 0);
        // Editions of the database differ in the past of a few zones.
        let Ok(other) = jiff::tz::TimeZone::get(zone.name()) else { continue };
        let is_same = (0..9 * 48).map(|half_hour| week + half_hour * 30).all(|at| {
            let there = other.to_offset(jiff::Timestamp::from_second(at * 60).unwrap());
            i64::from(there.seconds()) == offset(zone, at)
        });
        if is_whole && is_same {
            return (zone, week);
        }
    }
}

fn read(text: &str, device: &Device) -> Schedule {
    let trigger: Trigger = toml::from_str(text).unwrap();
    Schedule::new(&trigger, "order", Class::L2, device).unwrap_or_else(|problems| panic!("{text}: {problems}"))
}

fn look(now_ms: i64) -> Look {
    Look { now_ms, elapsed: None, occupancy: Occupancy::Idle, is_paused: false }
}

#[test]
fn any_pattern_in_any_zone_fires_as_a_walk_says() {
    let cases = if tests::soak!() { 20_000 } else { 150 };
    let mut dice = Dice(tests::seed());
    let mut changes = 0;
    for _ in 0..cases {
        let (zone, first) = any_week(&mut dice);
        let (begin, last) = (first + 1_440, first + 8 * 1_440);
        changes += u32::from(offset(zone, first) != offset(zone, last));
        let pattern = Pattern::any(&mut dice);
        let walked = pattern.walk(zone, first, last);
        let text = format!("cron = \"{}\"\nzone = \"{}\"\nmisfire = \"skip\"", pattern.text, zone.name());
        let schedule = read(&text, &Device::default());
        let state = State::new(begin * MINUTE);
        let mut listed = Vec::new();
        let mut from = begin * MINUTE;
        while let Some(coming) = Some(schedule.next(&state, from, 1_000)).filter(|coming| !coming.is_empty()) {
            from = coming.last().unwrap().nominal_ms;
            listed.extend(coming.iter().map(|it| it.nominal_ms / MINUTE));
            if from >= last * MINUTE {
                break;
            }
        }
        listed.retain(|&minute| minute < last);
        assert_eq!(listed, walked, "{text}, {first}");
        // The search may begin anywhere, also between a change of the clocks and what it repeats.
        let change = (begin..last).find(|&minute| offset(zone, minute) != offset(zone, minute - 1));
        for _ in 0..20 {
            let near = change.map(|change| change - 90 + dice.below(240)).filter(|near| (begin..last).contains(near));
            let from = near.unwrap_or_else(|| begin + dice.below(last - begin));
            let next = walked.iter().find(|&&minute| minute > from);
            let found = schedule.next(&state, from * MINUTE + dice.below(MINUTE), 1);
            let found = found.first().map(|it| it.nominal_ms / MINUTE).filter(|&minute| minute < last);
            assert_eq!(found.as_ref(), next, "{text}, {first}, from {from}");
        }
        // Asleep over all of it: counted in one look.
        let mut slept = state.clone();
        let seen = schedule.due(&mut slept, &look(last * MINUTE - 1));
        let missed: u64 =
            seen.decisions.iter().map(|it| if let Decision::NotFired(not) = it { not.count } else { 1 }).sum();
        assert_eq!(missed, walked.len() as u64, "{text}, {first}, counted");
        if let (Some(first), Some(Decision::NotFired(not))) = (walked.first(), seen.decisions.first()) {
            assert_eq!(not.first_ms, first * MINUTE);
        }
    }
    eprintln!("{changes} of {cases} weeks had a change");
    assert!(changes > cases / 2, "{changes} of {cases} weeks had a change");
}

/// A window that is drawn by lot, in the zone of the order or another one.
fn any_window(dice: &mut Dice) -> String {
    let days = ["mon", "tue-thu", "fri", "sat,sun", "sun-tue", "daily"][usize::try_from(dice.below(6)).unwrap()];
    let (from, to) = (dice.below(24 * 4), dice.below(24 * 4));
    let time = |quarter: i64| format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15);
    let zone =
        ["", ", zone = \"Asia/Kathmandu\"", ", zone = \"America/New_York\""][usize::try_from(dice.below(3)).unwrap()];
    format!("{{ weekly = \"{days} {}-{}\"{zone} }}", time(from), time(to))
}

#[test]
fn what_fires_is_in_order_inside_windows_and_within_its_jitter() {
    let cases = if tests::soak!() { 10_000 } else { 150 };
    let mut dice = Dice(tests::seed());
    let (mut open, mut refused, mut squeezed) = (0, 0, 0);
    for _ in 0..cases {
        let (zone, first) = any_week(&mut dice);
        let pattern = Pattern::any(&mut dice);
        let jitter = dice.below(1_440 + 1);
        let windows = |dice: &mut Dice, most: i64| {
            let many = dice.below(most + 1);
            (0..many).map(|_| any_window(dice)).collect::<Vec<_>>().join(", ")
        };
        let (allowed, blackout) = (windows(&mut dice, 3), windows(&mut dice, 2));
        let text = format!(
            "cron = \"{}\"\nzone = \"{}\"\njitter = \"{jitter}m\"\nallowed = [{allowed}]\nblackout = [{blackout}]",
            pattern.text,
            zone.name()
        );
        let device =
            Device { key: std::array::from_fn(|_| u8::try_from(dice.below(256)).unwrap()), calendars: Vec::new() };
        let schedule = read(&text, &device);
        let mut last_due = i64::MIN;
        for it in schedule.next(&State::new(0), first * MINUTE, 40) {
            assert!(it.due_ms >= last_due, "{text}: in order");
            last_due = it.due_ms;
            let late = it.due_ms - it.nominal_ms;
            if let Some(reason) = it.refused {
                assert_eq!((late, schedule.admits(it.nominal_ms)), (0, Err(reason)), "{text}");
                refused += 1;
            } else {
                assert!((0..(jitter * MINUTE).max(1)).contains(&late), "{text}: {late}");
                let steps = (0..late).step_by(15 * 60_000).chain([late]);
                let is_open = steps.into_iter().all(|after| schedule.admits(it.nominal_ms + after).is_ok());
                assert!(is_open, "{text}: open from {} until {}", it.nominal_ms, it.due_ms);
                let would_close = schedule.admits(it.nominal_ms + jitter * MINUTE).is_err();
                squeezed += u32::from(would_close);
                open += 1;
            }
        }
    }
    eprintln!("open {open}, refused {refused}, squeezed {squeezed}");
    assert!(open > 500 && refused > 500 && squeezed > 100, "{open} {refused} {squeezed}");
}

#[test]
fn nothing_fires_twice_whatever_clocks_and_orders_do() {
    let rounds = if tests::soak!() { 200 } else { 6 };
    let mut all = 0;
    let mut dice = Dice(tests::seed());
    for _ in 0..rounds {
        let mut fired = BTreeSet::new();
        let mut now = 1_800_000_000_000 + dice.below(365) * DAY;
        let mut state = State::new(now);
        let mut schedule =
            read("cron = \"*/10 * * * *\"\nzone = \"UTC\"\nmisfire = \"run-all(5)\"", &Device::default());
        for _ in 0..1_500 {
            now += match dice.below(40) {
                0 => dice.below(800 * DAY) - 400 * DAY,
                1..=3 => dice.below(6 * 3_600_000) - 3 * 3_600_000,
                4 => -dice.below(90_000),
                _ => dice.below(3 * MINUTE),
            };
            if dice.one_in(50) {
                let zone = any_week(&mut dice).0;
                let any = Pattern::any(&mut dice).text;
                let (pattern, jitter) = (if dice.one_in(2) { "*/5 * * * *" } else { &any }, dice.below(100));
                let misfire = ["skip", "run-once", "run-all(7)"][usize::try_from(dice.below(3)).unwrap()];
                let text = format!(
                    "cron = \"{pattern}\"\nzone = \"{}\"\njitter = \"{jitter}m\"\nmisfire = \"{misfire}\"",
                    zone.name()
                );
                schedule = read(&text, &Device::default());
            }
            if dice.one_in(20) {
                let kept = serde_json::to_string(&state).unwrap();
                assert!(kept.len() < 2_500, "{} bytes", kept.len());
                state = serde_json::from_str(&kept).unwrap();
            }
            for decision in schedule.due(&mut state, &look(now)).decisions {
                if let Decision::Fire(firing) = decision {
                    assert!(fired.insert(firing.nominal_ms), "{} twice", firing.nominal_ms);
                    assert!(firing.nominal_ms <= firing.due_ms && firing.due_ms <= now);
                }
            }
        }
        all += fired.len();
    }
    eprintln!("{all} fired in {rounds} rounds");
    assert!(all > 50 * rounds, "{all}");
}

#[test]
fn no_text_breaks_the_reader() {
    let cases = if tests::soak!() { 2_000_000 } else { 20_000 };
    let mut dice = Dice(tests::seed());
    const WORDS: [&str; 30] = [
        "*", "/", "-", ",", "#", "L", "W", "LW", "+", "?", "@daily", "@", "mon", "SUN", "jan", "0", "7", "59", "60",
        "31", "99999", " ", " ", " ", " ", "\t", "ß", "\u{0}", "1-5", "*/2",
    ];
    let mut read = 0;
    for _ in 0..cases {
        let cron: String = (0..dice.below(16)).map(|_| WORDS[usize::try_from(dice.below(30)).unwrap()]).collect();
        let trigger = Trigger {
            zone: "Europe/Berlin".to_owned(),
            jitter: Some(cron.clone()).filter(|_| dice.one_in(20)),
            misfire: Some(cron.clone()).filter(|_| dice.one_in(20)),
            cron,
            ..Trigger::default()
        };
        if let Ok(schedule) = Schedule::new(&trigger, "order", Class::L2, &Device::default()) {
            assert!(!schedule.next(&State::new(0), 1_800_000_000_000, 2).is_empty(), "{}", trigger.cron);
            read += 1;
        }
    }
    eprintln!("{read} of {cases} were read");
    assert!(read > 10, "{read}");
    assert_eq!(chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap().weekday(), chrono::Weekday::Thu);
}
