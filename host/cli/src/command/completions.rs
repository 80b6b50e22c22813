use std::process::ExitCode;

use clap::CommandFactory;

use crate::Cli;

/// Print completions for a shell
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    clap_complete::generate(args.shell, &mut Cli::command(), "remit", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
