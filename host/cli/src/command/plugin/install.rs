use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use artifact::Plugin;
use distribution::{Locked, Source};
use model::Digest;
use serde::Serialize;

use super::locked::LockFile;
use super::offer::{Offer, Standing, words};
use super::{Wire, listed};
use crate::context::Context;
use crate::installed::Plugins;
use crate::keys;
use crate::meant::is_name;
use crate::output::{self, Format, say};
use crate::vouched::Device;
use crate::way::Way;

/// Install plugins, so that `remit run NAME` runs them once they are approved
#[derive(clap::Args)]
pub(super) struct Args {
    /// Such as `registry.example/path/name:1.2.3`, `https://…/name.wasm#sha256:…`, a file, an archive, or `NAME` of an index that
    /// `remit plugin search` knows; without any, all that the lock file has, as it has it
    sources: Vec<String>,

    #[command(flatten)]
    held: Held,

    #[command(flatten)]
    way: Way,
}

/// What it is held against.
#[derive(clap::Args)]
pub(super) struct Held {
    /// Take what this lock file says each name stands for, and write there what is new, instead of into this machine's own
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,

    #[command(flatten)]
    device: Device,
}

/// What a program is told.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Arrived {
    name: String,
    version: String,
    publisher: String,
    digest: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
    statements: usize,
    /// The modes in which it is approved here.
    approved: Vec<&'static str>,
    /// Why not in the others.
    missing: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told<'a> {
    installed: &'a [Arrived],
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<Wire>,
}

pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (fetcher, network) = args.way.open(context)?;
    let mut target = args.held.open(context)?;
    let wanted = match args.sources.is_empty() {
        true => target.lock.lock.all().iter().map(Asked::locked).collect::<anyhow::Result<Vec<_>>>()?,
        false => {
            args.sources.iter().map(|it| Asked::typed(it, &target.lock, context)).collect::<anyhow::Result<_>>()?
        }
    };
    if wanted.is_empty() {
        bail!("nothing is locked: which plugin? such as `remit plugin install registry.example/path/name`");
    }
    let mut installed = Vec::new();
    for it in &wanted {
        let offer = Offer::fetch(&it.source, &it.from, &fetcher).await?;
        installed.push(target.install(&offer, it.listed, context)?);
    }
    tell(&installed, Some(network.traffic().into()), context.output)
}

/// The same for what is an archive.
pub(super) async fn run_archive(archive: &Path, held: &Held, context: &Context) -> anyhow::Result<ExitCode> {
    let source = Source::Archive(archive.to_owned());
    // It reaches nobody: an archive is a file.
    let (fetcher, _) = Way::default().open(context)?;
    let offer = Offer::fetch(&source, &source, &fetcher).await?;
    let arrived = held.open(context)?.install(&offer, None, context)?;
    tell(&[arrived], None, context.output)
}

/// What is to be installed.
struct Asked {
    source: Source,
    /// Where it is asked for: the same, or held to what it stood for once.
    from: Source,
    /// What an index says is there.
    listed: Option<Digest>,
}

impl Asked {
    fn locked(locked: &Locked) -> anyhow::Result<Self> {
        let source: Source = locked.source.parse()?;
        let from = locked.manifest.map_or_else(|| source.clone(), |manifest| source.held_to(manifest));
        Ok(Self { source, from, listed: None })
    }

    fn typed(text: &str, lock: &LockFile, context: &Context) -> anyhow::Result<Self> {
        let (source, listed) = match text.parse::<Source>() {
            Ok(source) => (source, None),
            Err(_) if is_name(text) => {
                let (source, digest) = listed::find(text, context)?;
                (source, Some(digest))
            }
            Err(error) => return Err(error.into()),
        };
        // What stands for the newest stands for what is locked; anything else must still be what it was.
        let locked = lock.of_source(&source).filter(|_| source.floats()).and_then(|it| it.manifest);
        let from = locked.map_or_else(|| source.clone(), |manifest| source.held_to(manifest));
        Ok(Self { source, from, listed })
    }
}

/// Where it goes.
pub(super) struct Target<'a> {
    pub(super) plugins: Plugins,
    pub(super) lock: LockFile,
    pub(super) device: &'a Device,
}

impl Held {
    pub(super) fn open(&self, context: &Context) -> anyhow::Result<Target<'_>> {
        let plugins = Plugins::open(keys::believed(context)?, context)?;
        Ok(Target { plugins, lock: LockFile::open(self.lock.as_deref(), context)?, device: &self.device })
    }
}

impl Target<'_> {
    fn install(&mut self, offer: &Offer, listed: Option<Digest>, context: &Context) -> anyhow::Result<Arrived> {
        offer.take(&mut self.plugins, true, context)?;
        let entry = offer.entry(context)?;
        let moved = self.lock.moved(&offer.source, &entry, offer.manifest);
        let mut reasons: Vec<String> = moved.or_else(|| self.lock.other(&entry)).into_iter().collect();
        if let Some(listed) = listed.filter(|listed| *listed != entry.digest) {
            reasons.push(format!("the index has it as {listed}, and this is {} (other-bytes)", entry.digest));
        }
        let standing = offer.look(&self.plugins, self.device, reasons, context);
        say(&offer.label(&self.plugins, self.device, context)?.shown());
        let standing = standing?;
        let entry = offer.install(&self.plugins, context)?;
        // A version that may not run yet does not become what a name stands for where another one does.
        let is_meant = !standing.modes.is_empty() || self.plugins.trust.is_none();
        if is_meant || self.lock.lock.get(&entry.name).is_none() {
            self.lock.put(&offer.source, &entry, offer.manifest)?;
        }
        tell_standing(&offer.plugin, &standing, self.device);
        Ok(Arrived {
            name: entry.name.clone(),
            version: entry.version.to_string(),
            publisher: entry.publisher.clone(),
            digest: entry.digest.to_string(),
            source: entry.source.clone(),
            manifest: offer.manifest.map(|it| it.to_string()),
            statements: entry.statements(),
            approved: standing.modes.iter().map(|mode| mode.word()).collect(),
            missing: standing.missing,
        })
    }
}

/// Whether it runs, and what to do where it does not.
pub(super) fn tell_standing(plugin: &Plugin, standing: &Standing, device: &Device) {
    let about = &plugin.manifest().plugin;
    let name = format!("{} {}", about.name, about.version);
    match standing.modes.as_slice() {
        [] => {
            say(&format!("{name} is not approved here: {}", standing.missing.join("; ")));
            say(&device.approve_line(plugin));
        }
        modes => say(&format!("{name} is approved here for {}", words(modes))),
    }
}

fn tell(installed: &[Arrived], traffic: Option<Wire>, format: Format) -> anyhow::Result<ExitCode> {
    match format {
        Format::Json => output::json(&Told { installed, traffic })?,
        Format::Table => {
            for it in installed {
                output::text(&format!("{} {} is installed", it.name, it.version));
                output::text(&it.digest);
            }
            traffic.iter().for_each(Wire::say);
        }
    }
    Ok(ExitCode::SUCCESS)
}
