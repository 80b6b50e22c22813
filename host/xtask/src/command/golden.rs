//! What is kept of this version of the contract, for as long as there are plugins of it: its listing, and plugins that were built
//! for it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::declarations::contract::{Contract, Module};
use crate::process::{cargo_command, run as run_command};
use crate::workspace::Workspace;

const LISTINGS: &str = "host/contract/versions";
/// The line of a listing that names the versions of remit that were released with it.
const RELEASED: &str = "released with:";

/// Write the listing of this contract version, and the plugins that are kept of it with what they answer, into tests/golden
///
/// While nothing was released with it, wit/ may change, and what is kept of it follows. A release is written into the listing by
/// whoever makes it, in the line `released with:`; from then on this refuses.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let contract = Contract::read(&workspace.root.join("wit"))?;
    let file = workspace.root.join(LISTINGS).join(format!("{}.txt", contract.version));
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if let Some(released) = released(&kept) {
        bail!(
            "msp:automation@{} was released with remit {released}: what was kept of it never changes. What is new needs a new \
             version in wit/world.wit",
            contract.version
        );
    }
    std::fs::write(&file, listing(&contract)).with_context(|| format!("{}", file.display()))?;
    println!("{LISTINGS}/{}.txt", contract.version);
    let mut make = cargo_command();
    make.args(["test", "--workspace", "--test", "golden", "every_plugin_of_every_version"]).env("REMIT_BLESS", "1");
    run_command(make.current_dir(&workspace.root))?;
    println!("tests/golden/{}", contract.version);
    Ok(ExitCode::SUCCESS)
}

/// The versions of remit that a listing was released with; none where there are none.
fn released(listing: &str) -> Option<&str> {
    listing.lines().find_map(|line| line.strip_prefix(RELEASED)).map(str::trim).filter(|it| !it.is_empty())
}

/// As `contract::versions` reads it.
fn listing(contract: &Contract) -> String {
    let functions = |module: &Module| module.functions.iter().map(|it| format!(" {}", it.name)).collect::<String>();
    let lines: BTreeMap<&str, String> =
        contract.modules.iter().map(|module| (module.name.as_str(), functions(module))).collect();
    let lines: String = lines.iter().map(|(name, functions)| format!("{name}:{functions}\n")).collect();
    format!("# msp:automation@{}. Written by `cargo xtask golden`.\n{RELEASED}\n{lines}", contract.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_released_is_seen() {
        assert_eq!(released("# x\nreleased with:\nrun: log\n"), None);
        assert_eq!(released("# x\nreleased with: 0.1.0 0.2.0\nrun: log\n"), Some("0.1.0 0.2.0"));
        assert_eq!(released(""), None);
    }

    #[test]
    fn the_listing_that_is_kept_is_the_one_that_would_be_written() {
        let workspace = Workspace::load().unwrap();
        let contract = Contract::read(&workspace.root.join("wit")).unwrap();
        let kept =
            std::fs::read_to_string(workspace.root.join(LISTINGS).join(format!("{}.txt", contract.version))).unwrap();
        assert!(released(&kept).is_some() || kept == listing(&contract), "`cargo xtask golden` writes it anew");
    }
}
