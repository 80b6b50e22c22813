#[cfg(target_os = "linux")]
mod fleet;

use std::process::ExitCode;

use backends::ticket::{Filter, Ticket, Tickets};
use contract::ticket::{Status, Visibility};
use tabled::Tabled;

use crate::context::Context;
use crate::output::{self, Format};

/// Look after the tickets that plugins raised: on this machine, or at the hub
#[derive(clap::Args)]
#[command(after_help = "A number such as T-000042 is a ticket of this machine, and 42 one of the hub's.

Examples:
  remit ticket list
  remit ticket list --client acme --output csv
  remit ticket resolve 42 'the disk was replaced'")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List tickets, the newest first
    List(List),
    /// Show one ticket with its notes, files and history
    Show {
        /// Its number, such as T-000042 here or 42 at the hub, or its id
        ticket: String,
        /// Write what is in an attached file instead, by the number of its entry
        #[arg(long, value_name = "ENTRY")]
        file: Option<u64>,
    },
    /// Add a note; from then on the plugin may not close the ticket by itself
    Note {
        #[command(flatten)]
        which: Which,
        /// What to say, in CommonMark
        text: String,
        /// Let the customer read it too
        #[arg(long)]
        customer: bool,
    },
    /// Give a ticket to somebody
    Assign {
        #[command(flatten)]
        which: Which,
        /// Whoever looks after it from now on
        to: String,
    },
    /// Resolve a ticket, and say how
    Resolve {
        #[command(flatten)]
        which: Which,
        /// What was done, in CommonMark
        resolution: String,
    },
}

#[derive(clap::Args)]
struct List {
    /// Only those that stand so; repeat for more. Without it, open ones
    #[arg(long = "status", value_name = "STATUS", value_parser = status, conflicts_with_all = ["hub", "clients", "device"])]
    statuses: Vec<Status>,
    /// Closed ones too
    #[arg(long, conflicts_with = "statuses")]
    all: bool,
    /// Raised by this plugin
    #[arg(long)]
    plugin: Option<String>,
    /// Looked after by this person
    #[arg(long, value_name = "PERSON")]
    assignee: Option<String>,
    /// Raised into this queue
    #[arg(long, conflicts_with_all = ["hub", "clients", "device"])]
    queue: Option<String>,
    /// Of at least this priority, 1 being the highest
    #[arg(long, value_name = "PRIORITY", value_parser = clap::value_parser!(u8).range(1..=4))]
    priority: Option<u8>,
    /// Those of all devices, as the hub has them, and not of this machine
    #[arg(long)]
    hub: bool,
    /// Of this client, at the hub; repeat for more
    #[arg(long = "client", value_name = "NAME")]
    clients: Vec<trust::Name>,
    /// Of this device, at the hub: its host name, its name there or the beginning of that, or its key's fingerprint
    #[arg(long)]
    device: Option<String>,
    /// At most so many; 0 for all
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// A ticket to be changed, and by whom: the history names them.
#[derive(clap::Args)]
struct Which {
    /// Its number, such as T-000042 here or 42 at the hub, or its id
    ticket: String,
    /// Who does it, if it is not you
    #[arg(long = "as", value_name = "PERSON", env = "USER", default_value = "somebody", hide_env = true)]
    person: String,
}

const EVERY_STATUS: [Status; 6] =
    [Status::New, Status::InProgress, Status::Pending, Status::Resolved, Status::Closed, Status::Cancelled];

fn status(text: &str) -> Result<Status, String> {
    EVERY_STATUS.into_iter().find(|status| status.word() == text).ok_or_else(|| {
        let words: Vec<&str> = EVERY_STATUS.iter().map(|status| status.word()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

#[derive(Tabled)]
struct Row {
    number: String,
    status: String,
    priority: u8,
    occurrences: u32,
    title: String,
    plugin: String,
    assignee: String,
    updated: String,
}

impl From<&Ticket> for Row {
    fn from(ticket: &Ticket) -> Self {
        Self {
            number: ticket.number.clone(),
            status: ticket.status.word().to_owned(),
            priority: ticket.priority.into(),
            occurrences: ticket.occurrences,
            title: ticket.stated.title.clone(),
            plugin: ticket.plugin.clone(),
            assignee: ticket.assignee.clone().unwrap_or_default(),
            updated: output::time(ticket.updated_ms),
        }
    }
}

impl List {
    fn filter(&self) -> Filter {
        Filter {
            statuses: if self.all { EVERY_STATUS.to_vec() } else { self.statuses.clone() },
            plugin: self.plugin.clone(),
            assignee: self.assignee.clone(),
            queue: self.queue.clone(),
            priority_max: self.priority,
            limit: self.limit,
        }
    }
}

impl Args {
    /// Whether what it lists is a fleet's.
    pub(crate) fn is_of_fleet(&self) -> bool {
        matches!(&self.command, Command::List(list) if list.is_of_fleet())
    }
}

impl List {
    fn is_of_fleet(&self) -> bool {
        self.hub || !self.clients.is_empty() || self.device.is_some()
    }
}

#[cfg(target_os = "linux")]
pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::List(list) if list.is_of_fleet() => fleet::list(list, context).await,
        command => match command.ticket().and_then(fleet::number) {
            Some(number) => fleet::one(command, number, context).await,
            None => run_here(args, context),
        },
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::List(list) if list.is_of_fleet() => anyhow::bail!("a technician at the hub works on Linux so far"),
        _ => run_here(args, context),
    }
}

#[cfg(target_os = "linux")]
impl Command {
    /// Which one, where it is about one.
    fn ticket(&self) -> Option<&str> {
        match self {
            Self::List(_) => None,
            Self::Show { ticket, .. } => Some(ticket),
            Self::Note { which, .. } | Self::Assign { which, .. } | Self::Resolve { which, .. } => Some(&which.ticket),
        }
    }
}

fn run_here(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let store = context.store()?;
    let tickets = Tickets::new(&context.shared(&store, &context.host_policy()?));
    let ticket = match &args.command {
        Command::List(list) => {
            let found = tickets.list(&list.filter())?;
            match context.output {
                Format::Json => output::json(&found)?,
                Format::Table => output::table(&found.iter().map(Row::from).collect::<Vec<_>>()),
            }
            return Ok(ExitCode::SUCCESS);
        }
        Command::Show { ticket, file: Some(entry) } => {
            output::bytes(&tickets.attachment(ticket, *entry)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Show { ticket, file: None } => tickets.show(ticket)?,
        Command::Note { which, text, customer } => {
            let visibility = if *customer { Visibility::Customer } else { Visibility::Internal };
            tickets.reply(&which.ticket, &which.person, text, visibility)?
        }
        Command::Assign { which, to } => tickets.assign(&which.ticket, &which.person, to)?,
        Command::Resolve { which, resolution } => tickets.resolve_as(&which.ticket, &which.person, resolution)?,
    };
    match context.output {
        Format::Json => output::json(&ticket)?,
        Format::Table => print(&ticket),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(ticket: &Ticket) {
    output::text(&format!("{} {}", ticket.number, ticket.stated.title));
    let times = if ticket.occurrences == 1 { "occurrence" } else { "occurrences" };
    let priority = u8::from(ticket.priority);
    output::text(&format!("  {}, priority {priority}, {} {times}", ticket.status.word(), ticket.occurrences));
    output::text(&format!("  by {} on {}", ticket.plugin, ticket.device));
    if let Some(assignee) = &ticket.assignee {
        output::text(&format!("  looked after by {assignee}"));
    }
    paragraph(&ticket.stated.body);
    if let Some(resolution) = &ticket.resolution {
        output::text(&format!("\n  resolved {}", output::time(resolution.at_ms)));
        paragraph(&resolution.text);
    }
    for note in ticket.notes.iter().filter(|note| !note.withdrawn) {
        output::text(&format!("\n  {} {} ({})", output::time(note.at_ms), note.by, note.visibility.word()));
        paragraph(&note.body);
    }
    for file in ticket.attachments.iter().filter(|file| !file.withdrawn) {
        let Ticket { number, .. } = ticket;
        output::text(&format!(
            "\n  file {} ({}, {} bytes): remit ticket show {number} --file {}",
            file.name, file.media_type, file.bytes, file.entry
        ));
    }
    output::text("");
    for entry in &ticket.history {
        output::text(&format!("  {} {} {} {}", output::time(entry.at_ms), entry.by, entry.what, entry.detail));
    }
}

fn paragraph(text: &str) {
    text.trim().lines().for_each(|line| output::text(format!("    {line}").trim_end()));
}
