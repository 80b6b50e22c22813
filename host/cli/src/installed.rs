//! What is installed on this machine, and which version a name means here.

use std::path::PathBuf;

use artifact::Plugin;
use distribution::{Entry, Installed, Package};
use model::Mode;
use serde_json::{Map, Value};
use trust::Trust;

use crate::context::Context;
use crate::output::say;
use crate::vouched::{self, Device, Statements};

/// All that is installed, and what this machine believes of it.
pub(crate) struct Plugins {
    pub(crate) folder: Installed,
    /// None where no root is pinned.
    pub(crate) trust: Option<Trust>,
}

/// One version that is installed.
pub(crate) struct Kept {
    pub(crate) entry: Entry,
    pub(crate) package: Package,
    pub(crate) plugin: Plugin,
    pub(crate) statements: Statements,
}

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
    pub(crate) fn open(trust: Option<Trust>, context: &Context) -> anyhow::Result<Self> {
        Ok(Self { folder: folder(context)?, trust })
    }

    /// What was installed, if that is what lies there.
    pub(crate) fn load(&self, entry: Entry, context: &Context) -> anyhow::Result<Kept> {
        let package = self.folder.load(&entry)?;
        let plugin = artifact::verify_local(package.component.clone(), context.cache().ok().as_ref())?;
        let statements = Statements::of(&package.attachments);
        Ok(Kept { entry, package, plugin, statements })
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
        for entry in self.folder.find_all(name)?.into_iter().rev() {
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
