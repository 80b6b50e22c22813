//! A plugin that came from somewhere: what came with it is taken, and it is taken in, or refused with everything that is wrong.

use std::sync::Arc;

use artifact::Plugin;
use distribution::{Entry, Fetcher, Package, Source};
use model::{Digest, Mode};
use serde_json::Map;

use crate::context::Context;
use crate::fault::Refused;
use crate::installed::Plugins;
use crate::keys;
use crate::label::{Granting, Label};
use crate::meant::package_s_plugin;
use crate::output::say;
use crate::vouched::{self, Device, Statements};

/// What came.
pub(in crate::command) struct Offer {
    pub(in crate::command) source: Source,
    pub(in crate::command) package: Package,
    pub(in crate::command) plugin: Plugin,
    pub(in crate::command) statements: Statements,
    /// Its manifest's digest, where it came from a registry.
    pub(in crate::command) manifest: Option<Digest>,
}

/// Whether it may run here, as far as that is known before a run.
pub(in crate::command) struct Standing {
    /// In these modes.
    pub(in crate::command) modes: Vec<Mode>,
    /// Why not in the others.
    pub(in crate::command) missing: Vec<String>,
}

impl Offer {
    /// Fetches what is meant by `source`; `from` is where it is asked for, the same or held to what it stood for once.
    pub(in crate::command) async fn fetch(source: &Source, from: &Source, fetcher: &Fetcher) -> anyhow::Result<Self> {
        let fetched = fetcher.fetch(from).await?;
        Self::new(source, fetched.package, fetched.manifest)
    }

    /// What was fetched.
    pub(in crate::command) fn new(source: &Source, package: Package, manifest: Option<Digest>) -> anyhow::Result<Self> {
        let plugin = package_s_plugin(&package, &source.to_string())?;
        let statements = Statements::of(&package.attachments);
        Ok(Self { source: source.clone(), package, plugin, statements, manifest })
    }

    /// As it would be installed.
    pub(in crate::command) fn entry(&self, context: &Context) -> anyhow::Result<Entry> {
        let about = &self.plugin.manifest().plugin;
        let source = match &self.source {
            // Who upgrades it may stand elsewhere.
            Source::File(path) | Source::Archive(path) => std::path::absolute(path)?.display().to_string(),
            other => other.to_string(),
        };
        let now = context.clock.now_ms();
        Ok(Entry::new(&about.name, &about.version, &about.publisher, &source, &self.package, now))
    }

    /// Why it is another version than its registry says: an old one under a new tag is believed by nobody.
    pub(in crate::command) fn relabelled(&self) -> Option<String> {
        let found = &self.plugin.manifest().plugin.version;
        let said = self.source.version().filter(|said| said != found)?;
        Some(format!("the registry calls it {said}, and it is {found} (relabelled)"))
    }

    /// Has this machine believe what came with it, as far as it was signed by who may.
    pub(in crate::command) fn take(&self, plugins: &mut Plugins, keep: bool, context: &Context) -> anyhow::Result<()> {
        match &mut plugins.trust {
            Some(trust) => self.statements.take(&self.plugin, Arc::make_mut(trust), keep, context),
            None => Ok(()),
        }
    }

    /// Whether it may be taken in, and then whether it may run; else everything that is wrong, what somebody else found included.
    pub(in crate::command) fn look(
        &self,
        plugins: &Plugins,
        device: &Device,
        mut reasons: Vec<String>,
        context: &Context,
    ) -> anyhow::Result<Standing> {
        let entry = self.entry(context)?;
        reasons.extend(self.relabelled());
        for there in plugins.folder.find_all(&entry.name)? {
            let of = |what: &str| format!("{} {} is installed {what}", there.name, there.version);
            let first = format!("`remit plugin remove {}` first", there.name);
            if there.publisher != entry.publisher {
                let by = of(&format!("by `{}`, and this is by `{}`", there.publisher, entry.publisher));
                reasons.push(format!("{by}: {first} (other-publisher)"));
            } else if there.version == entry.version && there.digest != entry.digest {
                let as_other = of(&format!("as {}, and this is {}", there.digest, entry.digest));
                reasons.push(format!("{as_other}: a version never changes; {first} (other-bytes)"));
            }
        }
        let standing = match &plugins.trust {
            None => Standing { modes: Vec::new(), missing: vec!["no root is pinned here (no-root)".to_owned()] },
            Some(trust) => {
                let about = (&self.plugin, &self.statements);
                let wishes = vouched::wishes(&self.plugin, Map::new());
                let decision = device.decide(about, &wishes, Mode::Detect, trust, context)?;
                reasons.extend(decision.against_publisher().map(keys::with_code));
                let (modes, refusals) = device.modes(about, trust, context)?;
                match trust.retired(&self.plugin.statement()?) {
                    // Nobody can approve it any more.
                    Some(retired) if modes.is_empty() => reasons.push(keys::with_code(&retired)),
                    Some(retired) => say(&format!("note: {}", keys::with_code(&retired))),
                    None => {}
                }
                Standing { modes, missing: refusals.iter().map(keys::with_code).collect() }
            }
        };
        match reasons.is_empty() {
            true => Ok(standing),
            false => Err(refused_offer(&self.source, reasons).into()),
        }
    }

    /// Its label, with who vouches for it here.
    pub(in crate::command) fn label(
        &self,
        plugins: &Plugins,
        device: &Device,
        context: &Context,
    ) -> anyhow::Result<Label> {
        let mut label = Label::of(&self.plugin, &Granting::here(context)?.by_approval());
        label.trust = device.who_vouches((&self.plugin, &self.statements), plugins.trust.as_deref(), context)?;
        Ok(label)
    }

    /// Puts it among what is installed.
    pub(in crate::command) fn install(&self, plugins: &Plugins, context: &Context) -> anyhow::Result<Entry> {
        Ok(plugins.folder.add(self.entry(context)?, &self.package)?)
    }
}

/// Nothing of it is kept.
fn refused_offer(source: &Source, reasons: Vec<String>) -> Refused {
    let next = Some(format!("nothing of {source} was installed; `remit plugin pull` fetches it to be looked at"));
    Refused { next, ..Refused::because(reasons) }
}

/// Such as `detect, enforce`.
pub(in crate::command) fn words(modes: &[Mode]) -> String {
    modes.iter().map(|mode| mode.word()).collect::<Vec<_>>().join(", ")
}
