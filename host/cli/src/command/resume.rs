use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use artifact::Trust;
use model::outcome::exit::SUSPENDED;
use model::{Ended, Event, Outcome, Plan, RunId, Started, event};
use runtime::Request;
use tokio_util::sync::CancellationToken;

use super::run::write_record;
use super::summary::RunSummary;
#[cfg(target_os = "linux")]
use crate::agent::{client, protocol::Ask};
use crate::context::Context;
use crate::fault::Refused;
use crate::machine::Machine;
use crate::suspended::{self, Waiting};
use crate::watch::Spinner;
use crate::{exit, job, source, watch};

/// Go on with a run that was suspended for a reboot
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run
    run: RunId,

    /// Write the record to a file, with all that a replay needs, if the run began with `--record`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let run = args.run;
    let (machine, started) = Machine::of_run(context, run)?;
    if Waiting::of(&machine.store.events(run)?).is_none() {
        bail!("{run} is not suspended");
    }
    let _machine = machine.take(started.mode, context).await?;
    // Where it waited too long, or lacks what it would go on with, it has just been ended.
    if let Some(waiting) = Waiting::of(&machine.store.events(run)?) {
        go_on(run, &started, waiting, &machine, context).await?;
    }
    let has_agent = tell_agent(context).await;
    let events = machine.store.events(run)?;
    if let Some(path) = &args.record {
        write_record(path, &events)?;
    }
    if let Some(summary) = RunSummary::of(&events) {
        summary.print(context.output)?;
    }
    let Some(ended) = event::end(&events) else {
        // Once more, then.
        if !has_agent {
            suspended::reboot(&machine, context).await?;
        }
        return Ok(ExitCode::from(SUSPENDED));
    };
    Ok(exit::of(ended))
}

/// The agent, where there is one, goes on with what waited for this run, and takes its reboot.
#[cfg(target_os = "linux")]
async fn tell_agent(context: &Context) -> bool {
    client::ask(context, &Ask::Resumed).await.is_ok()
}

/// No agent runs elsewhere.
#[cfg(not(target_os = "linux"))]
async fn tell_agent(_: &Context) -> bool {
    false
}

/// It does not go on: that is its end.
fn refuse(run: RunId, refused: Refused, machine: &Machine, context: &Context) -> anyhow::Result<anyhow::Error> {
    let ended = Ended::by_host(Outcome::Refused, refused.reasons.join("\n"));
    machine.log(run)?.append(vec![(context.clock.now_ms(), Event::Ended(Box::new(ended)))])?;
    suspended::forget(context, run);
    Ok(refused.into())
}

async fn go_on(
    run: RunId,
    started: &Started,
    waiting: Waiting,
    machine: &Machine,
    context: &Context,
) -> anyhow::Result<()> {
    if waiting.is_before_reboot(run, machine).await? {
        bail!("the machine has not been rebooted since {run} was suspended");
    }
    let plugin = source::load(&suspended::plugin_file(context, run), context.cache().ok().as_ref()).await?;
    let plugin = match suspended::still_approved(context, run, plugin, started)? {
        Ok(plugin) => plugin,
        Err(refused) => return Err(refuse(run, refused, machine, context)?),
    };
    let spinner = Arc::new(Spinner::new(&started.plugin));
    let grants = match plugin.trust() {
        // Of what it was granted then, what its approval still grants.
        Trust::Approved(approved) => approved.grants(),
        Trust::Unsigned => &started.grants,
    };
    if let Err(refused) = job::check_resumed(&plugin, grants, started.mode, machine) {
        return Err(refuse(run, refused, machine, context)?);
    }
    let prepared = context.prepare(&plugin, grants).await?;
    let request = Request {
        run,
        mode: started.mode,
        trigger: started.trigger.clone(),
        parameters: started.parameters.as_object().cloned().unwrap_or_default(),
        limits: started.limits.clone(),
        // What the plan bound was done before the reboot; after it the plugin looks again.
        plan: started.plan.map(|_| Plan::default()),
        recording: waiting.is_recorded,
        device: started.device.clone(),
        roots: started.roots.clone(),
        cancel: CancellationToken::new(),
        resumed: Some(waiting.resumed),
    };
    let cancel = request.cancel.clone();
    let going_on = machine.execute(&prepared, request, spinner.clone(), context);
    let ended = watch::attended(&spinner, &cancel, going_on).await?;
    machine.wind_up(started.mode, context).await;
    if ended.outcome != Outcome::Suspended {
        suspended::forget(context, run);
    }
    Ok(())
}
