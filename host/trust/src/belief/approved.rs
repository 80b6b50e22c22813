use model::{Grants, Mode};

use crate::statement::Plugin;
use crate::{Name, Time};

/// A plugin that its publisher signed, that a reviewer approved, and that nothing ended: with what it may do, and how long all
/// of that holds. Only [`Trust::decide`](crate::Trust::decide) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    pub(super) plugin: Plugin,
    pub(super) mode: Mode,
    pub(super) grants: Grants,
    pub(super) approval: Name,
    pub(super) reviewer: Name,
    pub(super) until: Time,
}

impl Approved {
    /// The plugin, as its publisher signed it: these bytes and no others.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The mode that it was asked for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What it may use: of what it asked for, what approval and policy leave.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The approval that says so.
    pub fn approval(&self) -> &Name {
        &self.approval
    }

    /// Who signed the approval.
    pub fn reviewer(&self) -> &Name {
        &self.reviewer
    }

    /// When the first of the documents expires that this stands on. What it grants of L0 and L1 outlives that.
    pub fn until(&self) -> Time {
        self.until
    }
}
