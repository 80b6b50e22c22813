use model::{Digest, Grants, Mode};
use serde::{Deserialize, Serialize};

use super::{Kind, Standing, Statement, check_list};
use crate::{Name, Names, Time};

/// The most plugins that one approval is about.
const PLUGINS_MAX: usize = 256;

/// What plugins may do, on whose devices. A reviewer of the MSP signs it. It is about digests: a range of versions was resolved
/// to them when the person signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Approval {
    /// What it is called; the newest of a name counts.
    pub name: Name,
    /// Goes up.
    pub serial: u64,
    /// Until when.
    pub expires: Time,
    /// These plugins, and no other bytes.
    pub plugins: Vec<Digest>,
    /// What they get, of what they ask for. An empty scope is all that the manifest asks for there.
    pub grants: Grants,
    /// On the devices of these clients.
    pub clients: Names,
    /// Which have one of these tags.
    pub tags: Names,
    /// In these modes.
    pub modes: Vec<Mode>,
    /// Whether a version may run that is older than one that ran before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub downgrade: bool,
}

impl Statement for Approval {
    const KIND: Kind = Kind::Approval;

    fn check(&self) -> Result<(), String> {
        check_list("plugins", &self.plugins, PLUGINS_MAX)?;
        check_list("modes", &self.modes, 3)
    }
}

impl Standing for Approval {
    fn subject(&self) -> String {
        self.name.to_string()
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
