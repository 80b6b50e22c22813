use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use distribution::{Existing, Source};

use super::{Moved, Way};
use crate::context::Context;

/// Put a built plugin into a registry, with the statements beside it
#[derive(clap::Args)]
pub(super) struct Args {
    /// A built plugin: `FILE.statement` and what else is signed about it lie beside it
    file: PathBuf,

    /// Such as `registry.example/path/name`; without a tag that is its version
    to: Source,

    /// Take over a tag that something else has
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    way: Way,
}

pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Source::Oci(reference) = &args.to else {
        bail!("{} is no registry: a file is copied, and `remit plugin save` makes an archive", args.to);
    };
    let (plugin, package) = super::read(&args.file)?;
    let (fetcher, network) = args.way.open(context)?;
    let existing = if args.replace { Existing::Replace } else { Existing::Refuse };
    let registry = fetcher.registry(reference).await?;
    let pushed = registry.push(reference, &package, &super::label(&plugin), existing).await?;
    let moved = Moved::new(&plugin, &package, format!("oci://{}", pushed.reference));
    let (manifest, traffic) = (Some(pushed.manifest.to_string()), Some(network.traffic().into()));
    Moved { manifest, traffic, ..moved }.print(context.output)
}
