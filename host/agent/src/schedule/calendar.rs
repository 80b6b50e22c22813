//! Windows: when a run may start, and when not.

use contract::Class;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::Reason;

const DAY_MINUTES: i64 = 1_440;

/// How far ahead is looked for an opening: each window of a year has been by then.
const OPENS_WITHIN: SignedDuration = SignedDuration::from_hours(366 * 24);
/// How many changes are looked at for it: a year of a dozen windows, each opened and closed every day.
const CHANGES_MAX: usize = 10_000;

/// A window, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: Option<String>,
    pub(crate) zone: TimeZone,
    /// All, where none is named.
    pub(crate) classes: Vec<Class>,
    pub(crate) when: When,
}

/// When a window is open, in the time of its zone.
#[derive(Clone, Debug)]
pub(crate) enum When {
    /// Each week on these days, Monday first, between two minutes of the day. One that does not end after its beginning ends on
    /// the next day.
    Weekly { days: [bool; 7], from: i64, to: i64 },
    /// Once, from the first moment until just before the second.
    Dates { from: DateTime, to: DateTime },
}

/// Where runs are allowed, and where not: the order's own windows, or the device's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    /// Nothing here means always.
    pub(crate) allowed: Vec<Span>,
    pub(crate) blackout: Vec<Span>,
}

/// All sets that a run must stand before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calendar(Vec<Set>);

impl Calendar {
    /// What of these windows concerns runs of this class.
    pub(crate) fn new(sets: impl IntoIterator<Item = Set>, class: Class) -> Self {
        let concerns = |span: &Span| span.classes.is_empty() || span.classes.contains(&class);
        let cut = |mut set: Set| {
            set.allowed.retain(concerns);
            set.blackout.retain(concerns);
            set
        };
        Self(sets.into_iter().map(cut).collect())
    }

    /// Whether a run may start. A blackout wins.
    pub(crate) fn check(&self, at: Timestamp) -> Result<(), Reason> {
        if let Some(span) = self.0.iter().flat_map(|set| &set.blackout).find(|span| span.holds(at)) {
            return Err(Reason::Blackout { name: span.name.clone() });
        }
        let is_open = |set: &Set| set.allowed.is_empty() || set.allowed.iter().any(|span| span.holds(at));
        if self.0.iter().all(is_open) { Ok(()) } else { Err(Reason::Window) }
    }

    /// To look ahead from one moment after another.
    pub(crate) fn ahead(&self) -> Ahead<'_> {
        Ahead { calendar: self, known: None }
    }

    /// When a run may start again that may not now; none where nobody finds it in a year's time.
    pub(crate) fn opens_after(&self, at: Timestamp) -> Option<Timestamp> {
        let most = at.checked_add(OPENS_WITHIN).unwrap_or(Timestamp::MAX);
        let changes = std::iter::successors(Some(self.next_change(at)), |&change| Some(self.next_change(change)));
        changes.take_while(|change| *change <= most).take(CHANGES_MAX).find(|&change| self.check(change).is_ok())
    }

    /// The first moment after this one at which the answer may be another.
    pub(crate) fn next_change(&self, after: Timestamp) -> Timestamp {
        let spans = self.0.iter().flat_map(|set| set.allowed.iter().chain(&set.blackout));
        spans.filter_map(|span| span.next_change(after)).min().unwrap_or(Timestamp::MAX)
    }
}

/// Looks ahead. What was found for one moment is known for the next, so that many moments cost what the time between them does.
pub(crate) struct Ahead<'a> {
    calendar: &'a Calendar,
    known: Option<Stretch>,
}

/// A time in which the answer is the same.
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    answer: Result<(), Reason>,
    /// Whether the answer is another one from then on; else nobody has looked.
    is_end: bool,
}

impl Ahead<'_> {
    /// How long runs may start from this moment on, looking ahead so far at most; or why they may not.
    pub(crate) fn open_until(&mut self, at: Timestamp, most: Timestamp) -> Result<Timestamp, Reason> {
        let calendar = self.calendar;
        let known = self.known.take().filter(|known| known.from <= at && at < known.to);
        let known = self.known.insert(known.unwrap_or_else(|| Stretch {
            from: at,
            to: calendar.next_change(at),
            answer: calendar.check(at),
            is_end: false,
        }));
        known.answer.clone()?;
        while known.to < most && !known.is_end {
            match calendar.check(known.to) {
                Ok(()) => known.to = calendar.next_change(known.to),
                Err(_) => known.is_end = true,
            }
        }
        Ok(known.to.min(most))
    }
}

impl Span {
    fn holds(&self, at: Timestamp) -> bool {
        let civil = self.zone.to_offset(at).to_datetime(at);
        match &self.when {
            When::Dates { from, to } => *from <= civil && civil < *to,
            When::Weekly { days, from, to } => {
                let today = civil.weekday();
                let has =
                    |day: Weekday| days.get(usize::from(day.to_monday_zero_offset().unsigned_abs())) == Some(&true);
                // Seconds do not matter: both ends are whole minutes, and the end does not belong to the window.
                let minute = i64::from(civil.hour()) * 60 + i64::from(civil.minute());
                if from < to {
                    has(today) && *from <= minute && minute < *to
                } else {
                    (has(today) && *from <= minute) || (has(today.previous()) && minute < *to)
                }
            }
        }
    }

    /// The first moment after this one at which the answer may be another.
    fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let change = self.zone.following(after).next().map(|change| change.timestamp());
        let ends = self.ends_near(self.zone.to_offset(after).to_datetime(after).date());
        let ends = ends.into_iter().flat_map(|end| self.moments(end));
        ends.chain(change).filter(|&moment| moment > after).min()
    }

    /// Where it may begin or end on this day or the next one.
    fn ends_near(&self, day: Date) -> Vec<DateTime> {
        match self.when {
            When::Dates { from, to } => vec![from, to],
            When::Weekly { from, to, .. } => {
                let midnights = [Some(day), day.tomorrow().ok()].into_iter().flatten();
                let of_day = |day: Date| [from, to].map(|minutes| at_minute(day, minutes));
                midnights.flat_map(of_day).flatten().collect()
            }
        }
    }

    /// The moments that have this civil time: none, one or two.
    fn moments(&self, civil: DateTime) -> impl Iterator<Item = Timestamp> {
        let offsets = match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
            AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
            // The change itself is asked about anyway.
            AmbiguousOffset::Gap { .. } => [None, None],
        };
        offsets.into_iter().flatten().filter_map(move |offset| offset.to_timestamp(civil).ok())
    }
}

/// So many minutes into a day; 1,440 is the midnight at its end.
fn at_minute(day: Date, minutes: i64) -> Option<DateTime> {
    day.to_datetime(Time::midnight()).checked_add(SignedDuration::from_mins(minutes)).ok()
}

/// Reads `mon-fri 22:00-06:00`, `sat,sun 00:00-24:00` or `daily 01:00-05:00`.
pub(crate) fn weekly(text: &str) -> Result<When, String> {
    let wrong = || format!("`{text}` is no weekly time: expected such as `mon-fri 22:00-06:00` or `daily 01:00-05:00`");
    let (names, times) = text.split_once(' ').ok_or_else(wrong)?;
    let (from, to) = times.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
    if from == DAY_MINUTES {
        return Err(wrong());
    }
    Ok(When::Weekly { days: days(names).ok_or_else(wrong)?, from, to })
}

/// Reads `2026-12-20/2027-01-06`, both days included, or `2026-12-20T18:00/2027-01-07T06:00`, without its last moment.
pub(crate) fn dates(text: &str) -> Result<When, String> {
    let wrong = || {
        format!(
            "`{text}` is no range of dates: expected such as `2026-12-20/2027-01-06` or `2026-12-20T18:00/2027-01-07T06:00`"
        )
    };
    let (from, to) = text.split_once('/').ok_or_else(wrong)?;
    let moment = |text: &str, is_end: bool| match text.len() {
        10 => at_minute(text.parse().ok()?, if is_end { DAY_MINUTES } else { 0 }),
        16 => text.parse::<DateTime>().ok(),
        _ => None,
    };
    let (from, to) = (moment(from, false).ok_or_else(wrong)?, moment(to, true).ok_or_else(wrong)?);
    if to <= from {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok(When::Dates { from, to })
}

fn minute(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| is_two)
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

fn days(text: &str) -> Option<[bool; 7]> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    if text == "daily" {
        return Some([true; 7]);
    }
    let at = |name: &str| NAMES.iter().position(|it| *it == name);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (at(first)?, at(last)?);
        // `sat-mon` goes over the end of the week.
        let many = (last + 7 - first) % 7;
        for step in 0..=many {
            *days.get_mut((first + step) % 7)? = true;
        }
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(when: When) -> Span {
        Span { name: None, zone: TimeZone::get("Europe/Berlin").unwrap(), classes: Vec::new(), when }
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_week_has_nights() {
        let nights = span(weekly("mon,fri 22:00-06:00").unwrap());
        for (time, holds) in [
            ("2026-11-23T20:59:59Z", false),
            ("2026-11-23T21:00:00Z", true),
            ("2026-11-24T04:59:59Z", true),
            ("2026-11-24T05:00:00Z", false),
            ("2026-11-24T21:00:00Z", false),
            ("2026-11-28T04:00:00Z", true),
        ] {
            assert_eq!(nights.holds(at(time)), holds, "{time}");
        }
        let whole = span(weekly("sat-mon 00:00-24:00").unwrap());
        assert!(whole.holds(at("2026-11-22T22:59:59Z")) && whole.holds(at("2026-11-23T22:59:59Z")));
        assert!(!whole.holds(at("2026-11-23T23:00:00Z")) && !whole.holds(at("2026-11-20T22:59:59Z")));
    }

    #[test]
    fn dates_include_their_last_day() {
        let days = span(dates("2026-12-20/2027-01-06").unwrap());
        assert!(!days.holds(at("2026-12-19T22:59:59Z")) && days.holds(at("2026-12-19T23:00:00Z")));
        assert!(days.holds(at("2027-01-06T22:59:59Z")) && !days.holds(at("2027-01-06T23:00:00Z")));
        let times = span(dates("2026-12-20T18:00/2027-01-07T06:00").unwrap());
        assert!(times.holds(at("2026-12-20T17:00:00Z")) && !times.holds(at("2027-01-07T05:00:00Z")));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "mon",
            "mon 1:00-2:00",
            "mon 22:00",
            "mon 24:00-01:00",
            "mon 10:60-11:00",
            "mon 10:00-24:01",
            "Mo 10:00-11:00",
            "mon- 10:00-11:00",
            "mon +1:00-02:00",
        ] {
            assert!(weekly(text).is_err(), "{text}");
        }
        for text in [
            "",
            "2026-12-20",
            "2026-12-20/2026-12-19",
            "2026-02-29/2026-03-01",
            "2026-12-20T18:00/2026-12-20T18:00",
            "20261220/20261221",
        ] {
            assert!(dates(text).is_err(), "{text}");
        }
        assert!(weekly("mon 10:00-10:00").is_ok(), "a whole day from ten to ten");
        assert!(dates("2026-12-20/2026-12-20").is_ok());
    }

    #[test]
    fn an_opening_ends_where_anything_closes_it() {
        let open = |allowed: &[&str], blackout: &[&str], from: &str| {
            let spans = |texts: &[&str]| texts.iter().map(|text| span(weekly(text).unwrap())).collect();
            let set = Set { allowed: spans(allowed), blackout: spans(blackout) };
            let calendar = Calendar::new([set], Class::L2);
            calendar.ahead().open_until(at(from), at(from).checked_add(SignedDuration::from_hours(12)).unwrap())
        };
        let until = |time: &str| Ok(at(time));
        assert_eq!(open(&[], &[], "2026-11-22T00:00:00Z"), until("2026-11-22T12:00:00Z"));
        assert_eq!(open(&["daily 01:00-05:00"], &[], "2026-11-22T00:30:00Z"), until("2026-11-22T04:00:00Z"));
        let both = ["daily 01:00-05:00", "sun 05:00-07:00"];
        assert_eq!(
            open(&both, &[], "2026-11-22T00:30:00Z"),
            until("2026-11-22T06:00:00Z"),
            "windows that meet are one"
        );
        assert_eq!(open(&both, &["sun 03:00-03:30"], "2026-11-22T00:30:00Z"), until("2026-11-22T02:00:00Z"));
        assert_eq!(open(&both, &["sun 03:00-03:30"], "2026-11-22T02:00:00Z"), Err(Reason::Blackout { name: None }));
        assert_eq!(open(&both, &[], "2026-11-22T06:00:00Z"), Err(Reason::Window));
        // In the night of the change from 03:00 back to 02:00, the window until 02:30 opens a second time.
        assert_eq!(open(&["daily 01:00-02:30"], &[], "2027-10-30T23:00:00Z"), until("2027-10-31T00:30:00Z"));
        assert_eq!(open(&["daily 01:00-02:30"], &[], "2027-10-31T01:00:00Z"), until("2027-10-31T01:30:00Z"));
        // In the night of the change from 02:00 to 03:00, a window that would end at 02:30 ends at the change.
        assert_eq!(open(&["daily 01:00-02:30"], &[], "2027-03-28T00:10:00Z"), until("2027-03-28T01:00:00Z"));
    }
}
