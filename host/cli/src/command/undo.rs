use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::run::Mode;
use model::{Event, RunId};
use runtime::{Recorder, UndoRequest};

use super::run::by_hand;
use super::summary::RunSummary;
use crate::context::Context;
use crate::{exit, lock, reconcile};

/// Take back what a run did, or list why not
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run
    run: RunId,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let store = context.store()?;
    let policy = context.host_policy()?;
    let _machine = lock::machine(&context.state, Mode::Enforce)?;
    let events = store.events(args.run)?;
    let Some(Event::Started(started)) = events.first().map(|first| &first.event) else {
        bail!("{} is not in this device's memory; `remit runs list` shows what is", args.run);
    };
    let device = context.device(&store, &policy, &started.roots);
    reconcile::after_crash(&store, &device, context).await?;
    // The run itself may be what an earlier host left.
    let events = store.events(args.run)?;
    let undo = RunId::new();
    let recorder: Box<dyn Recorder> = Box::new(store.open_run(undo)?.context("the run has a record already")?);
    let request = UndoRequest { run: undo, trigger: by_hand() };
    let ended = runtime::undo(&events, request, &device, &context.clock, recorder).await?;
    if let Some(summary) = RunSummary::of(&store.events(undo)?) {
        summary.print(context.output)?;
    }
    Ok(exit::of(&ended))
}
