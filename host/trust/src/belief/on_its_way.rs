//! What is asked about a plugin that comes or goes, before anybody asks whether it may run.

use model::Digest;

use super::{Decision, Trust};
use crate::statement::Plugin;
use crate::{Refusal, Signed};

/// What is looked at after a publisher's word, and may be put right after a plugin came.
const OF_THE_MSP: [&str; 3] = ["version", "approval", "policy"];

impl Decision {
    /// Why a plugin is not what its publisher signed, or no longer: it is not taken in. Whether it is approved is another matter.
    pub fn against_publisher(&self) -> impl Iterator<Item = &Refusal> {
        self.checks.iter().filter(|check| !OF_THE_MSP.contains(&check.name)).flat_map(|check| &check.refusals)
    }
}

impl Trust {
    /// The approvals and revocations that are about a plugin: they go along where it goes, so that others can take them.
    pub fn about(&self, plugin: Digest) -> Vec<&Signed> {
        let approvals = self.approvals.values().filter(|it| it.read.body.plugins.contains(&plugin));
        let revocations = self.revocations.values().filter(|it| it.read.body.plugins.contains(&plugin));
        approvals.map(|it| it.signed()).chain(revocations.map(|it| it.signed())).collect()
    }

    /// Whether a plugin was ended for good by who may: it does not run, whatever was approved.
    pub fn revoked(&self, plugin: &Plugin) -> Option<Refusal> {
        self.ended.check_plugin(plugin).err()
    }

    /// Whether a plugin was retired by who may: it is no longer taken up, and approvals of before hold.
    pub fn retired(&self, plugin: &Plugin) -> Option<Refusal> {
        self.ended.retired(plugin, None)
    }
}
