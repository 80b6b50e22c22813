//! `[patch]` of host policy: which updates may be installed, and when. What no rule names is not installed.
//!
//! ```toml
//! [patch]
//! repairs = true
//! holds = ["postgresql-*"]
//!
//! [[patch.rule]]
//! action = "approve"
//! classes = ["security"]
//!
//! [[patch.rule]]
//! action = "defer"
//! days = 7
//! packages = ["linux-image-*"]
//! ```

use contract::patch::{Approval, Classification, Update};
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::Deserialize;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What the device's owner says of updates. Where several rules name one update, block comes before decline, decline before
/// defer, and defer, while it lasts, before approve: whoever forbids is heard first, wherever in the file it stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// Whether a plugin may have an interrupted package manager finish its work.
    pub repairs: bool,
    /// Whether a plugin may ask for a reboot.
    pub reboots: bool,
    /// From when the days of a deferral count.
    pub age: Age,
    /// Globs of packages whose hold no plugin may release.
    pub holds: Globs,
    /// What to do with which updates.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

/// From when an update's age counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Age {
    /// Since this device first saw it pending.
    #[default]
    FirstSeen,
    /// Since its changelog's date; where that is unknown, since it was first seen.
    Released,
}

/// What to do with some updates.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Rule {
    action: Action,
    classes: Vec<Classification>,
    packages: Globs,
    cves: Globs,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Approve,
    Defer { days: u32 },
    Decline,
    Block,
}

/// A rule as it is written. All that it names must fit: one of the classes, one of the packages, and one of the CVEs.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    action: WrittenAction,
    days: Option<u32>,
    #[serde(default)]
    classes: Vec<Classification>,
    #[serde(default)]
    packages: Globs,
    #[serde(default)]
    cves: Globs,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenAction {
    Approve,
    Defer,
    Decline,
    Block,
}

impl TryFrom<Written> for Rule {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        let action = match (written.action, written.days) {
            (WrittenAction::Defer, Some(days)) => Action::Defer { days },
            (WrittenAction::Defer, None) => return Err("`defer` needs `days`"),
            (_, Some(_)) => return Err("`days` is for `defer` only"),
            (WrittenAction::Approve, None) => Action::Approve,
            (WrittenAction::Decline, None) => Action::Decline,
            (WrittenAction::Block, None) => Action::Block,
        };
        Ok(Self { action, classes: written.classes, packages: written.packages, cves: written.cves })
    }
}

/// Patterns of names; empty for none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Globs(GlobSet);

impl TryFrom<Vec<String>> for Globs {
    type Error = globset::Error;

    fn try_from(patterns: Vec<String>) -> Result<Self, globset::Error> {
        let mut builder = GlobSetBuilder::new();
        for pattern in &patterns {
            builder.add(Glob::new(pattern)?);
        }
        builder.build().map(Self)
    }
}

impl Globs {
    fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// What of an update its rules look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) product: &'a str,
    pub(super) classification: Classification,
    pub(super) cves: &'a [String],
    pub(super) first_seen_ms: u64,
    pub(super) released_ms: Option<u64>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(update: &'a Update) -> Self {
        Self {
            product: &update.product,
            classification: update.classification,
            cves: &update.cves,
            first_seen_ms: update.first_seen_ms,
            released_ms: update.released_ms,
        }
    }
}

/// What policy says of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) approval: Approval,
    pub(super) deferred_until_ms: Option<u64>,
}

impl Policy {
    pub(super) fn judge(&self, subject: &Subject<'_>, now_ms: u64) -> Judgement {
        let since_ms = match self.age {
            Age::FirstSeen => subject.first_seen_ms,
            Age::Released => subject.released_ms.unwrap_or(subject.first_seen_ms),
        };
        let actions = || self.rules.iter().filter(|rule| rule.names(subject)).map(|rule| rule.action);
        let deferred_until_ms = actions()
            .filter_map(|action| match action {
                Action::Defer { days } => Some(since_ms + u64::from(days) * DAY_MS),
                _ => None,
            })
            .max()
            .filter(|&until_ms| until_ms > now_ms);
        let approval = if actions().any(|action| matches!(action, Action::Block)) {
            Approval::Blocked
        } else if actions().any(|action| matches!(action, Action::Decline)) {
            Approval::Declined
        } else if deferred_until_ms.is_some() {
            Approval::Deferred
        } else if actions().any(|action| matches!(action, Action::Approve)) {
            Approval::Approved
        } else {
            Approval::Unset
        };
        Judgement { approval, deferred_until_ms: deferred_until_ms.filter(|_| approval == Approval::Deferred) }
    }

    /// Whether a plugin may release this package's hold.
    pub(super) fn may_release(&self, product: &str) -> bool {
        !self.holds.is_match(product)
    }
}

impl Rule {
    fn names(&self, subject: &Subject<'_>) -> bool {
        (self.classes.is_empty() || self.classes.contains(&subject.classification))
            && (self.packages.0.is_empty() || self.packages.is_match(subject.product))
            && (self.cves.0.is_empty() || subject.cves.iter().any(|cve| self.cves.is_match(cve)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: &str, now_ms: u64) -> (Approval, Option<u64>) {
        let policy: Policy = toml::from_str(policy).unwrap();
        let subject = Subject {
            product: "openssl",
            classification: Classification::Security,
            cves: &["CVE-2026-1234".to_owned()],
            first_seen_ms: 2 * DAY_MS,
            released_ms: Some(DAY_MS),
        };
        let judgement = policy.judge(&subject, now_ms);
        (judgement.approval, judgement.deferred_until_ms)
    }

    #[test]
    fn a_rule_names_what_fits_all_that_it_says() {
        let check = |rule: &str| judge(&format!("[[rule]]\naction = \"approve\"\n{rule}"), 0).0;
        assert_eq!(judge("", 0).0, Approval::Unset);
        assert_eq!(check(""), Approval::Approved);
        assert_eq!(
            check("classes = [\"security\"]\npackages = [\"open*\"]\ncves = [\"CVE-2026-*\"]"),
            Approval::Approved
        );
        assert_eq!(check("classes = [\"driver\"]\npackages = [\"open*\"]"), Approval::Unset);
        assert_eq!(check("classes = [\"security\"]\npackages = [\"nginx\"]"), Approval::Unset);
        assert_eq!(check("packages = [\"open*\"]\ncves = [\"CVE-2025-*\"]"), Approval::Unset);
    }

    #[test]
    fn whoever_forbids_is_heard_first() {
        let rules = |actions: &[&str]| {
            let rules = actions.iter().map(|action| {
                let days = if *action == "defer" { "days = 3\n" } else { "" };
                format!("[[rule]]\naction = \"{action}\"\n{days}")
            });
            judge(&rules.collect::<String>(), 2 * DAY_MS).0
        };
        assert_eq!(rules(&["approve", "defer", "decline", "block"]), Approval::Blocked);
        assert_eq!(rules(&["approve", "defer", "decline"]), Approval::Declined);
        assert_eq!(rules(&["approve", "defer"]), Approval::Deferred);
        assert_eq!(rules(&["approve"]), Approval::Approved);
    }

    #[test]
    fn a_deferral_ends() {
        let policy = "[[rule]]\naction = \"approve\"\n[[rule]]\naction = \"defer\"\ndays = 3";
        assert_eq!(judge(policy, 5 * DAY_MS - 1), (Approval::Deferred, Some(5 * DAY_MS)));
        assert_eq!(judge(policy, 5 * DAY_MS), (Approval::Approved, None));
        let by_release = format!("age = \"released\"\n{policy}");
        assert_eq!(judge(&by_release, 4 * DAY_MS), (Approval::Approved, None));
    }

    #[test]
    fn what_is_written_wrongly_is_refused() {
        let check = |policy: &str| toml::from_str::<Policy>(policy).unwrap_err().message().to_owned();
        assert_eq!(check("[[rule]]\naction = \"defer\""), "`defer` needs `days`");
        assert_eq!(check("[[rule]]\naction = \"block\"\ndays = 1"), "`days` is for `defer` only");
        assert!(check("repair = true").contains("unknown field"));
        assert!(check("[[rule]]\naction = \"block\"\npackages = [\"[\"]").contains("["));
    }
}
