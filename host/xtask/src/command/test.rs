//! Runs every test, and says in one line how many there were.

use std::process::ExitCode;

use crate::suite;
use crate::workspace::Workspace;

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
    suite::set_up(&Workspace::load()?, args.no_root)?;
    let mut command = suite::command(args.no_root);
    if args.cargo.is_empty() {
        command.arg("--workspace");
    }
    suite::run(command.args(&args.cargo), |_| Vec::new())
}
