//! `remit`: a person's hands. One file a command; stdout is data, stderr is talk.

#[cfg(target_os = "linux")]
mod agent;
mod command;
mod context;
mod declared;
mod exit;
mod fault;
mod host_policy;
mod installed;
mod job;
mod keys;
mod label;
mod lock;
mod machine;
mod meant;
mod output;
mod reconcile;
mod script_runtimes;
mod shipped;
mod source;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "agents of other systems do not replace themselves"))]
mod stamp;
mod suspended;
#[cfg(target_os = "linux")]
mod technician;
mod unchanged;
mod vouched;
mod watch;
mod way;
mod written;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

/// Run automation plugins on the machines you look after, within what they were granted
#[derive(Parser)]
#[command(name = "remit", version = stamp::version(), propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    context: context::Args,

    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let touched = cli.context.touched.clone();
    let context = context::Context::new(cli.context);
    let code = cli.command.run(&context).unwrap_or_else(|error| fault::report(&error));
    match touched.map(|file| write_touched(&file)) {
        Some(Err(error)) => fault::report(&error),
        _ => code,
    }
}

/// Also of what was refused: that nothing of it was touched is what whoever asks wants to know.
fn write_touched(file: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_vec(&runtime::touched())?;
    std::fs::write(file, text).with_context(|| format!("{}", file.display()))
}
