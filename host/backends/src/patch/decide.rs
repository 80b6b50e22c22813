//! What becomes of each id of an install before the package manager is asked: the same for the real one and for its twins.

use contract::patch::{Approval, RebootBehavior, Update, UpdateState};
use contract::patch_install::{InstallOutcome, InstallResult};
use contract::types::{Change, Effect, Error};
use serde::{Deserialize, Serialize};

use crate::errors;

use super::{SOURCE, check_product};

/// An update that is to be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) product: String,
    pub(super) from: Option<String>,
    pub(super) to: String,
    /// Whether it takes hold with the next boot only, as far as is known before.
    pub(super) needs_reboot: bool,
}

/// What becomes of an id.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    Install(Target),
    Done(InstallResult),
}

/// Product and version of an id.
pub(super) fn parse(id: &str) -> Result<(&str, &str), Error> {
    let bad = || errors::invalid("id", format!("`{id}` is not of the form `{SOURCE}:PRODUCT@VERSION`"));
    let (product, version) = id
        .strip_prefix(SOURCE)
        .and_then(|rest| rest.strip_prefix(':'))
        .and_then(|rest| rest.split_once('@'))
        .ok_or_else(bad)?;
    check_product(product)?;
    let is_version = |it: char| it.is_ascii_alphanumeric() || ".+-~:".contains(it);
    match (1..=255).contains(&version.len()) && version.chars().all(is_version) {
        true => Ok((product, version)),
        false => Err(bad()),
    }
}

/// Decides on one id. `installed` gives the version of a product that is there, whole.
pub(super) fn decide(
    id: &str,
    updates: &[Update],
    installed: impl Fn(&str) -> Option<String>,
) -> Result<Decision, Error> {
    let (product, version) = parse(id)?;
    let now = installed(product);
    let done = |outcome, code: &str, message: String| Ok(Decision::Done(unchanged(id, outcome, &now, code, message)));
    let Some(update) = updates.iter().find(|update| update.id == id) else {
        if now.as_deref() == Some(version) {
            return done(InstallOutcome::Succeeded, "", "it is installed already".to_owned());
        }
        return match updates.iter().find(|update| update.product == product) {
            Some(newer) => {
                let message = format!("version {} is offered by now", newer.available_version);
                done(InstallOutcome::Superseded, "superseded", message)
            }
            None => done(InstallOutcome::Failed, "not-found", "no such update is pending".to_owned()),
        };
    };
    match (update.state, update.approval) {
        (UpdateState::PendingReboot, _) => {
            done(InstallOutcome::RebootRequired, "", "it is installed, and takes hold with the next boot".to_owned())
        }
        (_, Approval::Approved) if update.state == UpdateState::Held => {
            done(InstallOutcome::NotAttempted, "held", format!("{product} is held"))
        }
        (_, Approval::Approved) => Ok(Decision::Install(target(update))),
        (_, approval) => {
            let word = approval.word();
            done(InstallOutcome::NotApproved, word, format!("policy says of this update: {word}"))
        }
    }
}

fn target(update: &Update) -> Target {
    Target {
        id: update.id.clone(),
        product: update.product.clone(),
        from: update.installed_version.clone(),
        to: update.available_version.clone(),
        needs_reboot: update.reboot_behavior == RebootBehavior::Always,
    }
}

/// A result of an update to which nothing was done.
pub(super) fn unchanged(
    id: &str,
    outcome: InstallOutcome,
    now: &Option<String>,
    code: &str,
    message: impl Into<String>,
) -> InstallResult {
    InstallResult {
        id: id.to_owned(),
        outcome,
        change: Change::unchanged(now.clone()),
        code: code.to_owned(),
        message: message.into(),
        attributes: Vec::new(),
    }
}

impl Target {
    /// Nothing was done to it.
    pub(super) fn not_done(&self, outcome: InstallOutcome, code: &str, message: impl Into<String>) -> InstallResult {
        unchanged(&self.id, outcome, &self.from, code, message)
    }

    /// It was installed, or would be.
    pub(super) fn installed(&self, needs_reboot: bool) -> InstallResult {
        let (outcome, effect) = match needs_reboot {
            true => (InstallOutcome::RebootRequired, Effect::RebootPending),
            false => (InstallOutcome::Succeeded, Effect::Changed),
        };
        let change = Change::new(effect, self.from.clone(), Some(self.to.clone()));
        self.result(outcome, change)
    }

    /// Its bytes were fetched, or would be.
    pub(super) fn fetched(&self) -> InstallResult {
        let change = Change::new(Effect::Changed, Some("available".to_owned()), Some("downloaded".to_owned()));
        self.result(InstallOutcome::Succeeded, change)
    }

    fn result(&self, outcome: InstallOutcome, change: Change) -> InstallResult {
        let (code, message) = (String::new(), String::new());
        InstallResult { id: self.id.clone(), outcome, change, code, message, attributes: Vec::new() }
    }
}

/// The results in the order of the ids.
pub(super) fn in_order(ids: &[String], results: Vec<InstallResult>) -> Vec<InstallResult> {
    let mut by_id: std::collections::BTreeMap<String, InstallResult> =
        results.into_iter().map(|result| (result.id.clone(), result)).collect();
    ids.iter().filter_map(|id| by_id.remove(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_a_package_and_a_version_and_nothing_else() {
        assert_eq!(parse("apt:libc6:i386@1:2.36-9+deb12u1~x").unwrap(), ("libc6:i386", "1:2.36-9+deb12u1~x"));
        assert_eq!(parse("apt:g++@4").unwrap(), ("g++", "4"));
        for bad in
            ["libc6@1", "apt:libc6", "apt:@1", "apt:-o@1", "apt:a b@1", "apt:a@", "apt:a@1 2", "apt:A@1", "dnf:a@1"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
