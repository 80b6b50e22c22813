use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::agent::executor::{self, Settings};
use crate::agent::supervisor::{Starter, Supervisor};
use crate::agent::{config, network};
use crate::context::Context;

/// Run a half of the agent until it is told to stop; what starts it with the machine is made by `install`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which
    #[arg(long, value_enum, default_value = "executor")]
    half: Half,

    /// Read the agent's configuration from this file instead of /etc/remit/agent.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    starter: Starter,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Half {
    /// Decides and runs: the one that is root
    Executor,
    /// Speaks to the network: metrics, traces
    Network,
}

impl Args {
    /// Whether many runs share this process.
    pub(super) fn is_executor(&self) -> bool {
        self.half == Half::Executor
    }
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new(&args.starter);
    match args.half {
        Half::Network => network::run(args.config, &supervisor).await?,
        Half::Executor => {
            let config = config::read(args.config.as_deref())?;
            config.log.begin()?;
            let settings = Settings::new(&config, context)?;
            executor::begin(settings, Arc::new(context.for_agent())).await?.work(&supervisor).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
