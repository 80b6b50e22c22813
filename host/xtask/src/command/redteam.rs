//! The red team, with everything optimised.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::process::shown;

/// Attack a fleet of simulated devices as whoever stole something would, and print whom that reaches; exit code 1 where a bar is missed
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Among so many devices
    #[arg(long, default_value_t = 1_000)]
    devices: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut command = Command::new(super::bench::simulator()?);
    command.args(["redteam", "--devices", &args.devices.to_string()]);
    let status = command.status().with_context(|| format!("cannot start {}", shown(&command)))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
