use std::process::ExitCode;

use crate::agent::client;
use crate::agent::joined::Joined;
use crate::agent::protocol::Ask;
use crate::context::Context;
use crate::output;

/// Leave the hub: nothing is told it any more, and nothing of its orders begins; the device's key and the root stay, and what technicians sealed to it goes
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let is_forgotten = Joined::forget(context)?;
    let vault = context.vault_of_hub();
    for secret in vault.list()? {
        vault.remove(&secret.name)?;
    }
    match is_forgotten {
        true => output::say("this device left its hub"),
        false => output::say("this device joined no hub"),
    }
    // Where none listens there is nobody to tell.
    let _ = client::ask(context, &Ask::Joined).await;
    Ok(ExitCode::SUCCESS)
}
