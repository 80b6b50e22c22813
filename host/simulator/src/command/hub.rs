use std::path::PathBuf;
use std::process::ExitCode;

/// Serve the hub of a folder, as long as its input lasts
#[derive(clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {
    folder: PathBuf,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    simulator::hub_process::run(&args.folder)?;
    Ok(ExitCode::SUCCESS)
}
