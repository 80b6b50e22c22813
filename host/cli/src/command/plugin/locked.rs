//! The lock file, as commands use it.

use std::path::{Path, PathBuf};

use distribution::{Entry, Lock, Locked, Source};
use model::Digest;

use crate::context::Context;
use crate::installed;

/// What each name stood for: this machine's own, or one that is checked in.
pub(super) struct LockFile {
    path: PathBuf,
    pub(super) lock: Lock,
}

impl LockFile {
    pub(super) fn open(path: Option<&Path>, context: &Context) -> anyhow::Result<Self> {
        let path = path.map_or_else(|| installed::lock_file(context), Path::to_owned);
        Ok(Self { lock: Lock::read(&path)?, path })
    }

    /// What is locked under this source.
    pub(super) fn of_source(&self, source: &Source) -> Option<&Locked> {
        let typed = source.to_string();
        self.lock.all().iter().find(|it| it.source == typed)
    }

    /// Why what was typed does not stand for what it stood for when it was locked.
    pub(super) fn moved(&self, source: &Source, entry: &Entry, manifest: Option<Digest>) -> Option<String> {
        let moved = self.lock.check(&source.to_string(), manifest, entry.digest).err();
        moved.map(|error| format!("{error} (lock-mismatch)"))
    }

    /// Why this version of this name is not the one that is locked, wherever it came from.
    pub(super) fn other(&self, entry: &Entry) -> Option<String> {
        let locked = self.lock.get(&entry.name).filter(|it| it.version == entry.version)?;
        let (name, version, path) = (&entry.name, &entry.version, self.path.display());
        (locked.component != entry.digest).then(|| {
            format!("{path} has {name} {version} as {}, and this is {} (lock-mismatch)", locked.component, entry.digest)
        })
    }

    /// Locks what a name stands for from now on.
    pub(super) fn put(&mut self, source: &Source, entry: &Entry, manifest: Option<Digest>) -> anyhow::Result<()> {
        self.change(|lock| {
            lock.put(Locked {
                name: entry.name.clone(),
                version: entry.version.clone(),
                source: source.to_string(),
                component: entry.digest,
                size_bytes: entry.size_bytes,
                manifest,
            });
        })
    }

    /// Lets go of a version that is gone.
    pub(super) fn forget(&mut self, entry: &Entry) -> anyhow::Result<()> {
        match self.lock.get(&entry.name).is_some_and(|it| it.version == entry.version) {
            true => self.change(|lock| {
                lock.remove(&entry.name);
            }),
            false => Ok(()),
        }
    }

    /// Reads it anew: what others locked meanwhile stays.
    fn change(&mut self, change: impl FnOnce(&mut Lock)) -> anyhow::Result<()> {
        self.lock = Lock::read(&self.path)?;
        change(&mut self.lock);
        Ok(self.lock.write(&self.path)?)
    }
}
