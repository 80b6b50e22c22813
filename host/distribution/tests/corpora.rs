//! The fuzz targets: the corpus as it is and changed in many ways, and in the long form libFuzzer, ten minutes each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

#[path = "../fuzz/change.rs"]
mod change;
#[path = "../fuzz/targets.rs"]
mod targets;

use change::change_archive;
use tests::fuzz::{Change, Target};

const fn of(name: &'static str, target: fn(&[u8]), change: Change) -> Target {
    Target { folder: concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"), name, target, change }
}

#[test]
fn archive() {
    let target = of("archive", targets::archive, change_archive);
    if tests::soak!() { target.soak() } else { target.replay() }
}

#[test]
fn lock() {
    let target = of("lock", targets::lock, tests::fuzz::change);
    if tests::soak!() { target.soak() } else { target.replay() }
}
