mod ask;
mod grant;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use contract::run::Mode;
use model::{Ended, Grants, Outcome, Recorded, RunId};
use runtime::Request;

use super::summary::RunSummary;
use crate::context::Context;
use crate::declared::Declared;
use crate::fault::Refused;
use crate::installed::Wanted;
use crate::machine::Machine;
use crate::meant::{Found, Meant};
use crate::watch::Spinner;
use crate::{exit, meant, script_runtimes, suspended, vouched};

pub(super) use ask::{Asks, How, limits, request};

/// Run a plugin once on this machine
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, the folder with its source, a script, or `NAME` or `NAME@VERSION` of what is installed
    #[arg(value_parser = meant::parser())]
    plugin: Meant,

    /// What it may do: look; look and say what it would change; or change it
    #[arg(long, value_enum, default_value = "detect")]
    mode: RunMode,

    #[command(flatten)]
    asks: Asks,

    #[command(flatten)]
    device: vouched::Device,

    /// Do what this dry run planned, and nothing else
    #[arg(long, value_name = "RUN")]
    plan: Option<RunId>,

    /// Write the record to a file, with all that a replay needs
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// The modes, as the command line has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum RunMode {
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

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let wanted = Wanted { device: &args.device, mode: args.mode.into(), given: args.asks.given()? };
    let Found { plugin, statements, path, origin } = args.plugin.load(&wanted, context).await?;
    let machine = Machine::open(context, &args.asks.roots()?)?;
    let how = How { mode: args.mode, plan: args.plan, recording: args.record.is_some() };
    let request = request(&args.asks, how, &plugin, &machine)?;
    let _machine = machine.take(request.mode, context).await?;
    let spinner = Arc::new(Spinner::new(&plugin.manifest().plugin.name));
    let (plugin, granted) = match statements.is_empty() && !origin.is_installed() {
        true => (plugin, None),
        false => grant::by_approval(&args, (plugin, &statements), origin, &request, &machine, context)?,
    };
    let declared = Declared::of(&plugin, &path);
    let ended = execute(&args.asks, &declared, granted, &request, &machine, spinner, context).await?;
    machine.wind_up(request.mode, context).await;
    let is_suspended = ended.outcome == Outcome::Suspended;
    if is_suspended {
        suspended::leave(context, request.run, (&plugin, &statements, &args.device), args.record.as_deref())?;
    }
    let events = machine.store.events(request.run)?;
    if let Some(path) = &args.record {
        if plugin.script().is_some() {
            script_runtimes::keep(context)?;
        }
        write_record(path, &events)?;
    }
    if let Some(summary) = RunSummary::of(&events) {
        summary.advised(declared.needed_by(&events)).print(context.output)?;
    }
    if is_suspended {
        machine.device.machine.reboot().await.context("the reboot that the run waits for")?;
    }
    Ok(exit::of(&ended))
}

/// Grants by hand what no approval granted, compiles and runs. What is refused on the way has a record too.
pub(super) async fn execute(
    asks: &Asks,
    declared: &Declared<'_>,
    granted: Option<Grants>,
    request: &Request,
    machine: &Machine,
    spinner: Arc<Spinner>,
    context: &Context,
) -> anyhow::Result<Ended> {
    let plugin = declared.plugin;
    let refused = |refused: Refused| grant::record_refusal(refused, plugin, request, machine, context);
    let grants = match granted {
        Some(grants) => grants,
        None => grant::by_hand(&asks.allow, declared, &machine.policy, request).map_err(refused)?,
    };
    let prepared = tokio::select! {
        biased;
        () = request.cancel.cancelled() => bail!("it was stopped before anything ran"),
        prepared = context.prepare(plugin, &grants) => prepared,
    };
    let prepared = prepared.map_err(|error| match error.downcast() {
        Ok(runtime::Error::Refused(reasons)) => {
            refused(Refused::because(reasons.iter().map(ToString::to_string).collect()))
        }
        Ok(other) => other.into(),
        Err(other) => other,
    })?;
    machine.execute(&prepared, request.clone(), spinner, context).await
}

/// Writes events as JSON Lines: what `remit replay` reads.
pub(super) fn write_record(path: &Path, events: &[Recorded]) -> anyhow::Result<()> {
    let lines: Result<Vec<String>, _> = events.iter().map(serde_json::to_string).collect();
    store::whole::write(path, (lines?.join("\n") + "\n").as_bytes()).with_context(|| format!("{}", path.display()))
}
