use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hub::Hub;

use crate::output;

/// Put a backup into a folder that has no hub
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What `remit hub backup` wrote
    file: PathBuf,
}

pub(crate) fn run(args: &Args, folder: &Path) -> anyhow::Result<ExitCode> {
    Hub::restore(&args.file, folder)?;
    output::say(&format!("the hub is in {}: `remit hub doctor` looks at it", folder.display()));
    Ok(ExitCode::SUCCESS)
}
