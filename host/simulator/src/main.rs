//! `simulator`: many devices, the red team, and what a fleet costs.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the developer who started it")]

mod command;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match command::Simulator::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
