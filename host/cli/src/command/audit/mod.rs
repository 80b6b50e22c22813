mod verify;

use std::process::ExitCode;

use crate::context::Context;

/// Look at the hub's chain of who did what
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Verify(verify::Args),
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Verify(args) => verify::run(args, context).await,
    }
}
