use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use artifact::Plugin;
use model::capability::Capability;
use model::{Digest, Grants};
use trust::statement::Approval;
use trust::{Name, Names};

use super::run::RunMode;
use crate::context::Context;
use crate::fault::Refused;
use crate::label::{Granting, Label};
use crate::output;
use crate::{keys, source};

/// Approve plugins, with what they may do and where, as a reviewer
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Built plugins; the approval is about these very bytes
    #[arg(required = true)]
    plugins: Vec<PathBuf>,

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
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut plugins = Vec::new();
    for path in &args.plugins {
        plugins.push(source::load(path, None).await?);
    }
    let trust = keys::believed(context)?;
    let before = trust.as_ref().and_then(|trust| trust.approvals().find(|it| it.name == args.name));
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
    let granting = Granting::here(context)?;
    plugins.iter().for_each(|it| output::say(&format!("{}\n", Label::of(it, &granting).shown())));
    let path = args.out.join(format!("{}.approval.statement", args.name));
    let signed = args.key.make(&approval, &path, context)?;
    if trust.is_some() {
        keys::take(&signed, context)?;
    }
    Ok(ExitCode::SUCCESS)
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
