#[cfg(target_os = "linux")]
mod fleet;

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use backends::secrets::{Listed, Place};
use serde::Serialize;
use tabled::Tabled;

use crate::context::Context;
use crate::output::{self, Format};

/// Keep secrets that plugins may use and never see: of this machine, or of a fleet's devices
#[derive(clap::Args)]
#[command(
    after_help = "With `--device`, `--client` or `--where` it is about devices of a fleet: what is set is sealed here to each device's
key and signed, and the hub carries what it cannot read. A device that joins later lacks it: `remit secret list --name NAME
--client CLIENT` shows which, and whoever knows the secret sets it again.

Examples:
  remit secret set halo-token --for http:api.example.com
  remit secret set halo-token --for http:api.example.com --client acme --yes < token
  remit secret list --client acme --name halo-token
  remit secret rm halo-token --device web-1"
)]
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
        #[cfg(target_os = "linux")]
        #[command(flatten)]
        whom: fleet::Whom,
        #[cfg(target_os = "linux")]
        #[command(flatten)]
        how: fleet::How,
    },
    /// List the secrets and where they may be used; never their bytes
    List {
        /// Only this one; of a fleet's devices, also those that lack it
        #[arg(long)]
        name: Option<String>,
        #[cfg(target_os = "linux")]
        #[command(flatten)]
        whom: fleet::Whom,
    },
    /// Remove a secret
    #[command(alias = "remove")]
    Rm {
        /// Which
        name: String,
        #[cfg(target_os = "linux")]
        #[command(flatten)]
        whom: fleet::Whom,
        #[cfg(target_os = "linux")]
        #[command(flatten)]
        how: fleet::How,
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
    /// `here`, or `technician` where it was sealed to this device.
    set_by: &'static str,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    #[cfg(target_os = "linux")]
    match &args.command {
        Secret::Set { name, places, expires_in_days, whom, how } if whom.is_anybody() => {
            return fleet::set(whom, how, (name.as_str(), places.as_slice()), *expires_in_days, context).await;
        }
        Secret::List { name, whom } if whom.is_anybody() => return fleet::list(whom, name.as_deref(), context).await,
        Secret::Rm { name, whom, how } if whom.is_anybody() => return fleet::remove(whom, how, name, context).await,
        _ => {}
    }
    run_here(args, context)
}

impl Args {
    /// Whether what it lists is a fleet's.
    pub(crate) fn is_of_fleet(&self) -> bool {
        #[cfg(target_os = "linux")]
        return match &self.command {
            Secret::Set { whom, .. } | Secret::List { whom, .. } | Secret::Rm { whom, .. } => whom.is_anybody(),
        };
        #[cfg(not(target_os = "linux"))]
        return false;
    }
}

fn run_here(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let vault = context.vault();
    match args.command {
        Secret::Set { name, places, expires_in_days, .. } => {
            let now_ms = context.clock.now_ms();
            let expires_ms = expires_in_days.map(|days| now_ms + u64::from(days) * 86_400_000);
            vault.set(&name, &read_secret(&name)?, &places, expires_ms, now_ms)?;
            output::say(&format!("`{name}` is set"));
        }
        Secret::List { name, .. } => {
            let mut rows: Vec<Row> = vault.list()?.iter().map(|it| Row::of(it, "here")).collect();
            rows.extend(context.vault_of_hub().list()?.iter().map(|it| Row::of(it, "technician")));
            rows.retain(|row| name.as_ref().is_none_or(|name| row.name == *name));
            match context.output {
                Format::Json => output::json(&rows)?,
                Format::Table => output::table(&rows),
            }
        }
        Secret::Rm { name, .. } if !vault.remove(&name)? => {
            bail!("there is no secret `{name}`; `remit secret list` shows all")
        }
        Secret::Rm { name, .. } => output::say(&format!("`{name}` is gone")),
    }
    Ok(ExitCode::SUCCESS)
}

impl Row {
    fn of(listed: &Listed, set_by: &'static str) -> Self {
        let places: Vec<String> = listed.places.iter().map(ToString::to_string).collect();
        Self {
            name: listed.name.clone(),
            places: places.join(", "),
            set: output::time(listed.set_ms),
            expires: listed.expires_ms.map(output::time).unwrap_or_default(),
            set_by,
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
