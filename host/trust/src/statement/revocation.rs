use model::Digest;
use serde::{Deserialize, Serialize};

use super::{Kind, Statement, check_sentence};
use crate::Key;

/// What no longer holds. A publisher revokes its own, a reviewer or the root anything. It never expires, and nothing takes it
/// back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Revocation {
    /// Whether what was before still holds.
    pub end: End,
    /// Plugins, by the digest of their file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<Digest>,
    /// Keys. The root's end with the next root instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// Other statements, by their digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Digest>,
    /// Why, for whoever is refused because of it.
    pub reason: String,
}

/// What becomes of what was signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It still holds: the key was put away, the plugin is no longer taken up.
    Retired,
    /// It holds no longer: the key was stolen, the plugin does harm.
    Compromised,
}

impl Statement for Revocation {
    const KIND: Kind = Kind::Revocation;

    fn check(&self) -> Result<(), String> {
        if self.plugins.is_empty() && self.keys.is_empty() && self.statements.is_empty() {
            return Err("it revokes nothing: `plugins`, `keys` or `statements` says what".to_owned());
        }
        check_sentence("reason", &self.reason)
    }
}
