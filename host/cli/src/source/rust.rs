//! A folder of a plugin in Rust: cargo builds it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::tool;
use crate::output::say;

/// What cargo says of a package.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// What makes a component small. Names stay, for traces.
const PROFILE: [&str; 5] = [
    "profile.release.opt-level=\"s\"",
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.strip=\"debuginfo\"",
];

/// cargo's component, and its target folder.
pub(super) fn compile(folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let metadata = tool::command("cargo", &["metadata", "--no-deps", "--format-version", "1"], folder)
        .stderr(Stdio::inherit())
        .output();
    let metadata = metadata.context("cargo could not be started: is the Rust toolchain installed?")?;
    let metadata: Metadata = serde_json::from_slice(&metadata.stdout).context("cargo metadata")?;
    let here = std::fs::canonicalize(folder.join("Cargo.toml")).with_context(|| format!("{}", folder.display()))?;
    let package = metadata.packages.iter().find(|package| package.manifest_path == here);
    let package = package.with_context(|| format!("{} is no package of its workspace", folder.display()))?;
    let mut build = tool::command(
        "cargo",
        &["build", "--release", "--lib", "--target", "wasm32-wasip2", "--package", &package.name],
        folder,
    );
    build.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    let built = build.stdout(Stdio::null()).stderr(Stdio::piped()).output().context("cargo build")?;
    if !built.status.success() {
        say(&String::from_utf8_lossy(&built.stderr));
        bail!(
            "the plugin does not build; cargo says why above (the target is added by `rustup target add wasm32-wasip2`)"
        );
    }
    let name = format!("{}.wasm", package.name.replace('-', "_"));
    Ok((metadata.target_directory.join("wasm32-wasip2/release").join(name), metadata.target_directory))
}
