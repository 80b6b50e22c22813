use std::process::ExitCode;

use contract::run::Mode;
use model::RunId;
use runtime::{Recorder, UndoRequest};

use super::summary::RunSummary;
use crate::context::Context;
use crate::exit;
use crate::machine::{self, Machine};

/// Take back what a run did, or list why not
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run
    run: RunId,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (machine, _) = Machine::of_run(context, args.run)?;
    let _machine = machine.take(Mode::Enforce, context).await?;
    // Read now: the run itself may be what an earlier host left.
    let events = machine.store.events(args.run)?;
    let request = UndoRequest { run: RunId::new(), trigger: machine::by_hand() };
    let undo = request.run;
    let recorder: Box<dyn Recorder> = Box::new(machine.store.begin(undo)?);
    let ended = runtime::undo(&events, request, &machine.device, &context.clock, recorder).await?;
    machine.wind_up(Mode::Enforce, context).await;
    if let Some(summary) = RunSummary::of(&machine.store.events(undo)?) {
        summary.print(context.output)?;
    }
    Ok(exit::of(&ended))
}
