//! What names stood for when somebody took them: a file that is checked in, so that the next one who takes them gets the same.

use std::path::Path;

use model::Digest;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::file;

/// The most bytes of a lock file: some 5,000 plugins.
pub const LOCK_BYTES_MAX: u64 = 2 << 20;
/// The version of its format.
const VERSION: u32 = 1;

const HEAD: &str = "# Which bytes each name stood for. `remit plugin upgrade` changes it; nobody else need.\n";

/// Everything that is locked, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock(Vec<Locked>);

/// One plugin that is locked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Locked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Where it came from, as it was typed.
    pub source: String,
    /// The component's digest.
    pub component: Digest,
    /// Its size.
    pub size_bytes: u64,
    /// The manifest's digest, where it came from a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Locked>,
}

/// The part of the format that never changes.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Why a lock file is not used.
#[derive(Debug, thiserror::Error)]
pub enum BadLock {
    /// It does not parse.
    #[error("it is no lock file")]
    Toml(#[source] Box<toml::de::Error>),
    /// A newer one wrote it.
    #[error("it has version {0}, this remit knows {VERSION}: update remit")]
    TooNew(u32),
    /// Two entries of one name: which of them counts?
    #[error("it has `{0}` twice")]
    Twice(String),
}

impl Lock {
    /// Out of its text.
    pub fn parse(text: &str) -> Result<Self, BadLock> {
        let wrong = |error| BadLock::Toml(Box::new(error));
        let versioned: Versioned = toml::from_str(text).map_err(wrong)?;
        if versioned.version != VERSION {
            return Err(BadLock::TooNew(versioned.version));
        }
        let document: Document = toml::from_str(text).map_err(wrong)?;
        let mut lock = Self::default();
        for plugin in document.plugins {
            if lock.get(&plugin.name).is_some() {
                return Err(BadLock::Twice(plugin.name));
            }
            lock.put(plugin);
        }
        Ok(lock)
    }

    /// As text, sorted by name, so that two people's changes meet in few lines.
    pub fn to_text(&self) -> String {
        let document = Document { version: VERSION, plugins: self.0.clone() };
        // Nothing in it can fail to be said in TOML.
        format!("{HEAD}{}", toml::to_string(&document).unwrap_or_default())
    }

    /// Out of a file; an empty one where there is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = file::bytes(path, LOCK_BYTES_MAX)?.unwrap_or_else(|| format!("version = {VERSION}").into_bytes());
        let text = String::from_utf8(bytes).map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
        Self::parse(&text).map_err(|source| Error::Lock { path: path.display().to_string(), source })
    }

    /// Into a file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        store::whole::write(path, self.to_text().as_bytes()).map_err(Error::io(path))
    }

    /// What is locked under a name.
    pub fn get(&self, name: &str) -> Option<&Locked> {
        self.0.iter().find(|it| it.name == name)
    }

    /// All of it, by name.
    pub fn all(&self) -> &[Locked] {
        &self.0
    }

    /// Locks a plugin, in place of what was locked under its name.
    pub fn put(&mut self, plugin: Locked) {
        self.remove(&plugin.name);
        self.0.push(plugin);
        self.0.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Lets go of a name. Whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|it| it.name != name);
        self.0.len() < before
    }

    /// Whether a source still stands for what it stood for; one that is not locked stands for anything.
    pub fn check(&self, source: &str, manifest: Option<Digest>, component: Digest) -> Result<(), Error> {
        let Some(locked) = self.0.iter().find(|it| it.source == source) else { return Ok(()) };
        let moved = |locked, found| Err(Error::TagMoved { reference: source.to_owned(), locked, found });
        match (locked.manifest, manifest) {
            (Some(locked), Some(found)) if locked != found => moved(locked, found),
            _ if locked.component != component => moved(locked.component, component),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str) -> Locked {
        Locked {
            name: name.to_owned(),
            version: Version::new(1, 2, 3),
            source: format!("oci://a.example/{name}:1.2.3"),
            component: Digest::of(name.as_bytes()),
            size_bytes: 4,
            manifest: Some(Digest::of(b"manifest")),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("remit.lock");
        let mut lock = Lock::read(&file).unwrap();
        assert_eq!(lock, Lock::default());
        lock.put(locked("b"));
        lock.put(locked("a"));
        lock.put(Locked { version: Version::new(1, 2, 4), ..locked("b") });
        lock.write(&file).unwrap();
        let read = Lock::read(&file).unwrap();
        assert_eq!(read, lock);
        let all: Vec<String> = read.all().iter().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(all, ["a 1.2.3", "b 1.2.4"]);
        assert!(lock.remove("a") && !lock.remove("a"));
    }

    #[test]
    fn a_tag_that_moved_is_named() {
        let mut lock = Lock::default();
        lock.put(locked("a"));
        let (source, component, manifest) = ("oci://a.example/a:1.2.3", Digest::of(b"a"), Digest::of(b"manifest"));
        lock.check(source, Some(manifest), component).unwrap();
        lock.check("oci://a.example/new:1", Some(component), component).unwrap();
        let moved = |manifest, component| lock.check(source, manifest, component).unwrap_err();
        for error in [moved(Some(component), component), moved(Some(manifest), manifest), moved(None, manifest)] {
            assert!(matches!(error, Error::TagMoved { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_no_lock_says_so() {
        let mut lock = Lock::default();
        lock.put(locked("a"));
        let text = lock.to_text();
        Lock::parse(&text).expect("the control");
        let refused = |text: String| Lock::parse(&text).unwrap_err().to_string();
        assert_eq!(
            refused(text.replace("version = 1\n", "version = 2\nmore = 1\n")),
            "it has version 2, this remit knows 1: update remit"
        );
        assert_eq!(refused(text.replace("size-bytes", "size")), "it is no lock file");
        assert_eq!(refused(text.replace("component = \"sha256:", "component = \"sha1:")), "it is no lock file");
        let entry = text.split_once("[[plugin]]").unwrap().1;
        assert_eq!(refused(format!("{text}\n[[plugin]]{entry}")), "it has `a` twice");
    }
}
