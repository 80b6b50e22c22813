use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hub::Hub;

use crate::context::Context;
use crate::output;

/// Write the whole hub, its authority's key included, into one new file; the hub goes on working
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which file: nobody else may read it
    file: PathBuf,
}

pub(crate) fn run(args: &Args, folder: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    Hub::open(folder, context.clock.clone())?.backup(&args.file)?;
    output::say(&format!(
        "{} has all of the hub, and the key of its authority: keep it as you keep that",
        args.file.display()
    ));
    Ok(ExitCode::SUCCESS)
}
