//! `remit plugin`: plugins on their way, with everything that was signed about them. Nothing of them runs here.

mod index;
mod install;
mod list;
mod listed;
mod load;
mod locked;
pub(super) mod offer;
mod pull;
mod push;
mod remove;
mod save;
mod search;
mod show;
mod upgrade;
mod yank;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use artifact::Plugin;
use distribution::{Label, Package, Traffic};
use serde::Serialize;

use crate::context::Context;
use crate::output::{self, Format};

/// Install plugins and keep them up to date; send them to registries and fetch them, with everything that was signed about them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Install(install::Args),
    List(list::Args),
    Show(show::Args),
    Upgrade(upgrade::Args),
    Remove(remove::Args),
    Push(push::Args),
    Pull(pull::Args),
    Save(save::Args),
    Load(load::Args),
    Search(search::Args),
    Index(index::Args),
    Yank(yank::Args),
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Install(args) => install::run(args, context).await,
        Command::List(args) => list::run(args, context),
        Command::Show(args) => show::run(args, context),
        Command::Upgrade(args) => upgrade::run(args, context).await,
        Command::Remove(args) => remove::run(args, context),
        Command::Push(args) => push::run(args, context).await,
        Command::Pull(args) => pull::run(args, context).await,
        Command::Save(args) => save::run(args, context),
        Command::Load(args) => load::run(args, context).await,
        Command::Yank(args) => yank::run(args, context).await,
        Command::Search(args) => search::run(args, context).await,
        Command::Index(args) => index::run(args, context).await,
    }
}

/// What a command tells of a plugin that went from one place to another.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Moved {
    name: String,
    version: String,
    digest: String,
    /// Where it is now.
    to: String,
    statements: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<Wire>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Wire {
    requests: u64,
    sent_bytes: u64,
    received_bytes: u64,
}

impl Wire {
    fn say(&self) {
        let Self { requests, sent_bytes, received_bytes } = self;
        output::say(&format!("{sent_bytes} bytes sent, {received_bytes} received, in {requests} requests"));
    }
}

impl From<Traffic> for Wire {
    fn from(traffic: Traffic) -> Self {
        let Traffic { requests, sent_bytes, received_bytes } = traffic;
        Self { requests, sent_bytes, received_bytes }
    }
}

impl Moved {
    fn new(plugin: &Plugin, package: &Package, to: String) -> Self {
        let about = &plugin.manifest().plugin;
        Self {
            name: about.name.clone(),
            version: about.version.to_string(),
            digest: plugin.digest().to_string(),
            to,
            statements: package.attachments.len(),
            manifest: None,
            traffic: None,
        }
    }

    fn print(&self, format: Format) -> anyhow::Result<ExitCode> {
        match format {
            Format::Json => output::json(self)?,
            Format::Table => {
                output::text(&format!("{} {} is at {}", self.name, self.version, self.to));
                output::text(&self.digest);
                self.traffic.iter().for_each(Wire::say);
                if self.statements == 0 {
                    output::say("nobody signed it: `remit run` takes it by hand only");
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What registries and archives show of a plugin.
fn label(plugin: &Plugin) -> Label {
    let about = &plugin.manifest().plugin;
    let full = |name: &str| format!("msp:automation/{name}@{}", contract::VERSION);
    let mut exports = vec![full("detection")];
    if plugin.has_remediation() {
        exports.push(full("remediation"));
    }
    Label {
        title: about.name.clone(),
        version: about.version.to_string(),
        description: about.description.clone(),
        licenses: about.license.clone(),
        vendor: about.publisher.clone(),
        imports: plugin.imports().iter().map(|import| full(&import.interface)).collect(),
        exports,
    }
}

/// Writes a plugin with everything beside it: to where it is wanted, or under its name.
fn write(plugin: &Plugin, package: &Package, to: Option<&Path>) -> anyhow::Result<PathBuf> {
    let file = to.map_or_else(|| format!("{}.wasm", plugin.manifest().plugin.name).into(), Path::to_owned);
    distribution::write_file(&file, package)?;
    Ok(file)
}
