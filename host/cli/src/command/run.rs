mod ask;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use contract::run::Mode;
use model::{Ended, Outcome, Recorded, RunId};
use tokio_util::sync::CancellationToken;

use super::summary::RunSummary;
#[cfg(target_os = "linux")]
use crate::agent::{
    client,
    protocol::{Ask, Handed},
};
use crate::context::Context;
use crate::declared::Declared;
use crate::installed::Wanted;
use crate::job::Job;
use crate::machine::Machine;
use crate::meant::{Found, Meant};
use crate::watch::Spinner;
use crate::{exit, meant, script_runtimes, suspended, vouched, watch};

#[cfg(target_os = "linux")]
pub(super) use ask::Given;
pub(super) use ask::{Asks, How};

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
    let how = How { mode: args.mode, plan: args.plan, record: args.record };
    let job = args.asks.job(how, &args.device)?;
    let wanted = Wanted { device: &args.device, mode: job.mode, given: job.given.clone() };
    let found = args.plugin.load(&wanted, context).await?;
    let (plugin, path) = (found.plugin.clone(), found.path.clone());
    let machine = Machine::open(context, &job.roots)?;
    let mut is_before_reboot = false;
    let ended = match by_agent(&job, &args.plugin, &found, context).await? {
        Some(ended) => ended,
        None => {
            let _machine = machine.take(job.mode, context).await?;
            let ended = by_this_process(&job, found, &machine, context).await?;
            is_before_reboot = ended.outcome == Outcome::Suspended;
            ended
        }
    };
    let events = machine.store.events(job.run)?;
    if let Some(path) = &job.record {
        if plugin.script().is_some() {
            script_runtimes::keep(context)?;
        }
        write_record(path, &events)?;
    }
    if let Some(summary) = RunSummary::of(&events) {
        summary.advised(Declared::of(&plugin, &path).needed_by(&events)).print(context.output)?;
    }
    if is_before_reboot {
        suspended::reboot(&machine, context).await?;
    }
    Ok(exit::of(&ended))
}

/// Hands it to the agent, where there is one: all runs of a machine meet there. It takes the reboot too.
#[cfg(target_os = "linux")]
async fn by_agent(job: &Job, meant: &Meant, found: &Found, context: &Context) -> anyhow::Result<Option<Ended>> {
    let Some(agent) = client::find(context).await else { return Ok(None) };
    let (plugin, bytes) = match meant {
        Meant::Installed(name) => (Handed::Installed { name: name.clone() }, None),
        _ => {
            let path = found.path.display().to_string();
            (Handed::File { statements: found.statements.to_texts(), path }, Some(found.plugin.bytes()))
        }
    };
    let spinner = Spinner::new(&found.plugin.manifest().plugin.name);
    let cancel = CancellationToken::new();
    let ask = Ask::Run { job: Box::new(job.clone()), plugin };
    let run = client::run(agent, &ask, bytes, &spinner, &cancel);
    watch::attended(&spinner, &cancel, run).await.map(Some)
}

/// No agent runs elsewhere.
#[cfg(not(target_os = "linux"))]
async fn by_agent(_: &Job, _: &Meant, _: &Found, _: &Context) -> anyhow::Result<Option<Ended>> {
    Ok(None)
}

/// For a person who waits, and may stop it.
async fn by_this_process(job: &Job, found: Found, machine: &Machine, context: &Context) -> anyhow::Result<Ended> {
    let spinner = Arc::new(Spinner::new(&found.plugin.manifest().plugin.name));
    let cancel = CancellationToken::new();
    let run = job.perform(found, machine, spinner.clone(), cancel.clone(), context);
    let ended = watch::attended(&spinner, &cancel, run).await?;
    machine.wind_up(job.mode, context).await;
    Ok(ended)
}

/// Writes events as JSON Lines: what `remit replay` reads.
pub(super) fn write_record(path: &Path, events: &[Recorded]) -> anyhow::Result<()> {
    let lines: Result<Vec<String>, _> = events.iter().map(serde_json::to_string).collect();
    store::whole::write(path, (lines?.join("\n") + "\n").as_bytes()).with_context(|| format!("{}", path.display()))
}
