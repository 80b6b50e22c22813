mod config;
mod explain;
mod install;
mod join;
mod leave;
mod orders;
mod pause;
mod resume;
mod run;
mod status;
mod uninstall;
mod upgrade;

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
    Status(status::Args),
    Orders(orders::Args),
    Explain(explain::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Config(config::Args),
    Join(join::Args),
    Leave(leave::Args),
    Install(install::Args),
    Uninstall(uninstall::Args),
    #[command(hide = true)]
    Upgrade(upgrade::Args),
}

impl Args {
    /// Whether many runs share this process.
    pub(crate) fn is_executor(&self) -> bool {
        matches!(&self.command, Agent::Run(args) if args.is_executor())
    }
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    match args.command {
        Agent::Run(args) => run::run(args, context).await,
        Agent::Status(args) => status::run(&args, context).await,
        Agent::Orders(args) => orders::run(&args, context).await,
        Agent::Explain(args) => explain::run(args, context).await,
        Agent::Pause(args) => pause::run(args, context).await,
        Agent::Resume(args) => resume::run(args, context).await,
        Agent::Config(args) => config::run(&args),
        Agent::Join(args) => join::run(args, context).await,
        Agent::Leave(args) => leave::run(&args, context).await,
        Agent::Install(args) => install::run(args, context).await,
        Agent::Uninstall(args) => uninstall::run(&args, context).await,
        Agent::Upgrade(args) => upgrade::run(&args, context).await,
    }
}
