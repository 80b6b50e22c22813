use std::path::PathBuf;
use std::process::ExitCode;

use crate::{output, source};

/// Check a plugin: manifest, imports, contract version and host version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, the folder with its source, or a script
    #[arg(default_value = ".")]
    plugin: PathBuf,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let plugin = source::load(&args.plugin, None).await?;
    let about = &plugin.manifest().plugin;
    let unused = plugin
        .manifest()
        .capabilities
        .keys()
        .filter(|declared| !plugin.imports().iter().any(|import| import.interface == **declared));
    for interface in unused {
        output::say(&format!("note: `{interface}` is declared and never used: ask for less, and more will grant it"));
    }
    output::text(&format!("{} {} is fit for this host", about.name, about.version));
    Ok(ExitCode::SUCCESS)
}
