//! Says when a machine waits for a reboot, and for how long.

use remit_sdk::device::{self, RebootState};
use remit_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Says when a machine waits for a reboot, and for how long.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RebootPending {
    /// A reboot that is due for longer than so many days is an error, and no longer a warning.
    #[serde(default = "seven")]
    overdue_days: u64,
    /// A machine that has run for longer than so many days is a finding, even where nothing asks for a reboot; 0 for never.
    #[serde(default)]
    max_uptime_days: u64,
    /// Reasons that do not count, such as `services-stale`.
    #[serde(default)]
    ignore: Vec<String>,
}

fn seven() -> u64 {
    7
}

impl Detect for RebootPending {
    fn detect(&self) -> Result<Report> {
        let state = device::get_reboot_state()?;
        let uptime_days = run::now().saturating_sub(state.booted_ms) / DAY_MS;
        run::metric("uptime", uptime_days as f64, "d", &[]);

        let findings: Vec<Finding> = [self.due(&state), self.too_long(uptime_days)].into_iter().flatten().collect();
        let report = match findings.is_empty() {
            true => Report::compliant(format!("no reboot is due; started {uptime_days} days ago")),
            false => Report::non_compliant(""),
        };
        Ok(report.findings(findings))
    }
}

impl RebootPending {
    fn due(&self, state: &RebootState) -> Option<Finding> {
        let reasons: Vec<&str> = state
            .reasons
            .iter()
            .map(String::as_str)
            .filter(|reason| !self.ignore.iter().any(|it| it == reason))
            .collect();
        // A platform may know that a reboot is due and not why: that is no reason to ignore it.
        if !state.pending || (reasons.is_empty() && !state.reasons.is_empty()) {
            return None;
        }
        let why = if reasons.is_empty() { "no reason given".to_owned() } else { reasons.join(", ") };
        let attribute = |name| remit_sdk::attribute(&state.attributes, name);
        let waiting_days = attribute("since-ms")
            .and_then(|since| since.parse::<u64>().ok())
            .map(|since_ms| run::now().saturating_sub(since_ms) / DAY_MS);
        let (severity, title) = match waiting_days {
            Some(days) if days > self.overdue_days => {
                (Severity::Error, format!("a reboot has been due for {days} days: {why}"))
            }
            _ => (Severity::Warning, format!("a reboot is due: {why}")),
        };
        let evidence = ["packages", "services", "running-kernel", "installed-kernel"]
            .into_iter()
            .filter_map(|name| Some(format!("{name}: {}", attribute(name)?)))
            .collect::<Vec<_>>();
        Some(Finding::new("reboot", title).severity(severity).evidence(evidence.join("\n")).with("reasons", why))
    }

    fn too_long(&self, uptime_days: u64) -> Option<Finding> {
        let limit = self.max_uptime_days;
        (limit > 0 && uptime_days > limit).then(|| {
            Finding::new("uptime", format!("the machine has run for {uptime_days} days"))
                .with("limit", limit)
                .with("actual", uptime_days)
        })
    }
}

remit_sdk::plugin!(RebootPending: Detect);

#[cfg(test)]
mod tests;
