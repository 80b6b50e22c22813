use contract::VERSION;
use model::Digest;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Kind, Statement};
use crate::Name;

/// What a plugin is. Its publisher signs it; a host works out the same of the bytes, and compares. So nothing can be renamed,
/// passed off as another version, or stripped of its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plugin {
    /// A component or a script.
    pub form: Form,
    /// The namespace that its publisher's keys stand for.
    pub publisher: Name,
    /// As in its manifest.
    pub name: Name,
    /// As in its manifest.
    pub version: Version,
    /// Of the whole file.
    pub digest: Digest,
    /// Of the whole file, so that whoever fetches it knows when to stop.
    pub size_bytes: u64,
    /// Of the section with the manifest.
    pub manifest: Digest,
    /// The version of the contract that it was made for; a script runs on whatever its host speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Version>,
}

/// What a plugin's file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// WebAssembly.
    Component,
    /// A script, for the host's script runtime.
    Script,
}

impl Form {
    /// As it stands in the statement.
    pub fn word(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Script => "script",
        }
    }
}

impl Statement for Plugin {
    const KIND: Kind = Kind::Plugin;
}

impl Plugin {
    /// Whether this host has the contract that it was made for, or one that goes on from it; else what this host has.
    pub(crate) fn fits_host(&self) -> Result<(), (Version, Version)> {
        let Some(wanted) = &self.contract else { return Ok(()) };
        let have = Version::parse(VERSION).unwrap_or_else(|_| Version::new(0, 0, 0));
        match wanted.major == have.major && wanted.minor <= have.minor {
            true => Ok(()),
            false => Err((wanted.clone(), have)),
        }
    }
}
