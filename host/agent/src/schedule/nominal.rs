//! When a pattern fires in a time zone. Between two changes of the clocks there is only an offset, so the pattern is searched as
//! if there were no zones, and what happens at a change is decided here alone.
//!
//! A pattern that means every hour is a pace: what the clocks leave out does not happen, what they repeat happens twice. Any
//! other pattern means times of day: each happens once a day, a time that is left out at the moment the clocks go forward, a
//! time that is repeated at its first occurrence.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::schedule::cron::Pattern;

/// A pattern in a time zone. All times are milliseconds since 1970 and whole seconds.
#[derive(Clone, Debug)]
pub(crate) struct Nominal {
    pub(crate) pattern: Pattern,
    pub(crate) zone: TimeZone,
}

impl Nominal {
    /// The first firing after this time.
    pub(crate) fn next_after(&self, after_ms: i64) -> Option<i64> {
        let start = Timestamp::from_second(after_ms.div_euclid(1_000)).ok()?;
        let is_pace = self.pattern.is_pace();
        let mut offset = self.zone.to_offset(start);
        let mut next = self.pattern.next(offset.to_datetime(start), false)?;
        if let Some(end) = self.end_of_repeat(start).filter(|&end| !is_pace && next < end) {
            next = self.pattern.next(end, true)?;
        }
        let mut at = start;
        loop {
            let reached = offset.to_timestamp(next).ok()?;
            let Some(change) = self.zone.following(at).next().filter(|change| change.timestamp() <= reached) else {
                return Some(reached.as_millisecond());
            };
            at = change.timestamp();
            let last = offset.to_datetime(at);
            offset = change.offset();
            let first = offset.to_datetime(at);
            if last < first && next < first {
                if !is_pace {
                    return Some(at.as_millisecond());
                }
                next = self.pattern.next(first, true)?;
            } else if first < last && is_pace {
                next = self.pattern.next(first, true)?;
            }
        }
    }

    /// How many firings there are after the first time and up to the second. It looks at each day, not at each firing.
    pub(crate) fn count(&self, after_ms: i64, until_ms: i64) -> u64 {
        self.try_count(after_ms, until_ms).unwrap_or(0)
    }

    fn try_count(&self, after_ms: i64, until_ms: i64) -> Option<u64> {
        let start = Timestamp::from_second(after_ms.div_euclid(1_000)).ok()?;
        let end = Timestamp::from_second(until_ms.div_euclid(1_000).saturating_add(1)).ok()?;
        let is_pace = self.pattern.is_pace();
        let mut offset = self.zone.to_offset(start);
        // The second after the start is the first that counts.
        let mut from = next_second(offset.to_datetime(start))?;
        if let Some(repeated) = self.end_of_repeat(start).filter(|_| !is_pace) {
            from = from.max(repeated);
        }
        let (mut at, mut count) = (start, 0);
        while at < end {
            let change = self.zone.following(at).next().filter(|change| change.timestamp() < end);
            let part_end = change.as_ref().map_or(end, |change| change.timestamp());
            let last = offset.to_datetime(part_end);
            count += self.pattern.count(from, last);
            let Some(change) = change else { break };
            at = part_end;
            offset = change.offset();
            let first = offset.to_datetime(at);
            from = first;
            if last < first && !is_pace {
                let is_moved = self.pattern.next(last, true).is_some_and(|next| next < first);
                let is_there_anyway = self.pattern.next(first, true) == Some(first);
                count += u64::from(is_moved && !is_there_anyway);
            } else if first < last && !is_pace {
                from = last;
            }
        }
        Some(count)
    }

    /// The earliest time after which there are at most so many firings until the last one: the time of the one before them, or
    /// where the search begins.
    pub(crate) fn start_of_latest(&self, most: u64, after_ms: i64, until_ms: i64) -> i64 {
        let second = |ms: i64| ms.div_euclid(1_000) * 1_000;
        let (after_ms, until_ms) = (second(after_ms), second(until_ms));
        let fits = |start_ms: i64| self.count(start_ms, until_ms) <= most;
        let mut span_ms = 3_600_000_i64;
        while until_ms.saturating_sub(span_ms) > after_ms && fits(until_ms - span_ms) {
            span_ms = span_ms.saturating_mul(2);
        }
        let (mut misfit, mut fit) = (until_ms.saturating_sub(span_ms).max(after_ms), until_ms);
        if fits(misfit) {
            return misfit;
        }
        while fit - misfit > 1_000 {
            let middle = misfit + second((fit - misfit) / 2);
            if fits(middle) { fit = middle } else { misfit = middle }
        }
        fit
    }

    /// Where the clocks were put back and this time is one that there was before: the civil time at which that ends.
    fn end_of_repeat(&self, at: Timestamp) -> Option<DateTime> {
        let second = jiff::SignedDuration::from_secs(1);
        let change = self.zone.preceding(at.checked_add(second).ok()?).next()?;
        let before: Offset = self.zone.to_offset(change.timestamp().checked_sub(second).ok()?);
        let end = before.to_datetime(change.timestamp());
        (change.offset().to_datetime(at) < end && change.offset() < before).then_some(end)
    }
}

fn next_second(at: DateTime) -> Option<DateTime> {
    at.checked_add(jiff::SignedDuration::from_secs(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nominal(pattern: &str, zone: &str) -> Nominal {
        Nominal { pattern: Pattern::read(pattern).unwrap(), zone: TimeZone::get(zone).unwrap() }
    }

    fn ms(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn check(pattern: &str, zone: &str, (from, until): (&str, &str), expected: &[&str]) {
        let it = nominal(pattern, zone);
        let firings = std::iter::successors(it.next_after(ms(from)), |&last| it.next_after(last));
        let firings: Vec<i64> = firings.take_while(|&at| at <= ms(until)).collect();
        let said: Vec<String> = firings
            .iter()
            .map(|&at| Timestamp::from_millisecond(at).unwrap().strftime("%dT%H:%M").to_string())
            .collect();
        assert_eq!(said, expected, "{pattern} in {zone}");
        assert_eq!(it.count(ms(from), ms(until)), firings.len() as u64, "counted, {pattern} in {zone}");
        for (at, &firing) in firings.iter().enumerate() {
            assert_eq!(it.count(ms(from), firing), at as u64 + 1);
            assert_eq!(it.count(firing, ms(until)), (firings.len() - at - 1) as u64, "after {firing}");
        }
    }

    const SPRING: (&str, &str) = ("2027-03-27T23:30:00Z", "2027-03-28T02:30:00Z");
    const AUTUMN: (&str, &str) = ("2027-10-30T23:30:00Z", "2027-10-31T02:30:00Z");

    #[test]
    fn a_gap_moves_times_of_day_and_leaves_paces_out() {
        let zone = "Europe/Berlin";
        check("30 2 * * *", zone, SPRING, &["28T01:00"]);
        check("30 2,14 * * *", zone, SPRING, &["28T01:00"]);
        check("0,20,40 2 * * *", zone, SPRING, &["28T01:00"]);
        check("30 1-3 * * *", zone, SPRING, &["28T00:30", "28T01:00", "28T01:30"]);
        check("0 1-3 * * *", zone, SPRING, &["28T00:00", "28T01:00"]);
        check("0 */2 * * *", zone, SPRING, &["28T01:00", "28T02:00"]);
        check("30 * * * *", zone, SPRING, &["28T00:30", "28T01:30", "28T02:30"]);
        check("30 0-23 * * *", zone, SPRING, &["28T00:30", "28T01:30", "28T02:30"]);
        check("30 2 29 3 *", zone, SPRING, &[]);
    }

    #[test]
    fn a_fold_repeats_paces_and_no_time_of_day() {
        let zone = "Europe/Berlin";
        check("30 2 * * *", zone, AUTUMN, &["31T00:30"]);
        check("0 2 * * *", zone, AUTUMN, &["31T00:00"]);
        check("0 3 * * *", zone, AUTUMN, &["31T02:00"]);
        check("*/30 2 * * *", zone, AUTUMN, &["31T00:00", "31T00:30"]);
        check("30 * * * *", zone, AUTUMN, &["31T00:30", "31T01:30", "31T02:30"]);
        check("30 1-3 * * *", zone, AUTUMN, &["31T00:30", "31T02:30"]);
    }

    #[test]
    fn the_search_may_begin_inside_a_repeat() {
        let inside = ("2027-10-31T01:10:00Z", "2027-10-31T02:30:00Z");
        check("30 2 * * *", "Europe/Berlin", inside, &[]);
        check("30 2,3 * * *", "Europe/Berlin", inside, &["31T02:30"]);
        check("30 * * * *", "Europe/Berlin", inside, &["31T01:30", "31T02:30"]);
        check("0 2 * * *", "Europe/Berlin", ("2027-10-31T00:59:59Z", "2027-10-31T01:30:00Z"), &[]);
    }

    #[test]
    fn half_an_hour_is_a_change_too() {
        let zone = "Australia/Lord_Howe";
        check("15 2 * * *", zone, ("2027-10-02T12:00:00Z", "2027-10-02T23:00:00Z"), &["02T15:30"]);
        check("15,45 2 * * *", zone, ("2027-10-02T12:00:00Z", "2027-10-02T23:00:00Z"), &["02T15:30", "02T15:45"]);
        check("45 1 * * *", zone, ("2027-04-03T12:00:00Z", "2027-04-03T23:00:00Z"), &["03T14:45"]);
        check("45 * * * *", zone, ("2027-04-03T14:00:00Z", "2027-04-03T16:00:00Z"), &["03T14:45", "03T15:15"]);
    }

    #[test]
    fn a_day_that_a_country_left_out_is_moved_whole() {
        let around = ("2011-12-29T12:00:00Z", "2011-12-31T13:00:00Z");
        let expected = ["30T00:00", "30T10:00", "30T12:00", "31T00:00", "31T12:00"];
        check("0 2,14 * * *", "Pacific/Apia", around, &expected);
        check("0 2 30 12 *", "Pacific/Apia", around, &["30T10:00"]);
        check(
            "0 */6 * * *",
            "Pacific/Apia",
            ("2011-12-30T05:00:00Z", "2011-12-30T18:00:00Z"),
            &["30T10:00", "30T16:00"],
        );
    }

    #[test]
    fn midnight_may_be_what_is_left_out() {
        check("0 0 * * *", "Africa/Cairo", ("2024-04-25T20:00:00Z", "2024-04-25T23:00:00Z"), &["25T22:00"]);
    }

    #[test]
    fn the_latest_are_found_without_walking() {
        let (after, until) = (ms("2016-11-22T00:00:00Z"), ms("2026-11-22T12:34:56Z"));
        for (pattern, most) in [("* * * * *", 1_000), ("30 2 * * mon-fri", 7), ("0 0 29 2 *", 1), ("0 * * * *", 1)] {
            let it = nominal(pattern, "Europe/Berlin");
            let start = it.start_of_latest(most, after, until);
            assert_eq!(it.count(start, until), most, "{pattern}");
            assert_eq!(it.count(start - 1_000, until), most + 1, "{pattern}");
        }
        let rare = nominal("0 0 29 2 *", "Europe/Berlin");
        assert_eq!(rare.start_of_latest(1_000, after, until), after);
        assert_eq!(rare.count(after, until), 2);
        assert_eq!(nominal("* * * * *", "Europe/Berlin").count(after, until), 3_652 * 1_440 + 754);
    }
}
