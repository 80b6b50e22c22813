//! Finds logs that are too large, or grow too fast: it looks twice, and compares.

use std::collections::BTreeMap;
use std::time::Duration;

use remit_sdk::files::{self, Selection};
use remit_sdk::human;
use remit_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

const MIB: u64 = 1 << 20;
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// The most logs that are looked at, the largest first.
const LOGS_MAX: u32 = 1_000;

/// Finds logs that are too large, or grow too fast.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LogGrowth {
    /// The root to look in, as host policy or `--bind` names it.
    root: String,
    /// Which files, as a glob over their paths.
    #[serde(default = "logs")]
    pattern: String,
    /// A log that is larger is a finding.
    #[serde(default = "half_a_gib")]
    #[schemars(range(min = 1))]
    max_file_mib: u64,
    /// A log that grows faster is a finding.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1))]
    max_mib_per_hour: u64,
    /// Seconds between both looks; 0 looks once, and says nothing about growth.
    #[serde(default = "ten")]
    #[schemars(range(max = 120))]
    sample_seconds: u64,
}

fn logs() -> String {
    "**/*.log".to_owned()
}

fn half_a_gib() -> u64 {
    512
}

fn hundred() -> u64 {
    100
}

fn ten() -> u64 {
    10
}

impl Detect for LogGrowth {
    fn detect(&self) -> Result<Report> {
        let (first_ms, first) = self.look()?;
        let (last_ms, last) = match self.sample_seconds {
            0 => (first_ms, first.clone()),
            seconds => {
                run::progress(10, &format!("looking again in {seconds} s"));
                if !run::sleep(Duration::from_secs(seconds)) {
                    run::check_cancelled()?;
                }
                self.look()?
            }
        };
        run::metric("log-size", last.values().sum::<u64>() as f64, "By", &[("root", &self.root)]);

        let mut findings: Vec<Finding> = last
            .iter()
            .filter(|&(_, &bytes)| bytes > self.max_file_mib * MIB)
            .map(|(path, &bytes)| self.large(path, bytes))
            .collect();
        // Rotated meanwhile, a log is smaller than before: then nothing is known of its growth.
        let grown = last.iter().filter_map(|(path, bytes)| Some((path, bytes.checked_sub(*first.get(path)?)?)));
        findings.extend(grown.filter_map(|(path, bytes)| self.fast(path, bytes, last_ms.saturating_sub(first_ms))));
        Ok(match findings.is_empty() {
            true => Report::compliant(format!("{} logs in {}, none too large or too fast", last.len(), self.root)),
            false => Report::non_compliant(""),
        }
        .findings(findings))
    }
}

impl LogGrowth {
    /// When it was, and the logs with their sizes.
    fn look(&self) -> Result<(u64, BTreeMap<String, u64>)> {
        let selection = Selection {
            max_depth: 64,
            pattern: Some(self.pattern.clone()),
            limit: LOGS_MAX,
            attributes: vec![("kind".into(), "file".into()), ("order".into(), "largest".into())],
            ..Selection::default()
        };
        let found = files::find_entries(&self.root, "", &selection).context(format!("looking in {}", self.root))?;
        if found.truncated {
            info!("there are more than {LOGS_MAX} logs: the smaller ones are left out");
        }
        Ok((run::now(), found.items.into_iter().map(|file| (file.path, file.size_bytes)).collect()))
    }

    fn large(&self, path: &str, bytes: u64) -> Finding {
        let title = format!("{path} is {}", human::bytes(bytes));
        Finding::new(format!("size:{}/{path}", self.root), title)
            .target(path)
            .with("limit", self.max_file_mib * MIB)
            .with("actual", bytes)
    }

    fn fast(&self, path: &str, grown_bytes: u64, elapsed_ms: u64) -> Option<Finding> {
        let per_hour = u128::from(grown_bytes) * u128::from(HOUR_MS) / u128::from(elapsed_ms.max(1));
        let per_hour = u64::try_from(per_hour).unwrap_or(u64::MAX);
        (elapsed_ms > 0 && per_hour > self.max_mib_per_hour * MIB).then(|| {
            Finding::new(
                format!("growth:{}/{path}", self.root),
                format!("{path} grows by {} an hour", human::bytes(per_hour)),
            )
            .target(path)
            .severity(Severity::Error)
            .evidence(format!("{} in {} s", human::bytes(grown_bytes), elapsed_ms / 1_000))
            .with("limit", self.max_mib_per_hour * MIB)
            .with("actual", per_hour)
        })
    }
}

remit_sdk::plugin!(LogGrowth: Detect);

#[cfg(test)]
mod tests;
