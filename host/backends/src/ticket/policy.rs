use contract::ticket::Level;
use globset::GlobMatcher;
use serde::{Deserialize, Serialize};

/// `[ticket]` in host policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// What numbers begin with: `T` gives `T-000042`.
    pub number_prefix: String,
    /// How long after it was resolved a ticket is reopened instead of a new one made, unless the draft says otherwise.
    pub reopen_window_seconds: u64,
    /// How long a resolved or cancelled ticket is kept.
    pub keep_days: u32,
    /// How many new tickets one plugin may make in 24 hours; further drafts are suppressed.
    pub new_per_day_max: u32,
    /// Impact × urgency → priority.
    pub priority: Matrix,
    /// What is not raised.
    pub mute: Vec<Mute>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            number_prefix: "T".to_owned(),
            reopen_window_seconds: 7 * 86_400,
            keep_days: 400,
            // A plugin that raises more than this has a fingerprint that is different each time.
            new_per_day_max: 50,
            priority: Matrix::default(),
            mute: Vec::new(),
        }
    }
}

/// A priority, 1 (highest) to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

impl TryFrom<u8> for Priority {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            1..=4 => Ok(Self(number)),
            _ => Err(format!("a priority is 1 (highest) to 4, not {number}")),
        }
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

/// Priorities by impact, then by urgency. What is left out stays ITIL's:
///
/// | impact | urgency high | medium | low |
/// | --- | --- | --- | --- |
/// | high | 1 | 2 | 3 |
/// | medium | 2 | 3 | 4 |
/// | low | 3 | 4 | 4 |
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Matrix {
    /// Where the impact is high.
    pub high: Row,
    /// Where it is medium.
    pub medium: Row,
    /// Where it is low.
    pub low: Row,
}

/// Priorities by urgency; none where ITIL's holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Row {
    /// Where the urgency is high.
    pub high: Option<Priority>,
    /// Where it is medium.
    pub medium: Option<Priority>,
    /// Where it is low.
    pub low: Option<Priority>,
}

impl Matrix {
    /// The priority of something of this impact and urgency.
    pub fn priority(&self, impact: Level, urgency: Level) -> Priority {
        let row = match impact {
            Level::High => &self.high,
            Level::Medium => &self.medium,
            Level::Low => &self.low,
        };
        let own = match urgency {
            Level::High => row.high,
            Level::Medium => row.medium,
            Level::Low => row.low,
        };
        own.unwrap_or_else(|| Priority((1 + steps(impact) + steps(urgency)).min(4)))
    }
}

/// How far below `high`.
fn steps(level: Level) -> u8 {
    match level {
        Level::High => 0,
        Level::Medium => 1,
        Level::Low => 2,
    }
}

/// `[[ticket.mute]]`: what is not raised, and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mute {
    /// The plugin; all if left out.
    #[serde(default)]
    pub plugin: Option<String>,
    /// A glob of fingerprints; all if left out.
    #[serde(default)]
    pub fingerprint: Option<Pattern>,
    /// When it ends (RFC 3339); never if left out.
    #[serde(default)]
    pub until: Option<Moment>,
    /// What the plugin and the record are told.
    pub reason: String,
}

impl Mute {
    fn holds(&self, plugin: &str, fingerprint: &str, now_ms: u64) -> bool {
        self.plugin.as_deref().is_none_or(|muted| muted == plugin)
            && self.fingerprint.as_ref().is_none_or(|glob| glob.0.is_match(fingerprint))
            && self.until.is_none_or(|until| now_ms < until.0)
    }
}

/// A glob, compiled.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(GlobMatcher);

impl TryFrom<String> for Pattern {
    type Error = globset::Error;

    fn try_from(text: String) -> Result<Self, globset::Error> {
        Ok(Self(globset::Glob::new(&text)?.compile_matcher()))
    }
}

/// A point in time, in milliseconds since 1970; written as RFC 3339.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(u64);

impl TryFrom<String> for Moment {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        let timestamp: jiff::Timestamp = text.parse()?;
        Ok(Self(u64::try_from(timestamp.as_millisecond()).unwrap_or_default()))
    }
}

impl Policy {
    /// Why this is not raised, where it is not.
    pub(super) fn mute(&self, plugin: &str, fingerprint: &str, now_ms: u64) -> Option<&Mute> {
        self.mute.iter().find(|mute| mute.holds(plugin, fingerprint, now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_follows_the_matrix_unless_policy_says_otherwise() {
        use Level::{High, Low, Medium};
        let own: Policy = toml::from_str("[priority.low]\nlow = 1").unwrap();
        let rows = |matrix: &Matrix| -> Vec<u8> {
            [High, Medium, Low]
                .into_iter()
                .flat_map(|impact| [High, Medium, Low].map(|urgency| matrix.priority(impact, urgency).into()))
                .collect()
        };
        assert_eq!(rows(&Matrix::default()), [1, 2, 3, 2, 3, 4, 3, 4, 4]);
        assert_eq!(rows(&own.priority), [1, 2, 3, 2, 3, 4, 3, 4, 1]);
        assert!(toml::from_str::<Policy>("[priority.low]\nlow = 5").is_err());
        assert!(toml::from_str::<Policy>("reopen-widow-seconds = 5").is_err());
    }

    #[test]
    fn a_mute_is_for_a_plugin_a_fingerprint_and_a_time() {
        let policy: Policy = toml::from_str(
            "[[mute]]\nplugin = 'p'\nfingerprint = 'disk-*'\nuntil = '1970-01-01T00:00:01Z'\nreason = 'known'",
        )
        .unwrap();
        assert!(policy.mute("p", "disk-full", 999).is_some());
        assert!(policy.mute("p", "disk-full", 1_000).is_none());
        assert!(policy.mute("p", "cpu", 999).is_none());
        assert!(policy.mute("q", "disk-full", 999).is_none());
    }
}
