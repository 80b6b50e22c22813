use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use artifact::Plugin;
use contract::Class;
use distribution::{Source, tag_of};
use model::{Digest, capability};
use semver::Version;
use trust::statement::{self, Index, Listed, Release};
use trust::{Name, file};

use crate::context::Context;
use crate::keys;
use crate::meant::package_s_plugin;
use crate::output;
use crate::way::Way;

/// Write a signed list of what there is to install, for `remit plugin search`; host it anywhere
///
/// A list that is there already goes on: what is named is added, and its number goes up.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What it is called: a publisher's own is called as the publisher is
    name: Name,

    /// Plugins to add, each where others can fetch it: `oci://…/name:1.2.3` or `https://…/name.wasm`
    plugins: Vec<Source>,

    /// Offer this version no longer; what is installed goes on. Repeat for more
    #[arg(long = "yank", value_name = "NAME@VERSION", requires = "reason")]
    yanked: Vec<String>,

    /// Why it is not offered, in one line
    #[arg(long)]
    reason: Option<String>,

    /// Where the newest will be, for `remit plugin search --refresh`
    #[arg(long, value_name = "URL")]
    address: Option<String>,

    /// For so many days
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    days: u32,

    /// Write it into this file, `NAME.index.statement` if left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    way: Way,

    #[command(flatten)]
    key: keys::SigningKey,
}

pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let out = args.out.clone().unwrap_or_else(|| format!("{}.index.statement", args.name).into());
    let before = last(&out, &args.name)?;
    let mut index = Index {
        name: args.name.clone(),
        serial: before.as_ref().map_or(1, |it| it.serial + 1),
        expires: keys::now(context).plus_days(args.days),
        address: args.address.clone().or_else(|| before.as_ref().and_then(|it| it.address.clone())),
        plugins: before.map(|it| it.plugins).unwrap_or_default(),
    };
    let (fetcher, _) = args.way.open(context)?;
    for source in &args.plugins {
        if source.is_local() {
            bail!("{source} is a file here: others need an address, such as one that `remit plugin push` prints");
        }
        let fetched = fetcher.fetch(source).await?;
        let plugin = package_s_plugin(&fetched.package, &source.to_string())?;
        let version = plugin.manifest().plugin.version.to_string();
        add(&mut index.plugins, &plugin, place(source, &version, fetched.manifest))?;
    }
    for what in &args.yanked {
        let reason = args.reason.clone().unwrap_or_default();
        release(&mut index.plugins, what)?.yanked = Some(reason);
    }
    args.key.make(&index, &out, context)?;
    output::say(&format!("{} plugins in number {}", index.plugins.len(), index.serial));
    Ok(ExitCode::SUCCESS)
}

/// The one that this one follows.
fn last(path: &Path, name: &Name) -> anyhow::Result<Option<Index>> {
    if !path.exists() {
        return Ok(None);
    }
    let read = statement::read::<Index>(file::read(path)?.statement()).map_err(|refusal| keys::refused([&refusal]));
    let body = read.with_context(|| path.display().to_string())?.body;
    if body.name != *name {
        bail!("{} is the index `{}`, and not `{name}`: `--out` names another file", path.display(), body.name);
    }
    Ok(Some(body))
}

/// Where others fetch it: a tag that is no version may be another's tomorrow, and without one it is the newest that is meant.
fn place(source: &Source, version: &str, manifest: Option<Digest>) -> String {
    let (Source::Oci(reference), Some(manifest)) = (source, manifest) else { return source.to_string() };
    let repository = format!("oci://{}/{}", reference.registry(), reference.repository());
    match reference.tag() {
        Some("latest") | None if reference.digest().is_none() => format!("{repository}:{}", tag_of(version)),
        Some(tag) if tag == tag_of(version) => source.to_string(),
        _ => format!("{repository}@{manifest}"),
    }
}

/// A version never changes what it is; where it is may.
fn add(plugins: &mut Vec<Listed>, plugin: &Plugin, source: String) -> anyhow::Result<()> {
    let about = &plugin.manifest().plugin;
    let (name, publisher): (Name, Name) = (about.name.parse()?, about.publisher.parse()?);
    let release = Release {
        version: about.version.clone(),
        digest: plugin.digest(),
        size_bytes: plugin.bytes().len() as u64,
        source,
        classes: classes(plugin),
        yanked: None,
    };
    let at = plugins.iter().position(|it| it.name == name && it.publisher == publisher);
    let listed = match at.and_then(|at| plugins.get_mut(at)) {
        Some(listed) => listed,
        None => {
            plugins.push(Listed { name, publisher, description: String::new(), releases: Vec::new() });
            plugins.last_mut().context("it was just added")?
        }
    };
    listed.description.clone_from(&about.description);
    match listed.releases.iter_mut().find(|it| it.version == release.version) {
        Some(there) if there.digest != release.digest => bail!(
            "{} {} is listed as {}, and this is {}: a version never changes",
            about.name,
            release.version,
            there.digest,
            release.digest
        ),
        Some(there) => there.source = release.source,
        None => listed.releases.push(release),
    }
    listed.releases.sort_by(|a, b| b.version.cmp(&a.version));
    plugins.sort_by(|a, b| (&a.publisher, &a.name).cmp(&(&b.publisher, &b.name)));
    Ok(())
}

fn classes(plugin: &Plugin) -> Vec<Class> {
    let rows = plugin.manifest().capabilities.keys().filter_map(|name| capability::interface(name));
    rows.map(|row| row.class).collect::<BTreeSet<_>>().into_iter().collect()
}

fn release<'a>(plugins: &'a mut [Listed], what: &str) -> anyhow::Result<&'a mut Release> {
    let (name, version) = what.split_once('@').with_context(|| format!("`{what}` is no `NAME@VERSION`"))?;
    let version: Version = version.parse().with_context(|| what.to_owned())?;
    let releases = plugins.iter_mut().filter(|it| it.name.as_str() == name).flat_map(|it| &mut it.releases);
    let found = releases.into_iter().find(|it| it.version == version);
    found.with_context(|| format!("`{what}` is not in the index"))
}
