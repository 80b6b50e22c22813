//! Finds updates that are overdue, installs what the policy on the machine approves, and takes the reboot that they need.

mod report;

use remit_sdk::patch::{self, Approval, Classification, SourceHealth, Update, UpdateState};
use remit_sdk::patch_install::{self, InstallOptions, InstallOutcome, RebootPolicy};
use remit_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// The most updates in one installation, and so in one report: the next run goes on.
const UPDATES_MAX: usize = 500;

/// Finds updates that are overdue, installs what policy approves, and takes the reboot they need.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PatchCompliance {
    /// Where updates come from.
    #[serde(default = "apt")]
    sources: Vec<String>,
    /// Days that a security or critical update may be pending; 0 for none.
    #[serde(default = "seven")]
    security_days: u64,
    /// Days that any other update may be pending.
    #[serde(default = "thirty")]
    other_days: u64,
    /// Days that the list of updates may be old: an old list knows nothing of new updates.
    #[serde(default = "seven")]
    index_days: u64,
    /// Whether the reboot that updates need is asked for.
    #[serde(default)]
    reboot: bool,
}

fn apt() -> Vec<String> {
    vec!["apt".to_owned()]
}

fn seven() -> u64 {
    7
}

fn thirty() -> u64 {
    30
}

/// What a finding is about, and so what `remediate` does with it.
const ABOUT: &str = "about";

impl Detect for PatchCompliance {
    fn detect(&self) -> Result<Report> {
        let mut updates = patch::list_updates()?;
        updates.retain(|update| self.sources.contains(&update.source));
        let mut sources = patch::list_sources()?;
        sources.retain(|source| self.sources.contains(&source.source));
        let mut findings: Vec<Finding> = sources.iter().filter_map(|source| self.look_at_source(source)).collect();
        findings.extend(updates.iter().filter_map(|update| self.look_at(update)));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings.truncate(UPDATES_MAX);
        report::metrics(&updates);
        let report = match findings.is_empty() {
            true => Report::compliant(format!("{} updates pending, none overdue", updates.len())),
            false => Report::non_compliant(format!("{} updates pending", updates.len())),
        };
        report.findings(findings).facts(report::facts(&updates))
    }
}

impl Remediate for PatchCompliance {
    fn remediate(&self, findings: &[Finding]) -> Result<Remedy> {
        if run::resumed::<Vec<String>>()?.is_some() {
            return Ok(Remedy::new("the machine has been restarted"));
        }
        let about = |what| findings.iter().filter(move |finding| finding.attribute(ABOUT) == Some(what));
        for finding in about("source") {
            let change = patch_install::repair(&finding.target)?;
            info!(source = finding.target, effect = change.effect; "repaired");
        }
        let ids: Vec<String> = about("update").map(|finding| finding.target.clone()).collect();
        let installed = self.install(&ids)?;
        let needs_reboot = installed.needs_reboot || about("reboot").next().is_some();
        if needs_reboot && self.reboot {
            run::checkpoint(&ids)?;
            patch_install::request_reboot("Updates were installed that take hold with a restart")?;
        }
        Ok(Remedy::new(installed.summary(needs_reboot, self.reboot)))
    }
}

impl PatchCompliance {
    fn look_at_source(&self, source: &SourceHealth) -> Option<Finding> {
        let finding = |title: String| Finding::new(format!("source:{}", source.source), title).target(&source.source);
        if !source.broken.is_empty() {
            let title = format!("{} has left {} packages half-installed", source.source, source.broken.len());
            let finding = finding(title).severity(Severity::Error).evidence(source.broken.join("\n"));
            return Some(finding.with(ABOUT, "source").remediable());
        }
        let age_days = source.refreshed_ms.map(|at_ms| run::now().saturating_sub(at_ms) / DAY_MS);
        match age_days {
            None => Some(finding(format!("the list of {} was never fetched", source.source))),
            Some(days) if days > self.index_days => {
                Some(finding(format!("the list of {} is {days} days old", source.source)))
            }
            Some(_) => None,
        }
    }

    fn look_at(&self, update: &Update) -> Option<Finding> {
        if update.state == UpdateState::PendingReboot {
            let title = format!("{} takes hold with a restart", update.title);
            let finding = Finding::new(fingerprint(update), title).target(&update.id).with(ABOUT, "reboot");
            return Some(if self.reboot { finding.remediable() } else { finding });
        }
        // Policy has decided that these wait, or never come.
        if matches!(update.approval, Approval::Deferred | Approval::Declined | Approval::Blocked) {
            return None;
        }
        let (severity, limit) = match is_urgent(update) {
            true => (Severity::Error, self.security_days),
            false => (Severity::Warning, self.other_days),
        };
        let days = run::now().saturating_sub(update.first_seen_ms) / DAY_MS;
        if days < limit {
            return None;
        }
        let finding = Finding::new(fingerprint(update), format!("{}: pending for {days} days", update.title))
            .target(&update.id)
            .severity(severity)
            .evidence(report::evidence(update))
            .with("limit", limit)
            .with("actual", days)
            .with("cve", update.cves.join(" "));
        // What is held or kept back is for a person: to install it would undo somebody's decision, or remove something.
        Some(match update.state {
            UpdateState::Held | UpdateState::KeptBack => finding.with("state", update.state),
            _ => finding.with(ABOUT, "update").remediable(),
        })
    }

    fn install(&self, ids: &[String]) -> Result<Installed> {
        let mut installed = Installed::default();
        if ids.is_empty() {
            return Ok(installed);
        }
        // The reboot is asked for when everything is done, with a checkpoint.
        let options = InstallOptions { reboot: RebootPolicy::Never, ..InstallOptions::default() };
        for result in patch_install::install_updates(ids, &options)? {
            match result.outcome {
                InstallOutcome::Succeeded => installed.done += 1,
                InstallOutcome::RebootRequired => {
                    installed.done += 1;
                    installed.needs_reboot = true;
                }
                outcome => {
                    installed.left += 1;
                    warn!(id = result.id, outcome = outcome, code = result.code; "not installed: {}", result.message);
                }
            }
        }
        Ok(installed)
    }
}

/// What became of an installation.
#[derive(Default)]
struct Installed {
    done: u32,
    left: u32,
    needs_reboot: bool,
}

impl Installed {
    fn summary(&self, needs_reboot: bool, may_reboot: bool) -> String {
        let reboot = match (needs_reboot, may_reboot) {
            (true, true) => "; a restart is asked for",
            (true, false) => "; a restart is needed, and not allowed by the parameters",
            (false, _) => "",
        };
        format!("{} updates installed, {} not{reboot}", self.done, self.left)
    }
}

fn is_urgent(update: &Update) -> bool {
    matches!(update.classification, Classification::Security | Classification::Critical)
}

/// The same for the next version of the product too: one ticket, not one a version.
fn fingerprint(update: &Update) -> String {
    format!("update:{}:{}", update.source, update.product)
}

remit_sdk::plugin!(PatchCompliance: Detect + Remediate);

#[cfg(test)]
mod tests;
