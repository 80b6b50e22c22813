use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::agent::client;
use crate::agent::protocol::Ask;
use crate::context::Context;
use crate::output::{self, Format};

/// Tell the agent that something happened: orders that wait for an event of this name run
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The event's name
    name: String,

    /// What filters and plugins read: a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = object)]
    data: Map<String, Value>,
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("expected a JSON object: {error}"))
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let told = client::ask(context, &Ask::Emit { name: args.name.clone(), data: args.data }).await?;
    if context.output == Format::Json {
        output::json(&told)?;
        return Ok(ExitCode::SUCCESS);
    }
    let orders: Vec<String> =
        serde_json::from_value(told.get("orders").cloned().unwrap_or_default()).context("the agent's answer")?;
    match orders.is_empty() {
        true => output::say(&format!("note: no order waits for `{}`", args.name)),
        false => output::text(&format!("told: {}", orders.join(", "))),
    }
    Ok(ExitCode::SUCCESS)
}
