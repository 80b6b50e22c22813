//! The TypeScript compiler: what it says of a script is what an author's editor says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::built;

/// Which one: a newer one may find more.
pub const VERSION: &str = "5.9.3";

/// Where `cargo xtask test` installs it, below cargo's target folder.
pub fn folder(target: &Path) -> PathBuf {
    target.join("tools").join(format!("typescript-{VERSION}"))
}

/// The program in that folder, which `node` runs.
pub fn program(target: &Path) -> PathBuf {
    folder(target).join("node_modules/typescript/bin/tsc")
}

/// What it finds wrong with a project, a folder with its `tsconfig.json`: nothing where all is well.
#[track_caller]
pub fn complaints(project: &Path) -> String {
    let program = program(built::target());
    assert!(program.exists(), "{} is missing: `cargo xtask test` installs it", program.display());
    let mut node = Command::new("node");
    let output = node.arg(program).arg("--project").arg(project).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() != said.contains("error TS"), "{}: {said}", output.status);
    said
}
