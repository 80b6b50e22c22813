use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, PublicKey};

/// A public key that may sign: Ed25519, in a file, in an agent, or in hardware.
///
/// RSA, DSA and ECDSA are refused: one kind of signature is less to get wrong, and `ssh-keygen` makes this one by itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(KeyData);

impl Key {
    /// Of these bytes and this kind.
    pub(crate) fn new(data: KeyData) -> Result<Self, NotAKey> {
        match data.algorithm() {
            Algorithm::Ed25519 | Algorithm::SkEd25519 => Ok(Self(data)),
            other => Err(NotAKey::Algorithm(other.to_string())),
        }
    }

    /// As OpenSSH shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether it lives in hardware that somebody touches.
    pub fn is_hardware(&self) -> bool {
        self.0.is_sk_ed25519()
    }

    pub(crate) fn data(&self) -> &KeyData {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = PublicKey::new(self.0.clone(), "").to_openssh().map_err(|_| fmt::Error)?;
        f.write_str(line.trim_end())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.fingerprint())
    }
}

/// A line of a `.pub` file; its comment is dropped.
impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let key = PublicKey::from_openssh(text.trim()).map_err(|error| NotAKey::Form(error.to_string()))?;
        Self::new(key.key_data().clone())
    }
}

impl TryFrom<String> for Key {
    type Error = NotAKey;

    fn try_from(text: String) -> Result<Self, NotAKey> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

/// The text is no key that may sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// Not of the form at all.
    #[error("not a public key of OpenSSH ({0}): expected a line such as `ssh-ed25519 AAAA…`")]
    Form(String),
    /// A kind that is not taken.
    #[error(
        "a key of the kind `{0}` does not count: make one with `ssh-keygen -t ed25519`, or `-t ed25519-sk` for hardware"
    )]
    Algorithm(String),
}
