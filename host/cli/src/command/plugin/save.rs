use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::Moved;
use crate::context::Context;
use crate::meant::{self, Meant};
use crate::{keys, vouched};

/// Put a plugin with everything that was signed about it into one archive, for where there is no network
#[derive(clap::Args)]
pub(super) struct Args {
    /// A built plugin: `FILE.statement` and what else is signed about it lie beside it; or `NAME` of what is installed
    #[arg(value_parser = meant::parser())]
    plugin: Meant,

    /// The archive, such as `name.tar`: an OCI layout, which skopeo reads too
    archive: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (plugin, mut package) = args.plugin.read(context)?;
    // Where it goes there may be nobody else to ask: what this machine believes of it goes along.
    if let Some(trust) = keys::believed(context)? {
        package.attachments.extend(trust.about(plugin.digest()).into_iter().map(vouched::attachment));
        package.attachments.sort();
        package.attachments.dedup();
    }
    let archive = distribution::write_archive(&package, &super::label(&plugin))?;
    let to = args.archive.display().to_string();
    store::whole::write(&args.archive, &archive).with_context(|| to.clone())?;
    Moved::new(&plugin, &package, to).print(context.output)
}
