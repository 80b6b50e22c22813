//! The `schedule` trigger as it is written in a standing order.

use std::fmt;

use contract::Class;
use serde::{Deserialize, Serialize};

/// When a standing order runs, as a person writes it. [`crate::Schedule::new`] reads the texts, and says all that is wrong.
///
/// ```toml
/// cron = "0 2 * * mon-fri"
/// zone = "Europe/Berlin"
/// jitter = "30m"
/// misfire = "run-once-if-within(4h)"
/// allowed = [{ weekly = "daily 01:00-05:00" }]
/// blackout = [{ name = "year end", dates = "2026-12-20/2027-01-06", classes = ["L3", "L4"] }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trigger {
    /// Minute, hour, day of month, month, day of week: at most 256 bytes. Names, ranges, lists, steps; `fri#2` is the second
    /// Friday, `fri#L` the last one, `L` the last day, `15W` the weekday nearest to the 15th. Where both day fields are given
    /// either counts; a `+` before the day of week wants both.
    pub cron: String,
    /// The time zone that the pattern is meant in, with its name in the IANA database.
    pub zone: String,
    /// Over how much time devices spread: `30m`, at most 24 hours; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// Nothing is due before: `2026-11-22T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Nothing is due from then on: `2027-11-22T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `skip`, `run-once` (where it is left out), `run-all(3)` or `run-once-if-within(4h)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misfire: Option<String>,
    /// `skip` (where it is left out), `queue` or `replace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
    /// Runs start in one of these; at any time, where none of them concerns the order's class. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Window>,
    /// Runs start in none of these, whatever allows it. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackout: Vec<Window>,
}

/// A span of time, once or each week: either `weekly` or `dates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Window {
    /// What it is called where somebody asks why nothing ran; at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `mon-fri 22:00-06:00`, `sat,sun 00:00-24:00`, `daily 01:00-05:00`: days on which it begins, and minutes between which it
    /// is open. Where the end is not after the beginning, it is on the next day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<String>,
    /// `2026-12-20/2027-01-06`, both days included, or `2026-12-20T18:00/2027-01-07T06:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<String>,
    /// The time zone that it is meant in; the schedule's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whom it concerns: orders of these classes, or all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
}

/// Windows that are no order's own, such as those of a device's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Calendars {
    /// The time zone of windows that name none.
    pub zone: String,
    /// As in an order. Runs must be allowed by the order and by these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Window>,
    /// As in an order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackout: Vec<Window>,
}

/// Everything that is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadSchedule(
    /// One line each, beginning with the field.
    pub Vec<String>,
);

impl fmt::Display for BadSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}
