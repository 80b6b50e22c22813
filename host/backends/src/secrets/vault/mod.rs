use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::bytes;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{Keep, Kept, NAME_BYTES_MAX, PLACES_MAX, Place, SECRET_BYTES_MAX, SECRET_BYTES_MIN, Secret, is_name};

#[cfg(not(unix))]
#[path = "other.rs"]
mod folder;
#[cfg(unix)]
#[path = "unix.rs"]
mod folder;

use folder::Folder;

/// The most bytes of a secret's file: its bytes in base64, and what is known of it.
const FILE_BYTES_MAX: usize = 2 * SECRET_BYTES_MAX + (64 << 10);

/// Secrets on disk: a folder that only its owner may enter, a file a secret that only its owner may read. Both are checked each
/// time that they are opened, because a backup or a careless `chmod` may have changed them.
#[derive(Clone, Debug)]
pub struct Vault {
    folder: PathBuf,
}

/// A secret as `remit secret list` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When it was set.
    pub set_ms: u64,
    /// When it expires; none for never.
    pub expires_ms: Option<u64>,
    /// Where it may be redeemed.
    pub places: Vec<Place>,
}

/// A secret's file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Stored {
    set_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
    places: Vec<Place>,
    #[serde(with = "bytes")]
    value: Vec<u8>,
}

/// Why a vault could not work.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// What was asked for is out of bounds.
    #[error("{0}")]
    Invalid(String),
    /// Others may read it, or it is something else.
    #[error("{path} is not safe: {problem}")]
    Unsafe {
        /// What.
        path: PathBuf,
        /// Why, and what to do.
        problem: String,
    },
    /// The file system said so.
    #[error("{path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The file is not one of a vault.
    #[error("{path} is not a secret's file: set the secret again")]
    Unreadable {
        /// What.
        path: PathBuf,
    },
    /// Vaults are not kept on this platform.
    #[error("this platform has no vault yet")]
    Unsupported,
}

impl Vault {
    /// The vault in this folder, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Sets a secret, in place of an older one of this name. Durable when it returns.
    pub fn set(
        &self,
        name: &str,
        secret: &[u8],
        places: &[Place],
        expires_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<(), VaultError> {
        check(name, secret, places)?;
        let mut stored = Stored { set_ms: now_ms, expires_ms, places: places.to_vec(), value: secret.to_vec() };
        let text = Zeroizing::new(serde_json::to_vec(&stored).unwrap_or_default());
        stored.value.zeroize();
        Folder::create(&self.folder)?.write(name, &text)
    }

    /// What is known of every secret, by name; never its bytes.
    pub fn list(&self) -> Result<Vec<Listed>, VaultError> {
        let Some(folder) = Folder::open(&self.folder)? else { return Ok(Vec::new()) };
        let mut listed = Vec::new();
        for name in folder.names()? {
            let Some(kept) = Self::read(&folder, &self.folder, &name)? else { continue };
            listed.push(Listed { name, set_ms: kept.set_ms, expires_ms: kept.expires_ms, places: kept.places });
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Removes a secret. False where there was none.
    pub fn remove(&self, name: &str) -> Result<bool, VaultError> {
        match (is_name(name), Folder::open(&self.folder)?) {
            (true, Some(folder)) => folder.remove(name),
            _ => Ok(false),
        }
    }

    fn read(folder: &Folder, path: &Path, name: &str) -> Result<Option<Kept>, VaultError> {
        let Some(text) = folder.read(name, FILE_BYTES_MAX)? else { return Ok(None) };
        let Stored { set_ms, expires_ms, places, value } =
            serde_json::from_slice(&text).map_err(|_| VaultError::Unreadable { path: path.join(name) })?;
        Ok(Some(Kept { set_ms, expires_ms, places, secret: Arc::new(Secret::new(value)) }))
    }
}

impl Keep for Vault {
    fn get(&self, name: &str) -> Result<Option<Kept>, VaultError> {
        match Folder::open(&self.folder)? {
            Some(folder) => Self::read(&folder, &self.folder, name),
            None => Ok(None),
        }
    }
}

fn check(name: &str, secret: &[u8], places: &[Place]) -> Result<(), VaultError> {
    let problem = if !is_name(name) {
        format!("`{name}` cannot name a secret: expected 1 to {NAME_BYTES_MAX} lower-case letters, digits and `-_.`")
    } else if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
        format!("a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one {}", secret.len())
    } else if places.is_empty() || places.len() > PLACES_MAX {
        format!("say where `{name}` may be used, in 1 to {PLACES_MAX} places, such as `--for http:api.example.com`")
    } else {
        return Ok(());
    };
    Err(VaultError::Invalid(problem))
}
