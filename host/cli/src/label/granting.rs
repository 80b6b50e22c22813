//! Who grants a plugin what it asks for, on this machine and now.

use std::sync::Arc;

use artifact::{Plugin, Trust};
use contract::Interface;
use model::policy::{self, Allow};
use model::{Grants, Mode, capability};
use serde::Serialize;
use serde_json::Map;

use crate::context::Context;
use crate::keys;
use crate::output::one_line;
use crate::vouched;

/// Who grants a capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(crate) enum Granted {
    /// An approval that holds.
    Approval {
        /// What it is called.
        approval: String,
        /// Who signed it.
        reviewer: String,
        /// What it grants of the scope; all that is asked for where it is empty.
        scope: Vec<String>,
    },
    /// Whoever runs it by hand: it reads, and nothing that only this machine reaches.
    Hand,
    /// This machine's policy, where it is run by hand.
    HostPolicy,
    /// Nobody yet.
    Nobody,
}

impl Granted {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Approval { approval, reviewer, scope } if scope.is_empty() => format!("{reviewer} in {approval}"),
            Self::Approval { approval, reviewer, scope } => {
                format!("{reviewer} in {approval}: {}", one_line(&scope.join(", ")))
            }
            Self::Hand => "by hand".to_owned(),
            Self::HostPolicy => "by hand: host policy".to_owned(),
            Self::Nobody => "nobody yet".to_owned(),
        }
    }
}

/// All that grants anything here.
#[derive(Clone)]
pub(crate) struct Granting {
    pub(super) allowed: Vec<Allow>,
    pub(super) trust: Option<Arc<trust::Trust>>,
    pub(super) now: trust::Time,
    /// Whether who runs it by hand has a say.
    pub(super) has_hands: bool,
}

impl Granting {
    /// On this machine.
    pub(crate) fn here(context: &Context) -> anyhow::Result<Self> {
        let allowed = context.host_policy()?.allow;
        Ok(Self { allowed, trust: keys::believed(context)?, now: keys::now(context), has_hands: true })
    }

    /// The same for what is installed, or signed where a root is pinned: it runs as it was approved, or not at all.
    pub(crate) fn by_approval(&self) -> Self {
        Self { has_hands: false, ..self.clone() }
    }

    /// For a plugin that lies there as a file: signed or not.
    pub(crate) fn for_file(&self, is_signed: bool) -> Self {
        match is_signed && self.trust.is_some() {
            true => self.by_approval(),
            false => self.clone(),
        }
    }

    /// Who grants each interface that a plugin asks for: its approvals, or else who runs it by hand.
    pub(super) fn of<'a>(&'a self, plugin: &'a Plugin) -> impl Fn(&Interface) -> Vec<Granted> + 'a {
        let manifest = plugin.manifest();
        let approvals = self.approvals(plugin);
        let missing =
            policy::grant_by_hand(manifest, &vouched::wishes(plugin, Map::new()), Mode::Enforce, &self.allowed).err();
        let missing = missing.unwrap_or_default();
        move |row| {
            let granted: Vec<Granted> = approvals
                .iter()
                .filter_map(|(approval, reviewer, grants)| {
                    let (approval, reviewer) = (approval.clone(), reviewer.clone());
                    Some(Granted::Approval { approval, reviewer, scope: grants.get(row.name)?.to_vec() })
                })
                .collect();
            let is_missing = missing.iter().any(|it| it.capability.interface == row.name);
            let asks_inside = manifest
                .capabilities
                .get(row.name)
                .is_some_and(|wish| wish.scope.iter().any(|entry| capability::reaches_inside(row.scope, entry)));
            match (granted.is_empty(), is_missing || !self.has_hands) {
                (false, _) => granted,
                (true, true) => vec![Granted::Nobody],
                (true, false) if row.class > contract::Class::L1 || asks_inside => vec![Granted::HostPolicy],
                (true, false) => vec![Granted::Hand],
            }
        }
    }

    /// Name, reviewer and grants of each approval that holds; of a plugin that is approved already, of that one.
    fn approvals(&self, plugin: &Plugin) -> Vec<(String, String, Grants)> {
        if let Trust::Approved(it) = plugin.trust() {
            return vec![(it.approval().to_string(), it.reviewer().to_string(), it.grants().clone())];
        }
        let (Some(trust), Ok(statement)) = (&self.trust, plugin.statement()) else { return Vec::new() };
        let found = trust.approved_in(&statement, self.now);
        found.map(|(it, reviewer)| (it.name.to_string(), reviewer.to_string(), it.grants.clone())).collect()
    }
}
