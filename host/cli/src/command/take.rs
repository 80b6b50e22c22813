use std::path::PathBuf;
use std::process::ExitCode;

use trust::file;

use crate::context::Context;
use crate::keys;

/// Take signed documents into what this machine believes: rosters, policies, approvals, revocations, next roots
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Statements, each with its `.sig` beside it
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    for path in &args.files {
        keys::take(&file::read(path)?, context)?;
    }
    Ok(ExitCode::SUCCESS)
}
