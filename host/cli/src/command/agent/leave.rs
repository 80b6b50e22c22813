use std::process::ExitCode;

use crate::agent::client;
use crate::agent::joined::Joined;
use crate::agent::protocol::Ask;
use crate::context::Context;
use crate::output;

/// Leave the hub: nothing is told it any more, and nothing of its orders begins; the device's key and the root stay
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match Joined::forget(context)? {
        true => output::say("this device left its hub"),
        false => output::say("this device joined no hub"),
    }
    // Where none listens there is nobody to tell.
    let _ = client::ask(context, &Ask::Joined).await;
    Ok(ExitCode::SUCCESS)
}
