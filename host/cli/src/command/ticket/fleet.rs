//! Tickets of a fleet, at the hub.

use std::process::ExitCode;

use desk::{TicketRow, TicketShown};
use tabled::Tabled;

use super::{Command, List, paragraph};
use crate::context::Context;
use crate::output::{self, Format};
use crate::technician::Desk;

#[derive(Tabled)]
struct Row {
    number: u64,
    state: String,
    severity: String,
    priority: u64,
    times: u64,
    title: String,
    about: String,
    client: String,
    device: String,
    assignee: String,
    changed: String,
}

impl From<&TicketRow> for Row {
    fn from(it: &TicketRow) -> Self {
        Self {
            number: it.number,
            state: it.state.clone(),
            severity: it.severity.clone(),
            priority: it.priority,
            times: it.times,
            title: it.title.clone(),
            about: it.key.clone(),
            client: it.client.clone(),
            device: it.device.get(..12).unwrap_or(&it.device).to_owned(),
            assignee: it.assignee.clone().unwrap_or_default(),
            changed: output::time(it.changed_ms),
        }
    }
}

/// A number alone is a ticket of the hub's; those of this machine have letters before theirs.
pub(super) fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

pub(super) async fn list(args: &List, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let device = match &args.device {
        Some(named) => Some(desk.client.device(named).await?.device.device),
        None => None,
    };
    let mut found = desk.client.tickets(&args.clients, device.as_deref(), !args.all).await?;
    let is_meant = |it: &TicketRow| {
        let of_plugin = |plugin: &String| it.key.split_once('/').is_some_and(|(of, _)| of == plugin);
        args.plugin.as_ref().is_none_or(of_plugin)
            && args.assignee.as_ref().is_none_or(|who| it.assignee.as_ref() == Some(who))
            && args.priority.is_none_or(|most| (1..=u64::from(most)).contains(&it.priority))
    };
    found.retain(is_meant);
    // The newest first, as on one machine.
    found.sort_by_key(|it| std::cmp::Reverse(it.number));
    if args.limit > 0 {
        found.truncate(args.limit);
    }
    output::listed(&found.iter().map(Row::from).collect::<Vec<_>>(), &found, context)?;
    Ok(ExitCode::SUCCESS)
}

/// What is done with a ticket that only has a number.
pub(super) async fn one(command: &Command, number: u64, context: &Context) -> anyhow::Result<ExitCode> {
    let client = Desk::open(context).await?.client;
    let shown = match command {
        Command::Note { text, customer, .. } => {
            client.note_ticket(number, text, if *customer { "customer" } else { "internal" }).await?
        }
        Command::Assign { to, .. } => client.assign_ticket(number, to).await?,
        Command::Resolve { resolution, .. } => client.close_ticket(number, resolution).await?,
        Command::List(_) | Command::Show { .. } => client.ticket(number).await?,
    };
    match context.output {
        Format::Json => output::json(&shown)?,
        Format::Table => print(&shown),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(shown: &TicketShown) {
    let it = &shown.ticket;
    output::text(&format!("{} {}", it.number, it.title));
    output::text(&format!("  {}, {}, priority {}, raised {} times", it.state, it.severity, it.priority, it.times));
    output::text(&format!("  {} on {} of {}", it.key, it.device, it.client));
    if let Some(assignee) = &it.assignee {
        output::text(&format!("  looked after by {assignee}"));
    }
    paragraph(&it.body);
    if let Some(resolution) = &it.resolution {
        output::text("\n  resolved");
        paragraph(resolution);
    }
    for note in &shown.notes {
        output::text(&format!("\n  {} {} ({})", output::time(note.at_ms), note.by, note.visibility));
        paragraph(&note.body);
    }
}
