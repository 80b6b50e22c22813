mod again;
mod cancel;
mod pause;
mod results;
mod resume;
mod run;
mod show;
mod status;
mod submit;
mod upgrade;
mod watch;

use std::process::ExitCode;

use crate::context::Context;

/// Have a plugin run on many devices, ring by ring, and see what became of it
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Run(Box<run::Args>),
    Upgrade(Box<upgrade::Args>),
    Submit(submit::Args),
    Status(status::Args),
    Watch(watch::Args),
    Results(results::Args),
    Cancel(cancel::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Rerun(again::Rerun),
    Undo(again::Undo),
}

pub(crate) async fn run(command: &Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(args, context).await,
        Command::Upgrade(args) => upgrade::run(args, context).await,
        Command::Submit(args) => submit::run(args, context).await,
        Command::Status(args) => status::run(args, context).await,
        Command::Watch(args) => watch::run(args, context).await,
        Command::Results(args) => results::run(args, context).await,
        Command::Cancel(args) => cancel::run(args, context).await,
        Command::Pause(args) => pause::run(args, context).await,
        Command::Resume(args) => resume::run(args, context).await,
        Command::Rerun(args) => again::rerun(args, context).await,
        Command::Undo(args) => again::undo(args, context).await,
    }
}
