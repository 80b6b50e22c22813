use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use tabled::Tabled;
use toml::Value;
use trust::Time;
use trust::statement::{Roster, Seat};

use crate::context::Context;
use crate::keys;
use crate::output::{self, Format};
use crate::written::Written;

/// Look after the roster: who may sign what
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a roster out of a description in TOML, and sign it with a key of the root; the others sign it with `remit sign`
    Make {
        /// `expires`, and `technicians`, `reviewers`, `publishers`, `clients` and `releases`, each a list of seats with `holder`, `key` (a line
        /// or the name of a `.pub`), `clients` and `class-max`, perhaps `from` (ever) and `until` (as the roster); perhaps `serial`
        file: PathBuf,
        #[command(flatten)]
        key: keys::SigningKey,
    },
    /// Show the roster that is believed here
    Show,
}

#[derive(Serialize, Tabled)]
#[serde(rename_all = "kebab-case")]
struct Row {
    role: &'static str,
    holder: String,
    key: String,
    clients: String,
    #[tabled(rename = "up to")]
    class_max: String,
    from: String,
    until: String,
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Make { file, key } => {
            key.make(&roster(file, context)?, &file.with_extension("statement"), context)?;
        }
        Command::Show => {
            let trust = keys::root(context)?;
            let roster = trust.roster().context("no roster was taken here: `remit take FILE`")?;
            match context.output {
                Format::Json => output::json(roster)?,
                Format::Table => {
                    output::text(&format!("roster {}, until {}", roster.serial, roster.expires));
                    output::table(&rows(roster));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A seat counts from ever, so that what was signed before the roster was made counts too, until the roster ends, if nobody says
/// otherwise.
fn roster(file: &Path, context: &Context) -> anyhow::Result<Roster> {
    let mut written = Written::read(file)?;
    let before = keys::believed(context)?;
    let before = before.as_ref().and_then(|trust| trust.roster());
    written.or("serial", before.map_or(1, |it| it.serial + 1).cast_signed());
    let mut fields = vec![("from", Value::from(Time::from_ms(0).to_string()))];
    fields.extend(written.text("expires").map(|until| ("until", Value::from(until))));
    for list in ["technicians", "reviewers", "publishers", "clients", "releases"] {
        written.or_in_each(list, &fields);
    }
    written.body()
}

fn rows(roster: &Roster) -> Vec<Row> {
    let lists = [
        ("technician", &roster.technicians),
        ("reviewer", &roster.reviewers),
        ("publisher", &roster.publishers),
        ("client", &roster.clients),
        ("releaser", &roster.releases),
    ];
    let row = |role, seat: &Seat| Row {
        role,
        holder: seat.holder.to_string(),
        key: seat.key.fingerprint(),
        clients: seat.clients.to_string(),
        class_max: seat.class_max.to_string(),
        from: seat.from.to_string(),
        until: seat.until.to_string(),
    };
    lists.into_iter().flat_map(|(role, seats)| seats.iter().map(move |seat| row(role, seat))).collect()
}
