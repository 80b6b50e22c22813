//! The very `wasm-tools`: a reader of components that shares nothing with this workspace, not even its lock file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::built;

/// Which one. What it prints is read here, so it does not move by itself.
pub const VERSION: &str = "1.263.0";

/// Where `cargo xtask test` installs it, below cargo's target folder.
pub fn folder(target: &Path) -> PathBuf {
    target.join("tools").join(format!("wasm-tools-{VERSION}"))
}

/// The program in that folder.
pub fn program(target: &Path) -> PathBuf {
    folder(target).join("bin/wasm-tools")
}

/// What `wasm-tools component wit` prints of a component.
#[track_caller]
pub fn wit(component: &Path) -> String {
    let program = program(built::target());
    assert!(program.exists(), "{} is missing: `cargo xtask test` installs it", program.display());
    let output = Command::new(program).args(["component", "wit"]).arg(component).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}: {}", component.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
