//! What can be known without running anything.

use std::process::ExitCode;
use std::time::Instant;

use crate::process::cargo;
use crate::setup;
use crate::tidy;
use crate::workspace::Workspace;

/// What must compile for Windows, where most managed devices are.
const FOR_WINDOWS: [&str; 8] = ["model", "contract", "trust", "backends", "store", "artifact", "runtime", "cli"];
const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// Check format, rules, lints, and the build for Windows
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the contract's present hash into wit/README.md first, once you have made the document true again
    #[arg(long)]
    pin_contract: bool,

    /// Only these steps
    #[arg(value_parser = STEPS)]
    steps: Vec<String>,
}

const STEPS: [&str; 4] = ["format", "rules", "lints", "windows"];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    if args.pin_contract {
        tidy::pin_contract(&workspace)?;
    }
    let is_wanted = |name: &str| args.steps.is_empty() || args.steps.iter().any(|step| step == name);
    if is_wanted("windows") {
        setup::rust_targets(&[WINDOWS])?;
        setup::debian_packages(setup::TO_CHECK)?;
    }

    let steps: [&dyn Fn() -> anyhow::Result<()>; 4] = [
        &|| cargo(&["fmt", "--all", "--check"]),
        &|| tidy::check(&workspace),
        &|| cargo(&["clippy", "--workspace", "--all-targets", "--keep-going", "--quiet", "--", "-D", "warnings"]),
        &|| cargo(&windows()),
    ];
    let mut code = ExitCode::SUCCESS;
    for (name, step) in STEPS.into_iter().zip(steps).filter(|(name, _)| is_wanted(name)) {
        let start = Instant::now();
        let result = step();
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        eprintln!("check {name}: {word} ({:.1} s)", start.elapsed().as_secs_f64());
        if let Err(error) = result {
            eprintln!("{error:#}\n");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn windows() -> Vec<&'static str> {
    let packages = FOR_WINDOWS.iter().flat_map(|name| ["--package", name]);
    ["check", "--quiet", "--target", WINDOWS].into_iter().chain(packages).collect()
}
