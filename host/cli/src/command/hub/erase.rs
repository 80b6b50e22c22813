use std::path::Path;
use std::process::ExitCode;

use hub::Hub;
use trust::Name;

use crate::context::Context;
use crate::output;

/// Delete all there is of a client, so that nothing of it is left in the hub's file; the hub must not run
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which client
    client: Name,
}

pub(crate) fn run(args: &Args, folder: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    // What runs believes and holds more of it than the file has.
    let _alone = Hub::alone(folder)?;
    Hub::open(folder, context.clock.clone())?.erase(&args.client)?;
    output::say(&format!("nothing of {} is left here: backups and exports are yours to delete", args.client));
    Ok(ExitCode::SUCCESS)
}
