//! What is installed on this machine, and which version a name means here.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use artifact::Plugin;
use distribution::{Entry, Installed, Package};
#[cfg(target_os = "linux")]
use model::Digest;
use model::Mode;
use serde_json::{Map, Value};
use trust::Trust;

use crate::context::Context;
use crate::output::say;
use crate::vouched::{self, Device, Statements};

/// All that is installed, and what this machine believes of it: as it was when it was first asked for. What was put there since,
/// `folder` knows.
pub(crate) struct Plugins {
    pub(crate) folder: Installed,
    /// None where no root is pinned.
    pub(crate) trust: Option<Arc<Trust>>,
    shelf: Arc<Shelf>,
}

/// One version that is installed.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) entry: Entry,
    pub(crate) plugin: Plugin,
    pub(crate) statements: Statements,
}

/// What was read so far of what is installed, and was as it should be.
#[derive(Default)]
pub(crate) struct Shelf {
    entries: OnceLock<Vec<Entry>>,
    /// The latest last.
    kept: Mutex<VecDeque<Kept>>,
}

/// How many are kept that were read: a machine runs about so many.
const KEPT_MAX: usize = 32;

/// How a plugin would run: what a name means depends on it.
pub(crate) struct Wanted<'a> {
    pub(crate) device: &'a Device,
    pub(crate) mode: Mode,
    pub(crate) given: Map<String, Value>,
}

impl Wanted<'static> {
    /// By whoever only looks at it.
    pub(crate) fn to_look() -> Self {
        static DEVICE: Device = Device::nobody_s();
        Self { device: &DEVICE, mode: Mode::Detect, given: Map::new() }
    }
}

/// Its folder.
pub(crate) fn folder(context: &Context) -> anyhow::Result<Installed> {
    Ok(Installed::open(&context.state.join("plugins"))?)
}

/// What each name stood for, where no other file is named.
pub(crate) fn lock_file(context: &Context) -> PathBuf {
    context.state.join("plugins.lock")
}

impl Plugins {
    pub(crate) fn open(trust: Option<Arc<Trust>>, context: &Context) -> anyhow::Result<Self> {
        let folder = folder(context)?;
        Ok(Self { shelf: context.shelf(&folder), folder, trust })
    }

    /// What was installed, if that is what lies there.
    pub(crate) fn load(&self, entry: Entry, context: &Context) -> anyhow::Result<Kept> {
        let kept = || self.shelf.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = kept().iter().find(|there| there.entry == entry) {
            return Ok(there.clone());
        }
        let Package { component, attachments } = self.folder.load(&entry)?;
        let plugin = artifact::verify_local(component, context.cache().ok().as_ref())?;
        let loaded = Kept { entry, plugin, statements: Statements::of(&attachments).looked_at() };
        let mut kept = kept();
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(loaded.clone());
        Ok(loaded)
    }

    /// What `NAME` or `NAME@VERSION` may stand for, the newest last.
    pub(crate) fn find_all(&self, text: &str) -> anyhow::Result<Vec<Entry>> {
        let entries = match self.shelf.entries.get() {
            Some(entries) => entries,
            None => {
                let listed = self.folder.list()?;
                self.shelf.entries.get_or_init(|| listed)
            }
        };
        Ok(distribution::named(entries, text).cloned().collect())
    }

    /// The one that an order means.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_digest(&self, name: &str, digest: Digest, context: &Context) -> anyhow::Result<Option<Kept>> {
        let entries = self.find_all(name).unwrap_or_default();
        let entry = entries.into_iter().find(|entry| entry.digest == digest);
        entry.map(|entry| self.load(entry, context)).transpose()
    }

    /// Whether it may run like that.
    pub(crate) fn is_approved(&self, kept: &Kept, wanted: &Wanted<'_>, context: &Context) -> anyhow::Result<bool> {
        let Some(trust) = &self.trust else { return Ok(false) };
        let wishes = vouched::wishes(&kept.plugin, wanted.given.clone());
        let about = (&kept.plugin, &kept.statements);
        Ok(wanted.device.decide(about, &wishes, wanted.mode, trust, context)?.approved.is_some())
    }

    /// What `NAME` or `NAME@VERSION` means: the newest version that may run like that, so that one which merely was installed is
    /// in nobody's way; where none may, the newest.
    pub(crate) fn meant(&self, name: &str, wanted: &Wanted<'_>, context: &Context) -> anyhow::Result<Kept> {
        let mut newest = None;
        let entries = self.find_all(name)?;
        if let [only] = &entries[..] {
            return self.load(only.clone(), context);
        }
        for entry in entries.into_iter().rev() {
            let kept = self.load(entry, context)?;
            if self.is_approved(&kept, wanted, context)? {
                if let Some(Kept { entry: newer, .. }) = newest {
                    let Entry { name, version, .. } = &kept.entry;
                    let is = format!("`{name}` is {version}: {} is installed too,", newer.version);
                    say(&format!("note: {is} and not approved for this; `remit verify {name}@{}`", newer.version));
                }
                return Ok(kept);
            }
            newest.get_or_insert(kept);
        }
        newest.ok_or_else(|| distribution::Error::NotInstalled(name.to_owned()).into())
    }
}
