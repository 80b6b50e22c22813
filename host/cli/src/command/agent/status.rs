use std::process::ExitCode;

use tabled::Tabled;

use crate::agent::client;
use crate::agent::protocol::Ask;
use crate::agent::report::{HubRow, Status};
use crate::context::Context;
use crate::output::{self, Format};

/// Say how the agent is: what is under way, what waits, and what is wrong
#[derive(clap::Args)]
pub(crate) struct Args {}

#[derive(Tabled)]
struct Row {
    run: String,
    order: String,
    is: String,
    since: String,
}

pub(crate) async fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let value = client::ask(context, &Ask::Status).await?;
    if context.output == Format::Json {
        output::json(&value)?;
        return Ok(ExitCode::SUCCESS);
    }
    let status: Status = serde_json::from_value(value)?;
    let state = match (status.is_draining, status.is_paused) {
        (true, _) => "is about to end, and starts nothing",
        (false, true) => "is paused: it starts no order's runs",
        (false, false) => "is at work",
    };
    output::text(&format!(
        "the agent {} {state} (process {}, since {})",
        status.version,
        status.pid,
        output::time(status.since_ms)
    ));
    let next = status.wake_ms.map_or_else(|| "nothing".to_owned(), |ms| output::time(ms.try_into().unwrap_or(0)));
    output::text(&format!("{} orders; it looks again at: {next}", status.orders));
    if let Some(hub) = &status.hub {
        output::text(&hub_line(hub));
        output::text(&format!(
            "its orders: {} under way, {} standing, {} waiting; {} messages to tell it",
            hub.under_way, hub.standing, hub.waiting, hub.to_say
        ));
    }
    if let Some(reboot) = &status.reboot {
        let since = output::time(reboot.since_ms);
        output::text(&format!("{} waits for a reboot since {since} ({}): {}", reboot.run, reboot.reason, reboot.is));
    }
    let row = |it: crate::agent::report::RunRow| Row {
        run: it.run.to_string(),
        order: it.order.unwrap_or_else(|| "by hand".to_owned()),
        is: it.stage,
        since: output::time(it.since_ms.try_into().unwrap_or(0)),
    };
    let rows: Vec<Row> = status.runs.into_iter().map(row).collect();
    if !rows.is_empty() {
        output::table(&rows);
    }
    for left in &status.budgets {
        let more = left.more_at_ms.filter(|_| left.left == 0).map(|ms| format!("; more from {}", output::time(ms)));
        let text = format!("{}: {} of {} left{}", left.budget, left.left, left.limit, more.unwrap_or_default());
        output::text(&text);
    }
    if !status.not_run.is_empty() {
        let each: Vec<String> = status.not_run.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        output::text(&format!("came to nothing since then: {}", each.join(", ")));
    }
    for (what, problems) in &status.problems {
        output::text(&format!("wrong: {what}\n  {}", problems.join("\n  ")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the hub is, and whether it answers.
fn hub_line(hub: &HubRow) -> String {
    let whose = match (&hub.client, &hub.site) {
        (Some(client), Some(site)) => format!("{client}, {site}"),
        _ => "nobody has said whose this device is".to_owned(),
    };
    let heard = hub.heard_ms.map(|ms| format!(", which last answered at {}", output::time(ms))).unwrap_or_default();
    match &hub.trouble {
        None => format!("connected to {} ({whose})", hub.address),
        Some(trouble) => format!("not connected to {} ({whose}){heard}: {trouble}", hub.address),
    }
}
