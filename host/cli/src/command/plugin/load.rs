use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::Moved;
use crate::context::Context;

/// Take a plugin with everything that was signed about it out of an archive, as files
#[derive(clap::Args)]
pub(super) struct Args {
    /// The archive, as `remit plugin save` or skopeo made it
    archive: PathBuf,

    /// Where to; without it, its name with `.wasm`
    file: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let from = args.archive.display().to_string();
    let archive = File::open(&args.archive).with_context(|| from.clone())?;
    let package = distribution::read_archive(archive).with_context(|| from.clone())?;
    let plugin = super::verified(&package, &from)?;
    let file = super::write(&plugin, &package, args.file.as_deref())?;
    Moved::new(&plugin, &package, file.display().to_string()).print(context.output)
}
