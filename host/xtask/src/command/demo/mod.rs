//! Shows what Remit does, on real data, and looks at the world after each step.

mod disk;
mod fleet;
mod hand;
mod host;
mod machine;
mod strangers;
mod tickets;
mod updates;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::setup;
use hand::Hand;

/// Show what Remit does on this machine and on a managed host, each step checked by looking at the world
#[derive(clap::Args)]
pub(crate) struct Args {}

type Step = fn(&Hand) -> anyhow::Result<()>;

const STEPS: [(&str, Step); 6] = [
    ("disk-cleanup: a dry run, exactly what it planned, and back again", disk::cleanup),
    ("disk-space: a ticket raised, raised again and resolved, and a mail", tickets::life),
    ("patch-compliance: what is pending on this machine", updates::this_machine),
    (
        "disk-space, as strangers have it: signed, from a registry, approved, and refused with one bit turned",
        strangers::signed,
    ),
    ("a managed host: pending updates, an upgrade, and a service that was stopped", host::managed),
    ("a fleet: a hub, three devices that join it, and a plugin on one of them and then on the others", fleet::run),
];

pub(crate) fn run(_: &Args) -> anyhow::Result<ExitCode> {
    setup::rust_targets(&["wasm32-wasip2"])?;
    setup::debian_packages(setup::TO_TEST)?;
    if !setup::is_root()? {
        bail!("the demo mounts a volume and boots a host: run it as root");
    }
    let start = Instant::now();
    let hand = Hand::new().context("what the demo is made with")?;
    let mut failed = 0;
    for (number, (title, step)) in STEPS.iter().enumerate() {
        println!("\n{}. {title}", number + 1);
        let began = Instant::now();
        match step(&hand) {
            Ok(()) => println!("   ok ({:.1} s)", began.elapsed().as_secs_f64()),
            Err(error) => {
                failed += 1;
                println!("   FAILED ({:.1} s): {error:#}", began.elapsed().as_secs_f64());
            }
        }
    }
    println!("\n{} of {} verified, in {:.0} s", STEPS.len() - failed, STEPS.len(), start.elapsed().as_secs_f64());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
