//! One file a command.

mod redteam;

use std::process::ExitCode;

/// Plays the devices of a fleet
#[derive(clap::Parser)]
#[command(name = "simulator")]
pub(crate) enum Command {
    Redteam(redteam::Args),
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Redteam(args) => redteam::run(&args),
        }
    }
}
