use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::Moved;
use crate::context::Context;

/// Put a built plugin with everything that was signed about it into one archive, for where there is no network
#[derive(clap::Args)]
pub(super) struct Args {
    /// A built plugin: `FILE.statement` and what else is signed about it lie beside it
    file: PathBuf,

    /// The archive, such as `name.tar`: an OCI layout, which skopeo reads too
    archive: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (plugin, package) = super::read(&args.file)?;
    let archive = distribution::write_archive(&package, &super::label(&plugin))?;
    let to = args.archive.display().to_string();
    store::whole::write(&args.archive, &archive).with_context(|| to.clone())?;
    Moved::new(&plugin, &package, to).print(context.output)
}
