use std::process::ExitCode;

use crate::context::Context;
use crate::output::{self, Format};
use crate::technician::Desk;

/// Show a device: whose it is, and what it says of itself
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit device show web-1\n  remit device show 3f9a01c2d4e5 --output json")]
pub(crate) struct Args {
    /// Its host name, its name here or the beginning of that, or its key's fingerprint
    device: String,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let found = Desk::open(context).await?.client.device(&args.device).await?;
    match context.output {
        Format::Json => output::json(&found)?,
        Format::Table => {
            let it = &found.device;
            output::text(&format!("device    {}", it.device));
            output::text(&format!("key       {}", it.key));
            output::text(&format!("client    {}, {}", it.client, it.site));
            output::text(&format!("tags      {}", it.tags.join(" ")));
            output::text(&format!("state     {}, {}", it.state, found.presence));
            output::text(&format!("joined    {}", output::time(it.joined_ms)));
            for (name, value) in &found.facts {
                output::text(&format!("{name:<9} {value}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
