use std::process::ExitCode;

use serde_json::Value;

use super::list::Row;
use crate::context::Context;
use crate::output;
use crate::technician::{self, Desk};

/// Give a device nothing any more: the hub serves it no longer. What its key could do, `remit revoke` ends
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit device retire web-1 --yes")]
pub(crate) struct Args {
    /// Its host name, its name here or the beginning of that, or its key's fingerprint
    device: String,

    /// Without being asked
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let found = desk.client.device(&args.device).await?;
    let name = found.device.device.clone();
    if !args.yes {
        technician::agree(&format!("Retire {name} of {}?", found.device.client))?;
    }
    let _: Value = desk.client.post(&format!("/v1/devices/{name}/retire"), &serde_json::json!({})).await?;
    let now = desk.client.device(&name).await?;
    output::listed(&[Row::from(&now)], &now, context)?;
    Ok(ExitCode::SUCCESS)
}
