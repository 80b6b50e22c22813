mod ask;
mod grant;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use artifact::Plugin;
use contract::run::Mode;
use model::capability::Capability;
use model::{Ended, Outcome, Recorded, RunId};
use runtime::Request;

use super::summary::RunSummary;
use crate::context::Context;
use crate::fault::Refused;
use crate::machine::Machine;
use crate::watch::Spinner;
use crate::{exit, source, suspended, whole};

pub(super) use ask::limits;

/// Run a plugin once on this machine
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, the folder with its source, or a script
    plugin: PathBuf,

    /// What it may do: look; look and say what it would change; or change it
    #[arg(long, value_enum, default_value = "detect")]
    mode: RunMode,

    /// Set a parameter; what is not JSON is text
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameters: Vec<(String, String)>,

    /// Read parameters from a JSON file; `--param` goes before it
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,

    /// Grant a capability of class L2 or above, such as `files-write` or `service-control [nginx]`, or addresses that are not
    /// public: `http [10.0.0.0/8]`
    #[arg(long, value_name = "CAPABILITY")]
    allow: Vec<Capability>,

    /// Let a named root stand for a folder
    #[arg(long = "bind", value_name = "NAME=DIR", value_parser = name_and_value)]
    binds: Vec<(String, String)>,

    /// Do what this dry run planned, and nothing else
    #[arg(long, value_name = "RUN")]
    plan: Option<RunId>,

    /// Set a limit for this run, up to its ceiling, such as `wall-ms=60000`
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = name_and_value)]
    limits: Vec<(String, String)>,

    /// Write the record to a file, with all that a replay needs
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// The modes, as the command line has them.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum RunMode {
    Detect,
    DryRun,
    Enforce,
}

impl From<RunMode> for Mode {
    fn from(mode: RunMode) -> Self {
        match mode {
            RunMode::Detect => Self::Detect,
            RunMode::DryRun => Self::DryRun,
            RunMode::Enforce => Self::Enforce,
        }
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let plugin = source::load(&args.plugin, context.cache().ok().as_ref()).await?;
    let machine = Machine::open(context, &ask::roots(&args.binds)?)?;
    let request = ask::request(&args, &plugin, &machine)?;
    let _machine = machine.take(request.mode, context).await?;
    let ended = execute(&args, &plugin, &request, &machine, context).await?;
    machine.wind_up(request.mode, context).await;
    let is_suspended = ended.outcome == Outcome::Suspended;
    if is_suspended {
        suspended::leave(context, request.run, &plugin, args.record.as_deref())?;
    }
    let events = machine.store.events(request.run)?;
    if let Some(path) = &args.record {
        write_record(path, &events)?;
    }
    if let Some(summary) = RunSummary::of(&events) {
        summary.print(context.output)?;
    }
    if is_suspended {
        machine.device.machine.reboot().await.context("the reboot that the run waits for")?;
    }
    Ok(exit::of(&ended))
}

/// Grants, compiles and runs. What is refused on the way has a record too.
async fn execute(
    args: &Args,
    plugin: &Plugin,
    request: &Request,
    machine: &Machine,
    context: &Context,
) -> anyhow::Result<Ended> {
    let refused = |refused: Refused| grant::record_refusal(refused, plugin, request, machine, context);
    let grants = grant::by_hand(&args.allow, plugin, &machine.policy, request).map_err(refused)?;
    let spinner = Arc::new(Spinner::new(&plugin.manifest().plugin.name));
    let prepared = context.prepare(plugin, &grants).await.map_err(|error| match error.downcast() {
        Ok(runtime::Error::Refused(reasons)) => {
            refused(Refused { reasons: reasons.iter().map(ToString::to_string).collect(), next: None })
        }
        Ok(other) => other.into(),
        Err(other) => other,
    })?;
    machine.execute(&prepared, request.clone(), spinner, context).await
}

/// Writes events as JSON Lines: what `remit replay` reads.
pub(super) fn write_record(path: &Path, events: &[Recorded]) -> anyhow::Result<()> {
    let lines: Result<Vec<String>, _> = events.iter().map(serde_json::to_string).collect();
    whole::write(path, (lines?.join("\n") + "\n").as_bytes()).with_context(|| format!("{}", path.display()))
}
