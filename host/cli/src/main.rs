//! `remit`: a person's hands. One file a command; stdout is data, stderr is talk.

mod command;
mod context;
mod declared;
mod exit;
mod fault;
mod keys;
mod lock;
mod machine;
mod output;
mod reconcile;
mod script_runtimes;
mod shipped;
mod source;
mod suspended;
mod vouched;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// Run automation plugins on the machines you look after, within what they were granted
#[derive(Parser)]
#[command(name = "remit", version, propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    context: context::Args,

    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = context::Context::new(cli.context);
    match cli.command.run(&context) {
        Ok(code) => code,
        Err(error) => fault::report(&error),
    }
}
