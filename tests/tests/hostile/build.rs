//! Builds the hostile guest. cargo does nothing where it is fresh.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The hostile guest, as a component without its manifest.
pub(crate) fn guest() -> Vec<u8> {
    let _lock = lock();
    cargo(&["--package", "hostile", "--release", "--target", "wasm32-wasip2"]);
    std::fs::read(target().join("wasm32-wasip2/release/hostile.wasm")).unwrap()
}

/// The target folder that this test was built in: `debug/deps/` of it holds the test.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// One build at a time, and nobody reads what another one writes.
fn lock() -> File {
    let file = File::create(target().join("hostile.lock")).unwrap();
    file.lock().unwrap();
    file
}

#[expect(clippy::disallowed_methods, reason = "a test builds what it runs")]
fn cargo(args: &[&str]) {
    let mut command = Command::new("cargo");
    command.arg("build").args(args).arg("--target-dir").arg(target());
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let output = command.output().expect("cargo is installed");
    assert!(output.status.success(), "cargo build {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}
