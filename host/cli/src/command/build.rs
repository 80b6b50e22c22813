use std::path::PathBuf;
use std::process::ExitCode;

use crate::{output, source};

/// Build a plugin from its source folder, or pack a script, with its manifest inside
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with plugin.toml and Cargo.toml, package.json or pyproject.toml, or a script
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = match script::is_script(&args.folder) {
        true => source::build_script(&args.folder)?,
        false => source::build(&args.folder).await?,
    };
    output::text(&file.display().to_string());
    Ok(ExitCode::SUCCESS)
}
