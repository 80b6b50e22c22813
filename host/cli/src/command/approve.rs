use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use artifact::Plugin;
use distribution::Source;
use model::capability::Capability;
use model::{Digest, Grants, Mode};
use semver::VersionReq;
use serde_json::Map;
use trust::statement::Approval;
use trust::{Name, Names, Trust};

use super::plugin::offer::Offer;
use super::run::RunMode;
use crate::context::Context;
use crate::fault::Refused;
use crate::installed::Plugins;
use crate::label::{Granting, Label};
use crate::meant::{self, Meant};
use crate::vouched::{self, Device};
use crate::way::Way;
use crate::{keys, output, source};

/// Approve plugins, with what they may do and where, as a reviewer
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Built plugins, `NAME` or `NAME@VERSION` of what is installed, or where they are, such as `registry.example/path/name`; the
    /// approval is about these very bytes
    #[arg(required = true, value_parser = meant::parser())]
    plugins: Vec<Meant>,

    /// Approve the versions that the registry has now in this range, such as `^1.2`; one that comes later needs an approval of its own
    #[arg(long, value_name = "RANGE")]
    versions: Option<VersionReq>,

    /// What the approval is called; a newer one of the name takes its place
    #[arg(long)]
    name: Name,

    /// On devices of this client; repeat for more, `*` for all
    #[arg(long = "client", value_name = "NAME", required = true)]
    clients: Vec<String>,

    /// On devices with one of these tags; repeat for more, all if left out
    #[arg(long = "tag", value_name = "NAME", default_value = "*")]
    tags: Vec<String>,

    /// In this mode; repeat for more, all if left out
    #[arg(long = "mode", value_enum, value_name = "MODE", default_values = ["detect", "dry-run", "enforce"])]
    modes: Vec<RunMode>,

    /// Grant this in place of what the manifest asks for there, such as `service-control [nginx]`; repeat for more
    #[arg(long = "grant", value_name = "CAPABILITY")]
    grants: Vec<Capability>,

    /// For so many days
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    days: u32,

    /// Let it run though a newer version ran before
    #[arg(long)]
    downgrade: bool,

    /// Write `NAME.approval.statement` into this folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,

    #[command(flatten)]
    key: keys::SigningKey,

    #[command(flatten)]
    way: Way,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let trust = keys::believed(context)?;
    let mut plugins = Vec::new();
    for meant in &args.plugins {
        plugins.extend(args.meant(meant, trust.as_deref(), context).await?);
    }
    let before = trust.as_ref().and_then(|trust| trust.approvals().find(|it| it.name == args.name));
    if plugins.is_empty() {
        bail!("nothing is left to approve");
    }
    let mut digests: Vec<Digest> = plugins.iter().map(Plugin::digest).collect();
    digests.sort();
    digests.dedup();
    let approval = Approval {
        name: args.name.clone(),
        serial: before.map_or(1, |it| it.serial + 1),
        expires: keys::now(context).plus_days(args.days),
        plugins: digests,
        grants: grants(&plugins, &args.grants)?,
        clients: Names::try_from(args.clients.clone()).context("--client")?,
        tags: Names::try_from(args.tags.clone()).context("--tag")?,
        modes: args.modes.iter().map(|&mode| mode.into()).collect(),
        downgrade: args.downgrade,
    };
    let granting = Granting::here(context)?.by_approval();
    plugins.iter().for_each(|it| output::say(&format!("{}\n", Label::of(it, &granting).shown())));
    let path = args.out.join(format!("{}.approval.statement", args.name));
    let signed = args.key.make(&approval, &path, context)?;
    if trust.is_some() {
        keys::take(&signed, context)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// What is approved under a word of the command line. Whoever signs sees each.
    async fn meant(&self, meant: &Meant, trust: Option<&Trust>, context: &Context) -> anyhow::Result<Vec<Plugin>> {
        match (meant, &self.versions) {
            (Meant::Path(path), None) => Ok(vec![source::load(path, None).await?]),
            (Meant::Installed(name), None) => {
                let plugins = Plugins::open(None, context)?;
                // The newest, and not the one that runs: that one is approved.
                Ok(vec![plugins.load(plugins.folder.find(name)?, context)?.plugin])
            }
            (Meant::Elsewhere(source), None) => {
                let (fetcher, _) = self.way.open(context)?;
                let offer = Offer::fetch(source, source, &fetcher).await?;
                Ok(self.vouched(offer, trust, context)?.into_iter().collect())
            }
            (Meant::Elsewhere(Source::Oci(reference)), Some(range)) => {
                let (fetcher, _) = self.way.open(context)?;
                let mut plugins = Vec::new();
                for (_, source) in fetcher.versions(reference).await?.into_iter().filter(|(it, _)| range.matches(it)) {
                    plugins.extend(self.vouched(Offer::fetch(&source, &source, &fetcher).await?, trust, context)?);
                }
                match plugins.is_empty() {
                    true => bail!("{reference}: there is no version in `{range}` that is not retired"),
                    false => Ok(plugins),
                }
            }
            (_, Some(_)) => bail!("`--versions` are a registry's: such as `registry.example/path/name`"),
        }
    }

    /// What came over the network is its publisher's, where this machine knows publishers. What was retired is left out.
    fn vouched(&self, offer: Offer, trust: Option<&Trust>, context: &Context) -> anyhow::Result<Option<Plugin>> {
        let mut refusals: Vec<String> = offer.relabelled().into_iter().collect();
        let mut retired = None;
        if let Some(mut trust) = trust.cloned() {
            offer.statements.take(&offer.plugin, &mut trust, false, context)?;
            let wishes = vouched::wishes(&offer.plugin, Map::new());
            let device = Device::of(self.clients.iter().find_map(|client| client.parse().ok()));
            let about = (&offer.plugin, &offer.statements);
            let decision = device.decide(about, &wishes, Mode::Detect, &trust, context)?;
            refusals.extend(decision.against_publisher().map(keys::with_code));
            retired = trust.retired(&offer.plugin.statement()?);
        }
        if !refusals.is_empty() {
            let next = Some(format!("nothing was signed: {} is not what its publisher signed", offer.source));
            return Err(Refused { next, ..Refused::because(refusals) }.into());
        }
        if let Some(retired) = retired {
            output::say(&format!("note: it is left out: {}", keys::with_code(&retired)));
            return Ok(None);
        }
        Ok(Some(offer.plugin))
    }
}

/// What the manifests ask for, and in its place what the reviewer says. A scope that a parameter fills is the reviewer's to
/// say: whoever starts the run sets the parameter.
fn grants(plugins: &[Plugin], said: &[Capability]) -> Result<Grants, Refused> {
    let mut grants = Grants::default();
    let mut open = Vec::new();
    for plugin in plugins {
        for (interface, wish) in &plugin.manifest().capabilities {
            if said.iter().any(|it| it.interface == interface) {
                continue;
            }
            if wish.scope.iter().any(|entry| entry.contains('{')) {
                open.push(format!(
                    "`{interface} [{}]` of {} is filled by whoever starts the run: {}",
                    wish.scope.join(", "),
                    plugin.manifest().plugin.name,
                    wish.reason
                ));
            }
            let mut scope = grants.get(interface).unwrap_or_default().to_vec();
            scope.extend(wish.scope.clone());
            scope.sort();
            scope.dedup();
            grants.add(interface, scope);
        }
    }
    said.iter().for_each(|it| grants.add(it.interface, it.scope.clone()));
    let next =
        "say how far it may go, such as `--grant 'service-control [nginx]'`; without a scope, all that it asks for";
    match open.is_empty() {
        true => Ok(grants),
        false => Err(Refused { next: Some(next.to_owned()), ..Refused::because(open) }),
    }
}
