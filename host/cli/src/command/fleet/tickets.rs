use std::process::ExitCode;

use desk::TicketRow;
use tabled::Tabled;

use crate::context::Context;
use crate::output;
use crate::technician::Desk;

/// List tickets that plugins raised on the fleet's devices, the oldest first
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit fleet tickets\n  remit fleet tickets --all --output csv")]
pub(crate) struct Args {
    /// Closed ones too
    #[arg(long)]
    all: bool,
}

#[derive(Tabled)]
struct Row {
    number: u64,
    client: String,
    device: String,
    state: String,
    times: u64,
    title: String,
    opened: String,
}

impl From<&TicketRow> for Row {
    fn from(it: &TicketRow) -> Self {
        Self {
            number: it.number,
            client: it.client.clone(),
            device: it.device.get(..12).unwrap_or(&it.device).to_owned(),
            state: it.state.clone(),
            times: it.times,
            title: it.title.clone(),
            opened: output::time(it.opened_ms),
        }
    }
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let tickets = Desk::open(context).await?.client.tickets(args.all).await?;
    output::listed(&tickets.iter().map(Row::from).collect::<Vec<_>>(), &tickets, context)?;
    Ok(ExitCode::SUCCESS)
}
