//! `remit plugin`: plugins on their way, with everything that was signed about them. Nothing of them runs here.

mod index;
mod load;
mod pull;
mod push;
mod save;
mod search;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use artifact::Plugin;
use distribution::{DockerConfig, Fetcher, Label, Limits, Network, Package, Roots, Traffic};
use serde::Serialize;

use crate::context::Context;
use crate::output::{self, Format};

/// Send plugins to registries and fetch them, with everything that was signed about them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Push(push::Args),
    Pull(pull::Args),
    Save(save::Args),
    Load(load::Args),
    Search(search::Args),
    Index(index::Args),
}

/// How servers are reached.
#[derive(clap::Args)]
struct Way {
    /// Ask the server that is named without TLS; on this machine that needs no word
    #[arg(long)]
    plain_http: bool,

    /// Take what `docker login` left from this folder instead of ~/.docker
    #[arg(long, env = "DOCKER_CONFIG", value_name = "DIR")]
    docker_config: Option<PathBuf>,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Push(args) => push::run(args, context).await,
        Command::Pull(args) => pull::run(args, context).await,
        Command::Save(args) => save::run(args, context),
        Command::Load(args) => load::run(args, context),
        Command::Search(args) => search::run(args, context).await,
        Command::Index(args) => index::run(args, context).await,
    }
}

impl Way {
    /// Over the network, and what counts its bytes.
    fn open(&self, context: &Context) -> anyhow::Result<(Fetcher, Network)> {
        let network = Network::new(&Roots(context.host_policy()?.backends.http.trust), Limits::default())?;
        let folder = self.docker_config.clone().or_else(|| Some(std::env::home_dir()?.join(".docker")));
        let docker = folder.map(|folder| DockerConfig::read(&folder.join("config.json"))).transpose()?;
        let partial = context.state.join("downloads");
        let fetcher = Fetcher::new(network.clone(), docker.unwrap_or_default(), self.plain_http, Some(partial));
        Ok((fetcher, network))
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
                if let Some(wire) = &self.traffic {
                    let Wire { requests, sent_bytes, received_bytes } = wire;
                    output::say(&format!("{sent_bytes} bytes sent, {received_bytes} received, in {requests} requests"));
                }
                if self.statements == 0 {
                    output::say("nobody signed it: `remit run` takes it by hand only");
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What came has a label, or it is no plugin.
fn verified(package: &Package, from: &str) -> anyhow::Result<Plugin> {
    artifact::verify_local(package.component.clone(), None).with_context(|| from.to_owned())
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

/// A built plugin with everything beside it.
fn read(file: &Path) -> anyhow::Result<(Plugin, Package)> {
    if file.is_dir() || script::is_script(file) {
        anyhow::bail!("{}: what travels is built: `remit build` says which file it wrote", file.display());
    }
    let package = distribution::read_file(file)?;
    Ok((verified(&package, &file.display().to_string())?, package))
}

/// Writes a plugin with everything beside it: to where it is wanted, or under its name.
fn write(plugin: &Plugin, package: &Package, to: Option<&Path>) -> anyhow::Result<PathBuf> {
    let file = to.map_or_else(|| format!("{}.wasm", plugin.manifest().plugin.name).into(), Path::to_owned);
    distribution::write_file(&file, package)?;
    Ok(file)
}
