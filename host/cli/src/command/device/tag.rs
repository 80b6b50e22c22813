use std::process::ExitCode;

use trust::Name;

use super::assign::How;
use crate::context::Context;
use crate::technician::Desk;

/// Change what a device is counted among: a new assignment, otherwise as before
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit device tag web-1 --add ring1 --remove canary")]
pub(crate) struct Args {
    /// Its host name, its name here or the beginning of that, or its key's fingerprint
    device: String,

    /// From now on among these; repeat for more
    #[arg(long = "add", value_name = "TAG", required_unless_present = "remove")]
    add: Vec<Name>,

    /// No longer among these; repeat for more
    #[arg(long = "remove", value_name = "TAG")]
    remove: Vec<Name>,

    #[command(flatten)]
    how: How,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let found = desk.client.device(&args.device).await?;
    let change = |it: &mut trust::statement::Assignment| {
        it.tags.extend(args.add.iter().cloned());
        it.tags.retain(|tag| !args.remove.contains(tag));
        it.tags.sort();
        it.tags.dedup();
    };
    args.how.assign(&desk, found.device, change, context).await
}
