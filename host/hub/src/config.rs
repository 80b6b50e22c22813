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
    /// How much is asked of it at most, where its machine is another than most are.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
}

/// How much is asked of a hub at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// So many devices join in a second, from 1 to 10,000; one address has half of it. Each join verifies two signatures for
    /// somebody who has proved nothing yet.
    #[serde(default = "joins_per_second")]
    pub joins_per_second: u32,
}

/// Ten thousand devices that come at once are there in two minutes.
fn joins_per_second() -> u32 {
    100
}

impl Default for Limits {
    fn default() -> Self {
        Self { joins_per_second: joins_per_second() }
    }
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
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

/// Where a hub that is put elsewhere listens, and what it is called there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Where it listens; where it did, if nothing is said.
    pub listen: Option<SocketAddr>,
    /// What it is called; as before, if nothing is said.
    pub names: Vec<String>,
}

impl Config {
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        Self::parse(&path, &ca::read_bounded(&path)?)
    }

    /// Out of what a file has.
    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, Error> {
        let wrong = |error: &dyn std::fmt::Display| Error::Invalid(vec![format!("{}: {error}", path.display())]);
        let config: Self = toml::from_str(&String::from_utf8_lossy(text)).map_err(|error| wrong(&error))?;
        match () {
            () if config.names.is_empty() => Err(wrong(&"`names`: expected at least one name or address")),
            () if !(1..=10_000).contains(&config.limits.joins_per_second) => {
                Err(wrong(&"`limits.joins-per-second`: expected 1 to 10000"))
            }
            () => Ok(config),
        }
    }

    /// The same, elsewhere.
    pub(crate) fn moved(self, to: &Moved) -> Self {
        let names = if to.names.is_empty() { self.names } else { to.names.clone() };
        Self { listen: to.listen.unwrap_or(self.listen), names, ..self }
    }

    pub(crate) fn text(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Config, Error> {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("listen = \"127.0.0.1:0\"\nnames = [\"localhost\"]\n{more}");
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Config::read(folder.path())
    }

    #[test]
    fn limits_are_what_is_written_within_bounds() {
        assert_eq!(read("").unwrap().limits.joins_per_second, 100);
        let raised = read("[limits]\njoins-per-second = 2000").unwrap();
        assert_eq!(raised.limits.joins_per_second, 2_000);
        assert!(raised.text().ends_with("[limits]\njoins-per-second = 2000\n"));
        for wrong in ["joins-per-second = 0", "joins-per-second = 10001", "joins-per-hour = 1"] {
            assert!(read(&format!("[limits]\n{wrong}")).is_err(), "{wrong}");
        }
    }
}
