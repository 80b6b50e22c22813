use std::process::ExitCode;

use crate::output;

/// Write the OpenAPI document of the hub's API
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<ExitCode> {
    output::json(&hub::api::openapi())?;
    Ok(ExitCode::SUCCESS)
}
