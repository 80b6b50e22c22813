use std::path::PathBuf;
use std::process::ExitCode;

use crate::{output, source};

/// Build a plugin from its source folder, with its manifest inside
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with plugin.toml and Cargo.toml
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = source::build(&args.folder).await?;
    output::text(&file.display().to_string());
    Ok(ExitCode::SUCCESS)
}
