mod verify;

use std::process::ExitCode;

use crate::context::Context;

/// Look at the hub's chain of who did what
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Verify(verify::Args),
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(args) => verify::run(args, context).await,
    }
}
