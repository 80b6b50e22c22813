use contract::types::Severity;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;

/// When a route is silent, unless it is bad enough.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct QuietHours {
    from: Time,
    to: Time,
    zone: TimeZone,
    /// This and worse breaks through.
    severity: Severity,
}

/// `quiet-hours = { from = "22:00", to = "07:00", time-zone = "Europe/Berlin", severity = "critical" }`
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    from: String,
    to: String,
    time_zone: String,
    #[serde(default = "critical")]
    severity: Severity,
}

fn critical() -> Severity {
    Severity::Critical
}

impl TryFrom<Written> for QuietHours {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let time =
            |text: &str| text.parse::<Time>().map_err(|_| format!("`{text}` is no time of day, such as `22:00`"));
        let (from, to) = (time(&written.from)?, time(&written.to)?);
        if from == to {
            return Err(format!("quiet hours from {} to the same time are none", written.from));
        }
        let zone = TimeZone::get(&written.time_zone)
            .map_err(|_| format!("`{}` is no time zone of this machine, such as `Europe/Berlin`", written.time_zone))?;
        Ok(Self { from, to, zone, severity: written.severity })
    }
}

impl QuietHours {
    /// Until when something this bad is held back; none where it is not.
    pub(super) fn hold_until_ms(&self, severity: Severity, now_ms: u64) -> Option<u64> {
        if severity as u8 >= self.severity as u8 {
            return None;
        }
        let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?.to_zoned(self.zone.clone());
        let (date, time) = (now.date(), now.time());
        let is_quiet = match self.from < self.to {
            true => self.from <= time && time < self.to,
            false => time >= self.from || time < self.to,
        };
        let ends_on = if time < self.to { date } else { date.checked_add(1.day()).ok()? };
        let end = ends_on.to_datetime(self.to).to_zoned(self.zone.clone()).ok()?;
        is_quiet.then_some(u64::try_from(end.timestamp().as_millisecond()).ok()?)
    }

    /// When they end, for a person.
    pub(super) fn reason(&self) -> String {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        format!("quiet hours until {} {zone}: sent then", self.to.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(hours: &str, severity: Severity, now: &str) -> Option<String> {
        let hours: QuietHours = toml::from_str(hours).unwrap();
        let now: Timestamp = now.parse().unwrap();
        let until = hours.hold_until_ms(severity, u64::try_from(now.as_millisecond()).unwrap())?;
        Some(Timestamp::from_millisecond(i64::try_from(until).unwrap()).unwrap().to_string())
    }

    #[test]
    fn quiet_hours_are_local_and_go_over_midnight() {
        let night = "from = '22:00'\nto = '07:00'\ntime-zone = 'Europe/Berlin'\nseverity = 'error'";
        let at = |now: &str| hold(night, Severity::Warning, now);
        assert_eq!(at("2026-01-10T20:59:59Z"), None);
        assert_eq!(at("2026-01-10T21:00:00Z").as_deref(), Some("2026-01-11T06:00:00Z"));
        assert_eq!(at("2026-01-11T05:59:59Z").as_deref(), Some("2026-01-11T06:00:00Z"));
        assert_eq!(at("2026-01-11T06:00:00Z"), None);
        assert_eq!(at("2026-03-28T22:00:00Z").as_deref(), Some("2026-03-29T05:00:00Z"), "summer time begins");
        assert_eq!(hold(night, Severity::Error, "2026-01-10T23:00:00Z"), None, "it breaks through");
        let noon = "from = '12:00'\nto = '13:00'\ntime-zone = 'UTC'";
        assert_eq!(hold(noon, Severity::Error, "2026-01-10T12:30:00Z").as_deref(), Some("2026-01-10T13:00:00Z"));
        assert_eq!(hold(noon, Severity::Error, "2026-01-10T13:00:00Z"), None);
    }

    #[test]
    fn quiet_hours_that_are_none_are_refused() {
        for bad in [
            "from = '22:00'\nto = '22:00'\ntime-zone = 'UTC'",
            "from = '25:00'\nto = '07:00'\ntime-zone = 'UTC'",
            "from = '22:00'\nto = '07:00'\ntime-zone = 'Mars/Olympus'",
            "from = '22:00'\nto = '07:00'",
        ] {
            assert!(toml::from_str::<QuietHours>(bad).is_err(), "{bad}");
        }
    }
}
