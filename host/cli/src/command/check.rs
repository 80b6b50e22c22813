use std::path::PathBuf;
use std::process::ExitCode;

use crate::{output, source};

/// Check a plugin: manifest, imports, contract version and host version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, or the folder with its source
    #[arg(default_value = ".")]
    plugin: PathBuf,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let source = source::load(&args.plugin).await?;
    let about = &source.plugin.manifest().plugin;
    let unused = source.plugin.manifest().capabilities.keys().filter(|declared| {
        !source.plugin.imports().iter().any(|import| import.interface == **declared)
    });
    for interface in unused {
        output::say(&format!("note: `{interface}` is declared and never used: ask for less, and more will grant it"));
    }
    output::text(&format!("{} {} is fit for this host", about.name, about.version));
    Ok(ExitCode::SUCCESS)
}
