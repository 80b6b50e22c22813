//! Cron patterns on a calendar without time zones: `croner` reads and searches them, daylight saving is for `nominal.rs`.

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, date};

/// The most bytes of a pattern: what is longer, nobody can read.
const PATTERN_BYTES_MAX: usize = 256;

const FIELDS: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];

/// A pattern that matches at some time.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    cron: Cron,
    hours: Vec<i64>,
    minutes: Vec<i64>,
}

impl Pattern {
    /// Reads a pattern, or says all that is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<String>> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(vec![format!("has {} bytes: at most {PATTERN_BYTES_MAX} are read", text.len())]);
        }
        let cron = parse(text).map_err(|problem| wrong_with(text, problem))?;
        let numbers = |values: Vec<u16>| values.into_iter().map(i64::from).collect();
        let pattern =
            Self { hours: numbers(cron.pattern.hours.values()), minutes: numbers(cron.pattern.minutes.values()), cron };
        pattern.is_ever().then_some(pattern).ok_or_else(|| vec![format!("`{text}` is never: no such day comes")])
    }

    /// Whether it matches at all. The calendar repeats after 400 years, weekdays included.
    fn is_ever(&self) -> bool {
        let mut days = date(2000, 1, 1).series(1.day()).take_while(|day| day.year() < 2400);
        self.in_day(1_440) > 0 && days.any(|day| self.is_day(day))
    }

    /// Whether it means every hour, and therefore a pace; one that does not means times of day.
    pub(crate) fn is_pace(&self) -> bool {
        self.hours.len() == 24
    }

    /// The first match after this moment, or from it on.
    pub(crate) fn next(&self, from: DateTime, inclusive: bool) -> Option<DateTime> {
        self.cron.find_next_occurrence(&from, inclusive).ok()
    }

    /// How many matches there are from the first moment on and before the second. It looks at each day between them.
    pub(crate) fn count(&self, from: DateTime, before: DateTime) -> u64 {
        let mut count = 0;
        let mut day = from.date();
        while from < before && day <= before.date() {
            if self.is_day(day) {
                let first = if day == from.date() { whole_minutes(from) } else { 0 };
                let last = if day == before.date() { whole_minutes(before) } else { 1_440 };
                count += self.in_day(last).saturating_sub(self.in_day(first));
            }
            let Ok(tomorrow) = day.tomorrow() else { break };
            day = tomorrow;
        }
        count
    }

    fn is_day(&self, day: Date) -> bool {
        let (year, month, of_month) = (i32::from(day.year()), day.month().unsigned_abs(), day.day().unsigned_abs());
        let weekday = Weekday::from_days_from_sunday(u32::from(day.weekday().to_sunday_zero_offset().unsigned_abs()));
        let pattern = &self.cron.pattern;
        pattern.month_match(u32::from(month)).unwrap_or(false)
            && pattern.day_match(year, u32::from(month), u32::from(of_month), weekday).unwrap_or(false)
    }

    /// The matches in the first so many minutes of a day that matches.
    fn in_day(&self, minutes: i64) -> u64 {
        let below = |values: &[i64], most: i64| values.iter().filter(|&&value| value < most).count();
        let (hour, minute) = (minutes / 60, minutes % 60);
        let whole = below(&self.hours, hour) * self.minutes.len();
        let part = if self.hours.contains(&hour) { below(&self.minutes, minute) } else { 0 };
        (whole + part) as u64
    }
}

/// Minutes of a day until the first whole one that is not before this moment.
fn whole_minutes(at: DateTime) -> i64 {
    let minutes = i64::from(at.hour()) * 60 + i64::from(at.minute());
    minutes + i64::from(at.second() > 0 || at.subsec_nanosecond() > 0)
}

fn parse(text: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| error.to_string())
}

/// Each field that is wrong by itself; `croner` does not say which one it means.
fn wrong_with(text: &str, problem: String) -> Vec<String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return vec![format!("`{text}` has {} fields: expected 5, {}", fields.len(), FIELDS.join(", "))];
    }
    let mut problems = Vec::new();
    for (at, (field, name)) in fields.iter().zip(FIELDS).enumerate() {
        let alone: Vec<&str> = (0..FIELDS.len()).map(|other| if other == at { field } else { "*" }).collect();
        if let Err(problem) = parse(&alone.join(" ")) {
            problems.push(format!("{name} `{field}`: {problem}"));
        }
    }
    if problems.is_empty() {
        problems.push(format!("`{text}`: {problem}"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pattern: &str, from: DateTime, before: DateTime) -> Vec<String> {
        let pattern = Pattern::read(pattern).unwrap();
        let first = pattern.next(from, true);
        let days = std::iter::successors(first, |&last| pattern.next(last, false));
        days.take_while(|&day| day < before).map(|day| day.strftime("%m-%d %H:%M").to_string()).collect()
    }

    fn days(pattern: &str, month: i8) -> Vec<String> {
        let from = date(2027, month, 1).at(0, 0, 0, 0);
        let before = if month == 12 { date(2028, 1, 1) } else { date(2027, month + 1, 1) }.at(0, 0, 0, 0);
        all(&format!("0 2 {pattern}"), from, before).iter().map(|day| day[3..5].to_owned()).collect()
    }

    #[test]
    fn days_are_what_technicians_write() {
        assert_eq!(days("* * fri#2", 3), ["12"]);
        assert_eq!(days("* * tue#5", 3), ["30"]);
        assert_eq!(days("* * tue#5", 2), [""; 0], "a month with four");
        assert_eq!(days("L * *", 2), ["28"]);
        assert_eq!(days("* * fri#L", 2), ["26"]);
        assert_eq!(days("* * friL", 2), ["26"]);
        assert_eq!(days("15W * *", 5), ["14"], "the 15th is a Saturday");
        assert_eq!(days("1W * *", 5), ["03"], "it does not leave the month");
        assert_eq!(days("LW * *", 2), ["26"]);
        assert_eq!(days("10-20/5 * *", 1), ["10", "15", "20"]);
        assert_eq!(days("1 jan,mar *", 3), ["01"]);
        assert_eq!(days("1 * mon", 2), ["01", "08", "15", "22"]);
        assert_eq!(days("13 * fri", 8), ["06", "13", "20", "27"], "either of both");
        assert_eq!(days("1-7 * +tue", 3), ["02"], "both");
        assert_eq!(days("* * 7", 1), days("* * sun", 1));
        assert_eq!(days("* * sat-sun", 1), days("* * 6,0", 1));
    }

    #[test]
    fn everything_wrong_with_a_pattern_is_said() {
        let problems = |text: &str| Pattern::read(text).unwrap_err().join("\n");
        let both = problems("60 24 * * *");
        assert!(both.contains("minute `60`") && both.contains("hour `24`"), "{both}");
        assert!(problems("0 2 * *").contains("4 fields"));
        assert!(problems("0 0 2 * * *").contains("6 fields"), "no seconds");
        assert!(problems("0 2 * * monday").contains("day of week `monday`"));
        assert!(problems("0 2 * * mon#6").contains("day of week"));
        assert!(problems("0 2 30 2 *").contains("never"));
        assert!(problems("0 2 31 4,6,9,11 *").contains("never"));
        assert!(problems(", 2 * * *").contains("never"));
        assert!(problems(&"1,".repeat(200)).contains("256"));
        assert!(Pattern::read("0 2 29 2 *").is_ok());
        assert!(Pattern::read("0 2 29 2 +mon").is_ok(), "once in 28 years");
        assert!(Pattern::read("@daily").is_ok());
    }

    #[test]
    fn counting_is_like_walking() {
        let from = date(2027, 2, 26).at(13, 7, 30, 0);
        for pattern in ["* * * * *", "*/7 3-19/4 * * *", "0 2 L * fri#2", "59 23 * * *", "0 0 29 2 *"] {
            let it = Pattern::read(pattern).unwrap();
            for before in [from, date(2027, 2, 26).at(13, 8, 0, 0), date(2027, 2, 26).at(13, 9, 0, 0)]
                .into_iter()
                .chain((1..20).map(|days| date(2027, 3, days).at(days, 2 * days, 0, 0)))
            {
                let walked = all(pattern, from, before).len() as u64;
                assert_eq!(it.count(from, before), walked, "{pattern} until {before}");
            }
        }
    }
}
