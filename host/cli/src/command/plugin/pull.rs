use std::path::PathBuf;
use std::process::ExitCode;

use distribution::Source;

use super::Moved;
use crate::context::Context;
use crate::meant::package_s_plugin;
use crate::way::Way;

/// Fetch a plugin with everything that was signed about it, as files; what was cut off goes on from there
#[derive(clap::Args)]
pub(super) struct Args {
    /// Such as `registry.example/path/name:1.2.3`, `https://…/name.wasm#sha256:…` or an archive; a registry's newest version
    /// without a tag
    from: Source,

    /// Where to; without it, its name with `.wasm`
    file: Option<PathBuf>,

    #[command(flatten)]
    way: Way,
}

pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (fetcher, network) = args.way.open(context)?;
    let fetched = fetcher.fetch(&args.from).await?;
    let plugin = package_s_plugin(&fetched.package, &args.from.to_string())?;
    let file = super::write(&plugin, &fetched.package, args.file.as_deref())?;
    let moved = Moved::new(&plugin, &fetched.package, file.display().to_string());
    let manifest = fetched.manifest.map(|manifest| manifest.to_string());
    Moved { manifest, traffic: Some(network.traffic().into()), ..moved }.print(context.output)
}
