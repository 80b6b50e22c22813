use std::process::ExitCode;

use tabled::Tabled;

use crate::agent::client;
use crate::agent::protocol::Ask;
use crate::agent::report::OrderRow;
use crate::context::Context;
use crate::output::{self, Format};

/// List the standing orders, and when each is due next
#[derive(clap::Args)]
pub(crate) struct Args {}

#[derive(Tabled)]
struct Row {
    order: String,
    plugin: String,
    mode: String,
    when: String,
    state: String,
    next: String,
}

pub(crate) async fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let value = client::ask(context, &Ask::Orders).await?;
    if context.output == Format::Json {
        output::json(&value)?;
        return Ok(ExitCode::SUCCESS);
    }
    let orders: Vec<OrderRow> = serde_json::from_value(value)?;
    if orders.is_empty() {
        output::say(
            "no orders: each is a file NAME.toml in the folder of orders; `remit agent status` tells what is wrong with one",
        );
        return Ok(ExitCode::SUCCESS);
    }
    let row = |it: OrderRow| Row {
        order: it.order,
        plugin: it.plugin,
        mode: it.mode,
        when: it.occasion,
        state: it.state,
        next: it.next_ms.map(|ms| output::time(ms.try_into().unwrap_or(0))).unwrap_or_default(),
    };
    output::table(&orders.into_iter().map(row).collect::<Vec<_>>());
    Ok(ExitCode::SUCCESS)
}
