//! What is kept of the updates, whether or not they are overdue.

use std::collections::BTreeMap;

use remit_sdk::patch::{Approval, Classification, Update, UpdateSeverity, UpdateState};
use remit_sdk::run;
use serde::Serialize;

/// Facts have at most 256 KiB; this is the longest list that fits with long names.
const LISTED_MAX: usize = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts<'a> {
    /// How many are pending, by state.
    pending: BTreeMap<&'static str, usize>,
    updates: Vec<Listed<'a>>,
    /// Updates that found no place.
    left_out: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Listed<'a> {
    id: &'a str,
    installed: Option<&'a str>,
    classification: Classification,
    severity: UpdateSeverity,
    state: UpdateState,
    approval: Approval,
}

pub(crate) fn facts(updates: &[Update]) -> Facts<'_> {
    let listed = updates.iter().take(LISTED_MAX).map(|update| Listed {
        id: &update.id,
        installed: update.installed_version.as_deref(),
        classification: update.classification,
        severity: update.severity,
        state: update.state,
        approval: update.approval,
    });
    Facts { pending: by_state(updates), updates: listed.collect(), left_out: updates.len().saturating_sub(LISTED_MAX) }
}

pub(crate) fn metrics(updates: &[Update]) {
    let urgent = updates.iter().filter(|update| crate::is_urgent(update)).count();
    run::metric("updates-pending", updates.len() as f64, "1", &[]);
    run::metric("updates-security", urgent as f64, "1", &[]);
}

/// What shows that an update is due.
pub(crate) fn evidence(update: &Update) -> String {
    let installed = update.installed_version.as_deref().unwrap_or("not installed");
    let mut lines = vec![format!("{installed} -> {}", update.available_version)];
    lines.push(format!("{}, {}, {}", update.classification, update.severity, update.state));
    lines.extend(remit_sdk::attribute(&update.attributes, "state-reason").map(str::to_owned));
    lines.extend((!update.cves.is_empty()).then(|| update.cves.join(", ")));
    lines.join("\n")
}

fn by_state(updates: &[Update]) -> BTreeMap<&'static str, usize> {
    let mut count = BTreeMap::new();
    for update in updates {
        *count.entry(update.state.word()).or_default() += 1;
    }
    count
}
