//! When anything may start at all: an order's beginning and end, and windows. Schedules and event rules share it.

use std::str::FromStr;

use contract::Class;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calendar::{self, Ahead, Calendar, Set, Span};
use super::{Device, Window};
use crate::{Against, Reason, text};

/// The most windows of one kind in one place: a year of monthly exceptions fits twice.
const WINDOWS_MAX: usize = 32;

/// The most bytes of a window's name.
const NAME_BYTES_MAX: usize = 64;

/// What of an order says when it may start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    pub(crate) start: Option<&'a str>,
    pub(crate) expires: Option<&'a str>,
    pub(crate) allowed: &'a [Window],
    pub(crate) blackout: &'a [Window],
    /// That of windows that name none.
    pub(crate) zone: &'a TimeZone,
}

/// When runs of an order may start.
#[derive(Clone, Debug)]
pub(crate) struct Permit {
    pub(crate) start_ms: Option<i64>,
    pub(crate) expires_ms: Option<i64>,
    calendar: Calendar,
}

impl Permit {
    /// Reads what was written and what the device says. What is wrong is left out, and told.
    pub(crate) fn read(written: &Written<'_>, class: Class, device: &Device, problems: &mut Vec<String>) -> Self {
        let start_ms = keep(text::moment(written.start), "start", problems).flatten();
        let expires_ms = keep(text::moment(written.expires), "expires", problems).flatten();
        if let (Some(start), Some(expires)) = (start_ms, expires_ms)
            && expires <= start
        {
            problems.push("expires: the order would end before it starts".to_owned());
        }
        let mut sets = vec![set(written.allowed, written.blackout, written.zone, "", problems)];
        for (at, calendars) in device.calendars.iter().enumerate() {
            let place = format!("calendars[{at}].");
            let zone = keep(zone(&calendars.zone), &format!("{place}zone"), problems);
            let zone = zone.unwrap_or(TimeZone::UTC);
            sets.push(set(&calendars.allowed, &calendars.blackout, &zone, &place, problems));
        }
        Self { start_ms, expires_ms, calendar: Calendar::new(sets, class) }
    }

    /// Whether a run may start at this moment.
    pub(crate) fn admits(&self, at_ms: i64) -> Result<(), Reason> {
        self.is_valid(at_ms)?;
        self.calendar.check(timestamp(at_ms))
    }

    /// What speaks against a start at this moment, and until when.
    pub(crate) fn against(&self, at_ms: i64) -> Option<Against> {
        let reason = self.admits(at_ms).err()?;
        let until_ms = match reason {
            Reason::NotStarted => self.start_ms,
            Reason::Expired => None,
            _ => self.opens_ms(at_ms),
        };
        Some(Against::new(reason, until_ms))
    }

    /// Whether the order has begun, and not ended.
    pub(crate) fn is_valid(&self, at_ms: i64) -> Result<(), Reason> {
        if self.start_ms.is_some_and(|start| at_ms < start) {
            return Err(Reason::NotStarted);
        }
        if self.expires_ms.is_some_and(|expires| at_ms >= expires) {
            return Err(Reason::Expired);
        }
        Ok(())
    }

    /// The first moment after this one at which windows may answer otherwise.
    pub(crate) fn next_change_ms(&self, after_ms: i64) -> i64 {
        self.calendar.next_change(timestamp(after_ms)).as_millisecond()
    }

    /// When a run may start again that no window allows now.
    pub(crate) fn opens_ms(&self, at_ms: i64) -> Option<i64> {
        self.calendar.opens_after(timestamp(at_ms)).map(Timestamp::as_millisecond)
    }

    /// To look ahead in the windows.
    pub(crate) fn ahead(&self) -> Ahead<'_> {
        self.calendar.ahead()
    }
}

/// The moment, or the end of time where that comes first.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// What was read, or nothing and a line that says why.
pub(crate) fn keep<T>(read: Result<T, String>, field: &str, problems: &mut Vec<String>) -> Option<T> {
    read.map_err(|problem| problems.push(format!("{field}: {problem}"))).ok()
}

pub(crate) fn parsed<T: FromStr<Err = String> + Default>(text: Option<&str>) -> Result<T, String> {
    text.map_or_else(|| Ok(T::default()), str::parse)
}

pub(crate) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        format!(
            "this system knows no time zone `{name}`: expected such as `Europe/Berlin`, and `tzdata` to be installed"
        )
    })
}

fn set(allowed: &[Window], blackout: &[Window], zone: &TimeZone, place: &str, problems: &mut Vec<String>) -> Set {
    let mut spans = |windows: &[Window], kind: &str| {
        if windows.len() > WINDOWS_MAX {
            problems.push(format!("{place}{kind}: has {} windows, at most {WINDOWS_MAX} are looked at", windows.len()));
        }
        let mut spans = Vec::new();
        for (at, window) in windows.iter().take(WINDOWS_MAX).enumerate() {
            let place = format!("{place}{kind}[{at}]");
            spans.extend(span(window, zone, &place, problems));
        }
        spans
    };
    Set { allowed: spans(allowed, "allowed"), blackout: spans(blackout, "blackout") }
}

fn span(window: &Window, default: &TimeZone, place: &str, problems: &mut Vec<String>) -> Option<Span> {
    if window.name.as_ref().is_some_and(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
        problems.push(format!("{place}.name: expected 1 to {NAME_BYTES_MAX} bytes"));
    }
    let zone = match &window.zone {
        Some(name) => keep(zone(name), &format!("{place}.zone"), problems),
        None => Some(default.clone()),
    };
    let when = match (&window.weekly, &window.dates) {
        (Some(text), None) => keep(calendar::weekly(text), &format!("{place}.weekly"), problems),
        (None, Some(text)) => keep(calendar::dates(text), &format!("{place}.dates"), problems),
        _ => {
            problems.push(format!("{place}: expected either `weekly` or `dates`"));
            None
        }
    };
    Some(Span { name: window.name.clone(), zone: zone?, classes: window.classes.clone(), when: when? })
}
