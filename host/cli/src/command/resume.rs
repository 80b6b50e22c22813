use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use contract::types::Effect;
use model::{Ended, Event, Outcome, Recorded, Resources, RunId, Started, Verdict};
use runtime::{Recorder, Request, Resumed};
use tokio_util::sync::CancellationToken;

use super::run::deliver;
use super::summary::RunSummary;
use crate::context::Context;
use crate::watch::Spinner;
use crate::{exit, lock, reconcile, source, suspended};

/// Go on with a run that was suspended for a reboot
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run
    run: RunId,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let store = context.store()?;
    let policy = context.host_policy()?;
    let events = store.events(args.run)?;
    let (started, waiting) = waiting(&events, args.run)?;
    let device = context.device(&store, &policy, &started.roots);
    let _machine = lock::machine(&context.state, started.mode)?;
    reconcile::after_crash(&store, &device, context).await?;
    let mut log = store.open_run(args.run)?.context("another process goes on with it already")?;
    if context.clock.now_ms() > waiting.until_ms {
        log.append(vec![(context.clock.now_ms(), Event::Ended(Box::new(too_late())))])?;
        suspended::forget(context, args.run);
        bail!("{} waited too long for its reboot: it is over, interrupted", args.run);
    }
    if device.machine.pending_reboot().await?.is_some_and(|request| request.run == args.run.to_string()) {
        bail!("the machine has not been rebooted since {} was suspended", args.run);
    }
    let plugin = source::load(&suspended::plugin_file(context, args.run)).await?;
    if plugin.digest() != started.digest {
        bail!("the plugin that was kept is {}, the run is of {}", plugin.digest(), started.digest);
    }
    let engine = context.engine()?;
    let (cache, compiler) = (context.cache()?, context.compiler()?);
    let prepared = runtime::prepare(&engine, &plugin, &started.grants, Some(&cache), &compiler).await?;
    let recorder: Box<dyn Recorder> = Box::new(log);
    let spinner = Arc::new(Spinner::new(&started.plugin));
    let request = request(args.run, started, waiting);
    let ended = runtime::execute(&prepared, request, &device, &context.clock, recorder, spinner.clone()).await?;
    spinner.finish();
    deliver(&device).await;
    if ended.outcome == Outcome::Suspended {
        device.machine.reboot().await.context("the reboot that the run waits for")?;
    } else {
        suspended::forget(context, args.run);
    }
    if let Some(summary) = RunSummary::of(&store.events(args.run)?) {
        summary.print(context.output)?;
    }
    Ok(exit::of(&ended))
}

/// What a suspended run waits with.
struct Waiting {
    until_ms: u64,
    resumed: Resumed,
}

fn waiting(events: &[Recorded], run: RunId) -> anyhow::Result<(Started, Waiting)> {
    let Some(Event::Started(started)) = events.first().map(|first| &first.event) else {
        bail!("{run} is not in this device's memory; `remit runs list` shows what is");
    };
    let last = events.iter().rev().map(|recorded| &recorded.event).find_map(|event| match event {
        Event::Suspended { until_ms, findings } => Some(Some((*until_ms, findings.clone()))),
        Event::Ended(_) => Some(None),
        _ => None,
    });
    let Some(Some((until_ms, findings))) = last else { bail!("{run} is not suspended") };
    let checkpoint = events.iter().rev().find_map(|recorded| match &recorded.event {
        Event::Checkpoint { state } => Some(state.clone()),
        _ => None,
    });
    let has_changed = events.iter().any(|recorded| match &recorded.event {
        Event::Called(called) => called.effects.iter().any(|effect| effect.effect != Effect::Unchanged),
        _ => false,
    });
    let resumed = Resumed { checkpoint: checkpoint.unwrap_or_default(), findings, has_changed };
    Ok(((**started).clone(), Waiting { until_ms, resumed }))
}

fn request(run: RunId, started: Started, waiting: Waiting) -> Request {
    Request {
        run,
        mode: started.mode,
        trigger: started.trigger,
        parameters: started.parameters.as_object().cloned().unwrap_or_default(),
        limits: started.limits,
        // What the plan bound was done before the reboot; after it the plugin looks again.
        plan: started.plan.map(|_| model::Plan::default()),
        recording: false,
        device: started.device,
        roots: started.roots,
        cancel: CancellationToken::new(),
        resumed: Some(waiting.resumed),
    }
}

fn too_late() -> Ended {
    Ended {
        verdict: Verdict::Unknown,
        outcome: Outcome::Interrupted,
        detail: "it waited too long for its reboot".to_owned(),
        error: None,
        plan: None,
        plan_digest: None,
        resources: Resources::default(),
    }
}
