//! Who signs: a key in a file, or one that an agent keeps and never shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ssh_agent_client_rs::Client;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use zeroize::Zeroizing;

use crate::key::NotAKey;
use crate::{Key, Kind, Refusal, signature};

/// The most bytes of a key's file.
const KEY_FILE_BYTES_MAX: u64 = 16 << 10;

/// Something that signs. A copy of it is the same key, opened once.
#[derive(Clone)]
pub struct Signer(Way);

#[derive(Clone)]
enum Way {
    File(Arc<PrivateKey>),
    Agent { socket: PathBuf, key: Key },
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("the key {}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// What is in it is no key.
    #[error("the key {}: {problem}", path.display())]
    NotAKeyFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It does not open it.
    #[error("the passphrase does not open the key {}", .0.display())]
    Passphrase(PathBuf),
    /// There is only a handle in the file.
    #[error("the key {} lives in hardware, which `ssh-agent` speaks to: `ssh-add` it, and name its `.pub`", .0.display())]
    Hardware(PathBuf),
    /// A kind that does not count.
    #[error(transparent)]
    Kind(#[from] NotAKey),
    /// There is no agent.
    #[error("no `ssh-agent` answers at {}", .0.display())]
    NoAgent(PathBuf, #[source] ssh_agent_client_rs::Error),
    /// The agent does not have it, or its holder said no.
    #[error("`ssh-agent` did not sign with {key}: `ssh-add -L` shows what it has")]
    Agent {
        /// Which key.
        key: String,
        /// What it said.
        source: ssh_agent_client_rs::Error,
    },
    /// The signature could not be made or written.
    #[error("the signature could not be made")]
    Library(#[from] ssh_key::Error),
    /// What should be signed is wrong, or what was signed does not hold.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Signer {
    /// With the key in a file; whoever holds it is asked for the passphrase where it has one.
    pub fn from_file(
        path: &Path,
        passphrase: impl FnOnce() -> std::io::Result<Zeroizing<String>>,
    ) -> Result<Self, Error> {
        let io = |error| Error::File(path.to_owned(), error);
        let not_a_key = |problem: String| Error::NotAKeyFile { path: path.to_owned(), problem };
        if std::fs::metadata(path).map_err(io)?.len() > KEY_FILE_BYTES_MAX {
            return Err(not_a_key(format!("it has more than {KEY_FILE_BYTES_MAX} bytes")));
        }
        let text = Zeroizing::new(std::fs::read(path).map_err(io)?);
        let mut key = PrivateKey::from_openssh(&*text).map_err(|error| not_a_key(error.to_string()))?;
        let public = Key::new(key.public_key().key_data().clone())?;
        if public.is_hardware() {
            return Err(Error::Hardware(path.to_owned()));
        }
        if key.is_encrypted() {
            let passphrase = passphrase().map_err(io)?;
            key = key.decrypt(passphrase.as_bytes()).map_err(|_| Error::Passphrase(path.to_owned()))?;
        }
        Ok(Self(Way::File(Arc::new(key))))
    }

    /// With a key that is in memory: a token, and the key of a device that was just made.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Way::File(Arc::new(PrivateKey::from(Ed25519Keypair::from_seed(seed)))))
    }

    /// With a key that the agent at this socket has. It never leaves the agent.
    /// Whether it is there is found out where it is asked to sign.
    pub fn from_agent(socket: &Path, key: Key) -> Self {
        Self(Way::Agent { socket: socket.to_owned(), key })
    }

    /// The key as OpenSSH writes a private one, without a passphrase; none of one that an agent has.
    pub fn to_openssh(&self) -> Result<Option<Zeroizing<String>>, Error> {
        match &self.0 {
            Way::File(key) => Ok(Some(key.to_openssh(LineEnding::LF)?)),
            Way::Agent { .. } => Ok(None),
        }
    }

    /// Its public half.
    pub fn key(&self) -> Result<Key, Error> {
        match &self.0 {
            Way::File(key) => Ok(Key::new(key.public_key().key_data().clone())?),
            Way::Agent { key, .. } => Ok(key.clone()),
        }
    }

    /// A signature over a statement, as `ssh-keygen` writes it. One that would not hold is not given: of a hardware key that
    /// nobody touched, say.
    pub(crate) fn sign(&mut self, kind: Kind, statement: &[u8]) -> Result<String, Error> {
        let signature = match &self.0 {
            Way::File(key) => key.sign(kind.namespace(), HashAlg::Sha512, statement)?,
            Way::Agent { socket, key } => {
                let data = SshSig::signed_data(kind.namespace(), HashAlg::Sha512, statement)?;
                let public = PublicKey::from(key.data().clone());
                let signed = agent(socket)?.sign(&public, &data);
                let signed = signed.map_err(|source| Error::Agent { key: key.fingerprint(), source })?;
                SshSig::new(key.data().clone(), kind.namespace(), HashAlg::Sha512, signed)?
            }
        };
        let text = signature.to_pem(LineEnding::LF)?;
        signature::verify(kind, statement, &text)?;
        Ok(text)
    }
}

/// Whoever listens there.
fn agent(socket: &Path) -> Result<Client, Error> {
    Client::connect(socket).map_err(|error| Error::NoAgent(socket.to_owned(), error))
}
