mod list;
mod make;
mod take_away;

use std::process::ExitCode;

use crate::context::Context;

/// Make tokens that devices join with, and take them away
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Make(make::Args),
    List(list::Args),
    TakeAway(take_away::Args),
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Make(args) => make::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::TakeAway(args) => take_away::run(args, context).await,
    }
}
