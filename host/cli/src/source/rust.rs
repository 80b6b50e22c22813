//! A folder of a plugin in Rust: cargo builds it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use model::Package;
use serde::Deserialize;

use super::tool;
use crate::output::say;

const TARGET: &str = "wasm32-wasip2";

/// What cargo says of a workspace.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Member>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Member {
    name: String,
    manifest_path: PathBuf,
}

/// What cargo built.
pub(super) struct Built {
    pub(super) component: PathBuf,
    /// cargo's target folder.
    pub(super) target: PathBuf,
    /// What is linked into it.
    pub(super) packages: Vec<Package>,
}

/// What makes a component small. Names stay, for traces.
const PROFILE: [&str; 5] = [
    "profile.release.opt-level=\"s\"",
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.strip=\"debuginfo\"",
];

/// cargo's component.
pub(super) fn compile(folder: &Path) -> anyhow::Result<Built> {
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
        &["build", "--release", "--lib", "--target", TARGET, "--package", &package.name],
        folder,
    );
    build.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    forget_folders(&mut build, &metadata);
    let built = build.stdout(Stdio::null()).stderr(Stdio::piped()).output().context("cargo build")?;
    if !built.status.success() {
        say(&String::from_utf8_lossy(&built.stderr));
        bail!("the plugin does not build; cargo says why above (the target is added by `rustup target add {TARGET}`)");
    }
    let name = format!("{}.wasm", package.name.replace('-', "_"));
    Ok(Built {
        component: metadata.target_directory.join(TARGET).join("release").join(name),
        packages: linked(folder, &package.name)?,
        target: metadata.target_directory,
    })
}

/// Where a panic names its file, no folder of this machine is named: the same sources are the same bytes wherever they lie.
fn forget_folders(build: &mut Command, metadata: &Metadata) {
    // Of its own workspace cargo names files from there. The last that fits is taken.
    let mut folders = vec![(metadata.target_directory.clone(), "/target".to_owned())];
    if let Some(cargo) = tool::cargo_home() {
        folders.push((cargo.join("git/checkouts"), "/cargo/git".to_owned()));
        let registries = std::fs::read_dir(cargo.join("registry/src")).into_iter().flatten().flatten();
        folders.extend(registries.map(|registry| (registry.path(), "/cargo/registry".to_owned())));
    }
    let flags = folders.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    // Where there are some in the environment, cargo takes those and no others.
    if let Some(theirs) = tool::rust_flags() {
        let all: Vec<String> = theirs.into_iter().chain(flags).collect();
        build.env("CARGO_ENCODED_RUSTFLAGS", all.join("\x1f"));
    } else {
        let flags: Vec<String> = flags.collect();
        build.args(["--config", &format!("target.{TARGET}.rustflags={}", serde_json::json!(flags))]);
    }
}

/// What cargo links into a package, with the standard library: neither macros nor what only its build needs.
fn linked(folder: &Path, package: &str) -> anyhow::Result<Vec<Package>> {
    let args =
        ["tree", "--package", package, "--target", TARGET, "--edges", "normal,no-proc-macro", "--prefix", "none"];
    let args = [args.as_slice(), &["--format", "{p}\t{l}"]].concat();
    let (missing, why) =
        ("cargo could not be started", "cargo cannot list what the plugin is linked of; it says why above");
    let tree = String::from_utf8(tool::output(&mut tool::command("cargo", &args, folder), missing, why, "")?)?;
    let said =
        tool::output(&mut tool::command("rustc", &["--version"], folder), "rustc could not be started", why, "")?;
    let said = String::from_utf8(said)?;
    let standard = said.split(' ').nth(1).map(|version| Package::new("rust-std", version, Some("MIT OR Apache-2.0")));
    // The first line is the package itself.
    Ok(tree.lines().skip(1).filter_map(line_of_tree).chain(standard).collect())
}

/// `serde v1.0.0 (/a/folder)`, a tab, `MIT OR Apache-2.0`; and a mark where it was listed above.
fn line_of_tree(line: &str) -> Option<Package> {
    let (package, license) = line.trim_end_matches(" (*)").split_once('\t')?;
    let mut words = package.split(' ');
    Some(Package::new(words.next()?, words.next()?.strip_prefix('v')?, Some(license)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_tree_is_a_package() {
        let serde = Package::new("serde", "1.0.0", Some("MIT OR Apache-2.0"));
        assert_eq!(line_of_tree("serde v1.0.0\tMIT OR Apache-2.0"), Some(serde.clone()));
        assert_eq!(line_of_tree("serde v1.0.0 (/a folder/serde)\tMIT OR Apache-2.0 (*)"), Some(serde));
        assert_eq!(line_of_tree("mine v0.1.0\t").map(|it| it.license), Some(None));
        assert_eq!(line_of_tree(""), None);
    }
}
