//! The `event` trigger as it is written in a standing order.

use serde::{Deserialize, Serialize};

use crate::{Watch, Window};

/// What a standing order waits for, as a person writes it.
///
/// ```toml
/// watch = { type = "disk-free", path = "/", below = "10%", clear = "15%" }
/// filter = "event.data.free < 5000000000 && device.os == 'linux'"
/// for = "5m"
/// cooldown = "1h"
/// max-per-hour = 2
/// breaker = "6/1d"
/// zone = "Europe/Berlin"
/// allowed = [{ weekly = "daily 01:00-05:00" }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EventTrigger {
    /// What is watched.
    pub watch: Watch,
    /// What of it counts: a CEL expression over `event` and `device` that answers a bool; at most 4 KiB. All, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How long a level must hold: `5m`, at most 7 days.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub sustain: Option<String>,
    /// How long it must be quiet before a burst counts, as one: `30s`, at most 1 hour. One that goes on counts at last after ten
    /// times as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce: Option<String>,
    /// How long after a firing the rule does not fire: `1h`, at most 31 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<String>,
    /// The most firings in any hour; 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_hour: Option<u32>,
    /// More firings in so much time switch the rule off until somebody looks: `10/1h`, which is what holds if it is left out; at
    /// most 100, in at most 31 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<String>,
    /// Nothing fires before: `2026-11-22T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Nothing fires from then on: `2027-11-22T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `skip` (where it is left out), `queue` or `replace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
    /// The time zone of windows that name none. Where there are such windows, it is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Levels that waited for a window fire later by this device's place in it: `30m`, at most 24 hours. Devices that wait for the
    /// same window do not begin at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// Runs start in one of these; at any time, where none of them concerns the order's class. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Window>,
    /// Runs start in none of these, whatever allows it. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackout: Vec<Window>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_written_as_people_write() {
        let text = "watch = { type = \"disk-free\", path = \"/\", below = \"10%\" }\nfor = \"5m\"\nmax-per-hour = 2\n";
        let trigger: EventTrigger = toml::from_str(text).unwrap();
        assert_eq!((trigger.sustain.as_deref(), trigger.max_per_hour), (Some("5m"), Some(2)));
        assert_eq!(toml::from_str::<EventTrigger>(&toml::to_string(&trigger).unwrap()).unwrap(), trigger);
        let unknown = toml::from_str::<EventTrigger>(&format!("{text}max_per_hour = 2")).unwrap_err();
        assert!(unknown.to_string().contains("max_per_hour"), "{unknown}");
    }
}
