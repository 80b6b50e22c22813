mod list;
mod resign;
mod show;

use std::process::ExitCode;

use crate::context::Context;

/// Look at what was ordered, by whom; and sign anew what a leaver ordered
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Show(show::Args),
    Resign(resign::Args),
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Resign(args) => resign::run(args, context).await,
    }
}
