use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::locked::LockFile;
use crate::context::Context;
use crate::installed;
use crate::output::{self, Format, say};

/// Remove what is installed, and free what nothing else needs. A run that waits for a reboot keeps what it goes on with
#[derive(clap::Args)]
pub(super) struct Args {
    /// `NAME` for all its versions, or `NAME@VERSION`; repeat for more
    #[arg(required = true)]
    names: Vec<String>,

    /// Take it out of this lock file instead of this machine's own
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Removed {
    removed: Vec<String>,
    freed_bytes: u64,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let folder = installed::folder(context)?;
    let mut entries = Vec::new();
    for name in &args.names {
        match folder.find_all(name)? {
            none if none.is_empty() => return Err(distribution::Error::NotInstalled(name.clone()).into()),
            found => entries.extend(found),
        }
    }
    let mut lock = LockFile::open(args.lock.as_deref(), context)?;
    for entry in &entries {
        folder.remove(entry)?;
        lock.forget(entry)?;
    }
    let freed = folder.tidy(context.clock.now_ms())?;
    let removed: Vec<String> = entries.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
    match context.output {
        Format::Json => output::json(&Removed { removed, freed_bytes: freed.bytes })?,
        Format::Table => {
            output::text(&format!("{} is no longer installed", removed.join(", ")));
            say(&format!("{} bytes are free again", freed.bytes));
        }
    }
    Ok(ExitCode::SUCCESS)
}
