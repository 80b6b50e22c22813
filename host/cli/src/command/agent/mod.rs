mod config;
mod install;
mod run;
mod uninstall;

use std::process::ExitCode;

use crate::context::Context;

/// Run plugins on schedule and on events, unattended
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Agent,
}

#[derive(clap::Subcommand)]
enum Agent {
    Run(run::Args),
    Config(config::Args),
    Install(install::Args),
    Uninstall(uninstall::Args),
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    match args.command {
        Agent::Run(args) => run::run(args).await,
        Agent::Config(args) => config::run(&args),
        Agent::Install(args) => install::run(args, context).await,
        Agent::Uninstall(args) => uninstall::run(&args, context).await,
    }
}
