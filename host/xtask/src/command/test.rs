//! Runs every test, and says in one line how many there were.

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::process::{cargo_command, tee};
use crate::setup;
use crate::tally::Tally;

/// Run every test, after installing what the tests need
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the tests that need root: they are named, and counted as skipped
    #[arg(long)]
    no_root: bool,

    /// Passed on to `cargo test`, in place of `--workspace`
    #[arg(last = true)]
    cargo: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::rust_targets(&["wasm32-wasip2"])?;
    if !args.no_root {
        setup::debian_packages(setup::TO_TEST)?;
    }
    let start = Instant::now();
    let mut tally = Tally::default();
    let success = tee(&mut command(args), |line| tally.read(line))?;
    eprintln!("\n{}tests took {:.0} s", tally.skipped_by_name(), start.elapsed().as_secs_f64());
    // Nothing may follow this line: it is what a caller reads.
    println!("{tally}");
    Ok(if success && tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(args: &Args) -> Command {
    let mut command = cargo_command();
    command.args(["test", "--no-fail-fast"]);
    if args.cargo.is_empty() {
        command.arg("--workspace");
    }
    command.args(&args.cargo);
    // Set here or nowhere: a variable left in somebody's shell must not leave tests out.
    command.env_remove(WITHOUT_ROOT);
    if args.no_root {
        command.env(WITHOUT_ROOT, "1");
    }
    command
}

/// Tells the tests that need root to stand aside.
const WITHOUT_ROOT: &str = "REMIT_TESTS_WITHOUT_ROOT";
