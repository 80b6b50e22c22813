//! `simulator`: many devices, the red team, and what a fleet costs.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the developer who started it")]

mod command;

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;

/// What ten thousand devices keep lies in one heap, in which this one finds room sooner than glibc does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match command::Simulator::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
