//! The fuzz targets: the corpus as it is and changed in many ways, and in the long form libFuzzer, ten minutes each.

#[path = "../fuzz/targets.rs"]
mod targets;

use tests::fuzz::{Target, change};

const fn of(name: &'static str, target: fn(&[u8])) -> Target {
    Target { folder: concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"), name, target, change }
}

#[test]
fn statement() {
    let target = of("statement", targets::statement);
    if tests::soak!() { target.soak() } else { target.replay() }
}

#[test]
fn signed() {
    let target = of("signed", targets::signed);
    if tests::soak!() { target.soak() } else { target.replay() }
}

#[test]
fn manifest() {
    let target = of("manifest", targets::manifest);
    if tests::soak!() { target.soak() } else { target.replay() }
}
