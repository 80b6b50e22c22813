use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use model::Digest;
use serde::{Deserialize, Serialize};
use ssh_key::public::{Ed25519PublicKey, KeyData};
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

    /// The hash that its fingerprint shows. A device goes by it: in hex it is a file's name, and in bytes a leaf of a tree.
    pub fn digest(&self) -> Digest {
        // Asked for SHA-256, it is nothing else.
        self.0.fingerprint(HashAlg::Sha256).sha256().unwrap_or_default().into()
    }

    /// Of the 32 bytes of an Ed25519 key. That they are a point of the curve is found out where a signature is looked at.
    pub fn from_ed25519(bytes: [u8; 32]) -> Self {
        Self(KeyData::Ed25519(Ed25519PublicKey(bytes)))
    }

    /// Whether it signed these very bytes, outside any statement: the proof of one request of a session. A key in hardware proves
    /// none.
    pub fn proves(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let key = self.0.ed25519().and_then(|key| VerifyingKey::from_bytes(&key.0).ok());
        key.is_some_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
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

/// A key that is made for one session, and proves its requests. It lives in memory alone, and signs no statement.
#[derive(Clone)]
pub struct SessionKey(SigningKey);

impl SessionKey {
    /// Of 32 random bytes, which nobody else has.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Its public half, for the statement of the session.
    pub fn key(&self) -> Key {
        Key::from_ed25519(self.0.verifying_key().to_bytes())
    }

    /// A signature over these very bytes, as [`Key::proves`] looks at it.
    pub fn prove(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_proved_by_its_session_s_key_and_no_other() {
        let (session, other) = (SessionKey::from_seed(&[1; 32]), SessionKey::from_seed(&[2; 32]));
        let proof = session.prove(b"remit-request-v1");
        assert!(session.key().proves(b"remit-request-v1", &proof));
        assert!(!session.key().proves(b"remit-request-v2", &proof));
        assert!(!other.key().proves(b"remit-request-v1", &proof));
        // A point of small order would prove whatever it likes.
        let small = Key::from_ed25519([0; 32]);
        assert!(!small.proves(b"remit-request-v1", &[0; 64]));
    }

    #[test]
    fn a_device_s_name_is_its_fingerprint() {
        let key = SessionKey::from_seed(&[1; 32]).key();
        let shown = key.fingerprint();
        let bytes = ssh_key::Fingerprint::Sha256(*key.digest().as_bytes());
        assert_eq!(shown, bytes.to_string());
    }
}
