use std::process::ExitCode;

use crate::agent::client;
use crate::agent::protocol::Ask;
use crate::context::Context;

/// Let an order, or all, go on after `pause`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The order; all, if left out
    order: Option<String>,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    client::ask(context, &Ask::Resume { order: args.order }).await?;
    Ok(ExitCode::SUCCESS)
}
