//! What a hub is told: `hub.toml` in its folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, ca};

/// The file's name.
pub(crate) const FILE: &str = "hub.toml";

/// Where it listens, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Where it listens, such as `0.0.0.0:8443`.
    pub listen: SocketAddr,
    /// The names and addresses that devices and technicians reach it by: its certificate is for these.
    pub names: Vec<String>,
    /// A certificate of another authority to show instead. The hub does not renew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Given>,
}

/// A certificate that somebody gives; relative to the hub's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Given {
    /// The server's certificate and those between, as PEM.
    pub chain: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

impl Config {
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let text = ca::read_bounded(&path)?;
        let wrong = |error: &dyn std::fmt::Display| Error::Invalid(vec![format!("{}: {error}", path.display())]);
        let config: Self = toml::from_str(&String::from_utf8_lossy(&text)).map_err(|error| wrong(&error))?;
        match config.names.is_empty() {
            true => Err(wrong(&"`names`: expected at least one name or address")),
            false => Ok(config),
        }
    }

    pub(crate) fn text(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}
