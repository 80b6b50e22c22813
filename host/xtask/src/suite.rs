//! Runs tests, and says in one line how many there were.

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::process::{cargo_command, tee};
use crate::setup;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Tells the tests that need root to stand aside.
const WITHOUT_ROOT: &str = "REMIT_TESTS_WITHOUT_ROOT";

/// Installs what the tests need.
pub(crate) fn set_up(workspace: &Workspace, no_root: bool) -> anyhow::Result<()> {
    setup::rust_targets(&["wasm32-wasip2"])?;
    setup::wasm_tools(&workspace.target)?;
    if !no_root {
        setup::debian_packages(setup::TO_TEST)?;
    }
    setup::npm()?;
    setup::tsc(&workspace.target)?;
    setup::mypy(&workspace.target)?;
    setup::otlp(&workspace.target)?;
    setup::schemathesis(&workspace.target)
}

/// `cargo test`, which goes on after a failure. What it runs is for the caller to add.
pub(crate) fn command(no_root: bool) -> Command {
    let mut command = cargo_command();
    command.args(["test", "--no-fail-fast"]);
    // Set here or nowhere: a variable left in somebody's shell must not change what is tested.
    command.env_remove(WITHOUT_ROOT).env_remove(::tests::SOAK);
    if no_root {
        command.env(WITHOUT_ROOT, "1");
    }
    command
}

/// Runs it to its end, and closes with the number of tests. `complain` names what else is wrong.
pub(crate) fn run(command: &mut Command, complain: impl FnOnce(&Tally) -> Vec<String>) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let mut tally = Tally::default();
    let success = tee(command, |line| tally.read(line))?;
    let complaints = complain(&tally);
    complaints.iter().for_each(|it| eprintln!("error: {it}"));
    eprintln!("\n{}tests took {:.0} s", tally.skipped_by_name(), start.elapsed().as_secs_f64());
    // Nothing may follow this line: it is what a caller reads.
    println!("{tally}");
    let is_good = success && tally.is_good() && complaints.is_empty();
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
