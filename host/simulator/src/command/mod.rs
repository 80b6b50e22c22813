//! One file a command.

mod bench;
mod play;
mod redteam;

use std::process::ExitCode;

/// Plays the devices of a fleet against a hub; or one of the commands
#[derive(clap::Parser)]
#[command(name = "simulator", args_conflicts_with_subcommands = true)]
pub(crate) struct Simulator {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    play: play::Args,
}

#[derive(clap::Subcommand)]
enum Command {
    Redteam(redteam::Args),
    Bench(bench::Args),
}

impl Simulator {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => play::run(&self.play),
            Some(Command::Redteam(args)) => redteam::run(&args),
            Some(Command::Bench(args)) => bench::run(&args),
        }
    }
}
