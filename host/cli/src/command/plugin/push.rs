use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use distribution::{Existing, Source};
use trust::file;

use super::Moved;
use crate::context::Context;
use crate::meant::{self, Meant};
use crate::vouched;
use crate::way::Way;

/// Put a built plugin into a registry, with the statements beside it
#[derive(clap::Args)]
pub(super) struct Args {
    /// A built plugin: `FILE.statement` and what else is signed about it lie beside it; or `NAME` of what is installed
    #[arg(value_parser = meant::parser())]
    plugin: Meant,

    /// Such as `registry.example/path/name`; without a tag that is its version
    to: Source,

    /// Hand out this approval or revocation of it too; repeat for more
    #[arg(long = "with", value_name = "FILE")]
    with: Vec<PathBuf>,

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
    let (plugin, mut package) = args.plugin.read(context)?;
    for path in &args.with {
        let signed = file::read(path)?;
        // Whoever fetches the plugin takes it from there, so it must be worth taking.
        if !vouched::is_about(&signed, plugin.digest())? {
            bail!("{}: it is about other plugins than {}", path.display(), plugin.digest());
        }
        package.attachments.push(vouched::attachment(&signed));
    }
    let (fetcher, network) = args.way.open(context)?;
    let existing = if args.replace { Existing::Replace } else { Existing::Refuse };
    let registry = fetcher.registry(reference).await?;
    let pushed = registry.push(reference, &package, &super::label(&plugin), existing).await?;
    let moved = Moved::new(&plugin, &package, format!("oci://{}", pushed.reference));
    let (manifest, traffic) = (Some(pushed.manifest.to_string()), Some(network.traffic().into()));
    Moved { manifest, traffic, ..moved }.print(context.output)
}
