use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hub::Hub;
use trust::file;

use crate::context::Context;
use crate::output;

/// Have a hub believe signed documents before anybody can ask it: the first roster. It is not running meanwhile
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit hub take roster.statement")]
pub(crate) struct Args {
    /// Statements, each with its `.sig` beside it
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args, folder: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    let hub = Hub::open(folder, context.clock.clone())?;
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for path in &args.files {
        let put = threads.block_on(hub.put_own(file::read(path)?))?;
        let word = if put.is_new { "is believed from now on" } else { "was known" };
        output::say(&format!("the {} {word}: {}", put.kind, put.digest));
    }
    Ok(ExitCode::SUCCESS)
}
