//! A plugin while it is written: run at each save.

mod saves;
mod turn;

use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::run::{Asks, RunMode};
use crate::context::Context;
use crate::fault::Refused;
use crate::output;
use saves::Saves;
use turn::Turn;

/// Run a plugin again at each save, and show how it went
///
/// Runs the plugin, and then again whenever it is saved, until Ctrl-C, which ends it with exit code 0. Shown are verdict, findings,
/// effects (planned ones), log and time, and what is another than at the run before. What is wrong is shown with its place and
/// its line, and waits for the next save. A save while a run is under way stops that run and begins anew.
///
/// It runs on this machine, looking (`--mode detect`) or saying what it would change (`--mode dry-run`), with capabilities
/// granted as `remit run` grants them, and each run is recorded as any other. Or it runs on the device that a fixture describes,
/// which is watched too; then nothing is recorded, nothing of this machine is touched, and what is not as the fixture expects
/// it is shown.
///
/// `--output json` writes one JSON object a run, each in a line of its own: `number`, `took-ms`, `run` (as `remit run` writes it;
/// null where nothing ran), `error`, `problems` (line, column, message and advice, of a script), `differences` from what a fixture
/// expects, and `changes` since the run before.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A script, the folder with a plugin's source, or a built plugin
    plugin: PathBuf,

    /// Run on the device that this file describes (sdk/FIXTURES.md), in the mode that it says
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mode", "parameters", "params", "allow", "binds", "limits"])]
    fixture: Option<PathBuf>,

    /// What it may do on this machine: look; or look and say what it would change
    #[arg(long, value_enum, default_value = "detect")]
    mode: RunMode,

    #[command(flatten)]
    asks: Asks,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    if args.mode == RunMode::Enforce {
        let reason = "`--mode enforce`: what is half written is saved too, and each save would change this machine";
        let next = "see it with `--mode dry-run`, then `remit run --mode enforce`";
        return Err(Refused { next: Some(next.to_owned()), ..Refused::because(vec![reason.to_owned()]) }.into());
    }
    let mut stop = pin!(tokio::signal::ctrl_c());
    let mut saves = Saves::of(&args.plugin, args.fixture.as_deref())?;
    output::say("runs again at each save; Ctrl-C ends it");
    let mut before: Option<Turn> = None;
    let mut number = 1;
    loop {
        let cancel = CancellationToken::new();
        let mut running = pin!(Turn::take(args, context, number, cancel.clone()));
        let turn = tokio::select! {
            biased;
            _ = &mut stop => {
                cancel.cancel();
                running.await;
                return Ok(ExitCode::SUCCESS);
            }
            () = saves.next() => {
                cancel.cancel();
                running.await;
                continue;
            }
            turn = &mut running => turn,
        };
        turn.show(before.as_ref(), context.output)?;
        number += 1;
        before = Some(turn);
        tokio::select! {
            biased;
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
            () = saves.next() => {}
        }
    }
}
