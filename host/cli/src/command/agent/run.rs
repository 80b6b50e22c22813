use std::path::PathBuf;
use std::process::ExitCode;

use crate::agent::network;
use crate::agent::supervisor::{Starter, Supervisor};

/// Run a half of the agent until it is told to stop; what starts it with the machine is made by `install`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which
    #[arg(long, value_enum)]
    half: Half,

    /// Read the agent's configuration from this file instead of /etc/remit/agent.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    starter: Starter,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Half {
    /// Speaks to the network: metrics, traces
    Network,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new(&args.starter);
    match args.half {
        Half::Network => network::run(args.config, &supervisor).await?,
    }
    Ok(ExitCode::SUCCESS)
}
