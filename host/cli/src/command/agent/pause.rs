use std::process::ExitCode;

use crate::agent::client;
use crate::agent::protocol::Ask;
use crate::context::Context;

/// Start no more runs of an order, or of any, until `resume`; what is under way goes on
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The order; all, if left out
    order: Option<String>,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    client::ask(context, &Ask::Pause { order: args.order }).await?;
    Ok(ExitCode::SUCCESS)
}
