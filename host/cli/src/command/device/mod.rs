mod assign;
mod list;
mod retire;
mod show;
mod tag;

use std::process::ExitCode;

use crate::context::Context;

/// Look after the devices of a fleet: who is there, whose they are, what they are counted among
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Show(show::Args),
    Assign(assign::Args),
    Tag(tag::Args),
    Retire(retire::Args),
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Assign(args) => assign::run(args, context).await,
        Command::Tag(args) => tag::run(args, context).await,
        Command::Retire(args) => retire::run(args, context).await,
    }
}
