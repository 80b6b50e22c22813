mod list;
mod resign;
mod show;

use std::process::ExitCode;

use crate::context::Context;

/// Look at what was ordered, by whom; and sign anew what a leaver ordered
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Resign(resign::Args),
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Resign(args) => resign::run(args, context).await,
    }
}
