//! `simulator`: many devices, the red team, and what a fleet costs.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the developer who started it")]

mod command;

/// What ten thousand devices keep lies in one heap: glibc takes a third of the time of a fleet to look for room in it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
