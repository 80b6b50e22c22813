//! The repository's own commands. `cargo xtask --help` lists them.
#![allow(clippy::disallowed_methods, reason = "a developer's tool: it runs cargo, and never on a managed device")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the developer who started it")]

mod command;
mod declarations;
mod long_forms;
mod process;
mod remit;
mod setup;
mod suite;
mod tally;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match command::Command::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
