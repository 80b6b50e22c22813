mod again;
mod cancel;
mod pause;
mod results;
mod resume;
mod run;
mod show;
mod status;
mod submit;
mod watch;

use std::process::ExitCode;

use crate::context::Context;

/// Have a plugin run on many devices, ring by ring, and see what became of it
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Run(Box<run::Args>),
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

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Run(args) => run::run(args, context).await,
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
