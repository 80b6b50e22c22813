use std::path::PathBuf;
use std::process::ExitCode;

use crate::agent::config;
use crate::output;

/// Print a configuration with every field, commented out, or check one
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Read this file and say everything that is wrong with it; without a name /etc/remit/agent.toml
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = config::FILE)]
    check: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.check {
        Some(file) => {
            config::read(Some(file))?;
            output::say(&format!("{} can be taken", file.display()));
        }
        None => output::bytes(config::sample().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
