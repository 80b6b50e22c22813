use std::process::ExitCode;

use crate::agent::upgrade;
use crate::context::Context;

/// Go on with an upgrade that the agent wrote down; its unit calls this
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    upgrade::finish(context).await?;
    Ok(ExitCode::SUCCESS)
}
