use std::collections::BTreeSet;

use contract::Class;
use model::Digest;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Kind, Standing, Statement, check_list, check_sentence};
use crate::{Name, Time};

/// The most plugins of an index.
const PLUGINS_MAX: usize = 2_000;
/// The most versions of a plugin.
const RELEASES_MAX: usize = 500;
/// What others can fetch from begins so: what is on the disk of whoever wrote it is not on the reader's.
const ADDRESSES: [&str; 2] = ["oci://", "https://"];

/// What there is to install. A publisher signs one of its own plugins, called as it is; a reviewer or the root one of anybody's.
/// It can be hosted anywhere, and says where plugins are; what they are, their own statements say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Index {
    /// What it is called; the newest of a name counts.
    pub name: Name,
    /// Goes up.
    pub serial: u64,
    /// Until when.
    pub expires: Time,
    /// Where the newest one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What there is.
    pub plugins: Vec<Listed>,
}

/// One plugin in an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    /// Its name.
    pub name: Name,
    /// Whoever publishes it.
    pub publisher: Name,
    /// One line.
    pub description: String,
    /// What there is of it.
    pub releases: Vec<Release>,
}

/// One version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// The component's digest: what counts, wherever it is fetched from.
    pub digest: Digest,
    /// The component's size.
    pub size_bytes: u64,
    /// Where it is: `oci://…` or `https://…`.
    pub source: String,
    /// The classes of what it may touch.
    pub classes: Vec<Class>,
    /// Why nobody is to install it any more. What is installed goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<String>,
}

impl Statement for Index {
    const KIND: Kind = Kind::Index;

    fn check(&self) -> Result<(), String> {
        check_list("plugins", &self.plugins, PLUGINS_MAX)?;
        if let Some(address) = self.address.as_ref().filter(|it| !it.starts_with("https://")) {
            return Err(format!("`address`: `{address}` is none that begins with https://"));
        }
        let mut names = BTreeSet::new();
        for it in &self.plugins {
            if !names.insert((&it.publisher, &it.name)) {
                return Err(format!("`{}` of {} is there twice", it.name, it.publisher));
            }
            it.check().map_err(|problem| format!("{}: {problem}", it.name))?;
        }
        Ok(())
    }
}

impl Standing for Index {
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

impl Index {
    /// The plugins that have all of these words in name, publisher or description; all of them for none.
    pub fn search<'a>(&'a self, words: &'a [String]) -> impl Iterator<Item = &'a Listed> {
        self.plugins.iter().filter(move |it| {
            let text = format!("{} {} {}", it.name, it.publisher, it.description).to_lowercase();
            words.iter().all(|word| text.contains(&word.to_lowercase()))
        })
    }
}

impl Listed {
    /// The release that is to be installed: this one, or the newest that nobody took back and that is no preview.
    pub fn release(&self, version: Option<&Version>) -> Option<&Release> {
        match version {
            Some(version) => self.releases.iter().find(|it| it.version == *version),
            None => {
                let offered = self.releases.iter().filter(|it| it.yanked.is_none() && it.version.pre.is_empty());
                offered.max_by(|a, b| a.version.cmp(&b.version))
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        check_sentence("description", &self.description)?;
        check_list("releases", &self.releases, RELEASES_MAX)?;
        let mut versions = BTreeSet::new();
        for it in &self.releases {
            let version = &it.version;
            if !versions.insert(version) {
                return Err(format!("{version} is there twice"));
            }
            check_sentence("source", &it.source)?;
            if !ADDRESSES.iter().any(|scheme| it.source.starts_with(scheme)) {
                return Err(format!(
                    "{version}: the source `{}` begins with none of {}",
                    it.source,
                    ADDRESSES.join(", ")
                ));
            }
            if let Some(why) = &it.yanked {
                check_sentence("yanked", why)?;
            }
        }
        Ok(())
    }
}
