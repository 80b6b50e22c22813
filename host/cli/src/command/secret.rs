use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use backends::secrets::{Listed, Place};
use serde::Serialize;
use tabled::Tabled;

use crate::context::Context;
use crate::output::{self, Format};

/// Keep secrets that plugins may use and never see
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Secret,
}

#[derive(clap::Subcommand)]
enum Secret {
    /// Set a secret; its bytes are read from standard input, or asked for
    Set {
        /// Lower-case letters, digits and `-_.`
        name: String,
        /// Where it may be used: `http:HOST[:PORT]`, `notify:ROUTE` or `account:NAME`; repeat for more
        #[arg(long = "for", value_name = "PLACE", required = true)]
        places: Vec<Place>,
        /// Gone after so many days
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
    },
    /// List the secrets and where they may be used; never their bytes
    List,
    /// Remove a secret
    Rm {
        /// Which
        name: String,
    },
}

#[derive(Serialize, Tabled)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: String,
    #[tabled(rename = "for")]
    places: String,
    set: String,
    expires: String,
}

pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let vault = context.vault();
    match args.command {
        Secret::Set { name, places, expires_in_days } => {
            let now_ms = context.clock.now_ms();
            let expires_ms = expires_in_days.map(|days| now_ms + u64::from(days) * 86_400_000);
            vault.set(&name, &read_secret(&name)?, &places, expires_ms, now_ms)?;
            output::say(&format!("`{name}` is set"));
        }
        Secret::List => {
            let rows: Vec<Row> = vault.list()?.iter().map(Row::from).collect();
            match context.output {
                Format::Json => output::json(&rows)?,
                Format::Table => output::table(&rows),
            }
        }
        Secret::Rm { name } if !vault.remove(&name)? => {
            bail!("there is no secret `{name}`; `remit secret list` shows all")
        }
        Secret::Rm { name } => output::say(&format!("`{name}` is gone")),
    }
    Ok(ExitCode::SUCCESS)
}

impl From<&Listed> for Row {
    fn from(listed: &Listed) -> Self {
        let places: Vec<String> = listed.places.iter().map(ToString::to_string).collect();
        Self {
            name: listed.name.clone(),
            places: places.join(", "),
            set: output::time(listed.set_ms),
            expires: listed.expires_ms.map(output::time).unwrap_or_default(),
        }
    }
}

/// From a person without echo, or from a pipe without its last line break.
fn read_secret(name: &str) -> anyhow::Result<Vec<u8>> {
    if std::io::stdin().is_terminal() {
        let terminal = console::Term::stderr();
        terminal.write_str(&format!("{name}: "))?;
        return Ok(terminal.read_secure_line()?.into_bytes());
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    Ok(bytes)
}
