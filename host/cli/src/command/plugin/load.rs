use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::{Moved, install};
use crate::context::Context;
use crate::meant::package_s_plugin;

/// Install a plugin out of an archive, with everything that was signed about it; or write both as files
#[derive(clap::Args)]
pub(super) struct Args {
    /// The archive, as `remit plugin save` or skopeo made it
    archive: PathBuf,

    /// Write the plugin here instead, with its statements beside it
    file: Option<PathBuf>,

    #[command(flatten)]
    held: install::Held,
}

pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Some(file) = &args.file else {
        return install::run_archive(&args.archive, &args.held, context).await;
    };
    let from = args.archive.display().to_string();
    let archive = File::open(&args.archive).with_context(|| from.clone())?;
    let package = distribution::read_archive(archive).with_context(|| from.clone())?;
    let plugin = package_s_plugin(&package, &from)?;
    let file = super::write(&plugin, &package, Some(file))?;
    Moved::new(&plugin, &package, file.display().to_string()).print(context.output)
}
