use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hub::{Hub, Moved};

use crate::output;

/// Put a backup into a folder that has no hub
///
/// Devices carry on where the hub is reached as before, or where `remit hub announce` said that it will be. What they told since the
/// backup was made they tell again, as far as they keep it; `remit hub doctor` says of which devices results are missing then. What
/// was signed since is handed over again: documents with `remit hub take`, orders by whoever gave them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit hub restore backup
  remit hub restore backup --listen 0.0.0.0:9443 --name hub2.example")]
pub(crate) struct Args {
    /// What `remit hub backup` wrote
    file: PathBuf,

    /// Listen there from now on, instead of where it did
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// A name or an address that it is reached by from now on, instead of those that it had; perhaps several
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn run(args: &Args, folder: &Path) -> anyhow::Result<ExitCode> {
    let moved = Moved { listen: args.listen, names: args.names.clone() };
    Hub::restore(&args.file, folder, &moved)?;
    output::say(&format!("the hub is in {}: `remit hub doctor` looks at it", folder.display()));
    Ok(ExitCode::SUCCESS)
}
