//! What a person means by PLUGIN: a file that was built, or a folder with its source, which is built first.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use artifact::{Cache, Misfit, Plugin};
use model::Manifest;
use serde::Deserialize;

use crate::fault::Refused;
use crate::output::say;
use crate::whole;

/// Loads a plugin, and verifies it, unless the cache knows it. A folder is built first, if it has changed; a script is packed.
pub(crate) async fn load(path: &Path, cache: Option<&Cache>) -> anyhow::Result<Plugin> {
    if script::is_script(path) {
        return artifact::verify_local(pack(path)?, cache).map_err(|error| refused(error, None, path));
    }
    let (file, manifest) = match path.is_dir() {
        true => (build(path).await?, Some(path.join("plugin.toml"))),
        false => (path.to_owned(), None),
    };
    let bytes = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
    artifact::verify_local(bytes, cache).map_err(|error| refused(error, manifest.as_deref(), &file))
}

/// A script as a plugin's bytes.
pub(crate) fn pack(path: &Path) -> anyhow::Result<Vec<u8>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    script::pack(&name, &text).map_err(|wrong| Refused::from(wrong).into())
}

/// Packs a script, and writes it beside its source.
pub(crate) fn build_script(path: &Path) -> anyhow::Result<PathBuf> {
    let file = path.with_extension("wasm");
    whole::write(&file, &pack(path)?).with_context(|| format!("{}", file.display()))?;
    Ok(file)
}

fn refused(error: artifact::Error, manifest: Option<&Path>, file: &Path) -> anyhow::Error {
    match error {
        artifact::Error::Misfit(misfits) => {
            Refused::because(misfits.iter().map(|misfit| explain(misfit, manifest)).collect()).into()
        }
        other => anyhow::Error::new(other).context(format!("{}", file.display())),
    }
}

/// A misfit with the line that would mend it.
fn explain(misfit: &Misfit, manifest: Option<&Path>) -> String {
    match (misfit, manifest) {
        (Misfit::Undeclared { interface, .. }, Some(path)) => {
            let scope = match model::capability::interface(interface).map(|row| row.scope) {
                Some(contract::ScopeGrammar::None) | None => "",
                Some(_) => "\n      scope = [\"…\"]",
            };
            let (file, line) = (path.display(), lines(path) + 1);
            format!("{misfit}; add at {file}:{line}\n      [capabilities.{interface}]{scope}\n      reason = \"…\"")
        }
        _ => misfit.to_string(),
    }
}

pub(crate) fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

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

/// Builds a source folder, embeds its manifest, and gives the file.
pub(crate) async fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let toml = folder.join("plugin.toml");
    let text = std::fs::read_to_string(&toml)
        .with_context(|| format!("{}: a plugin's folder has a plugin.toml", toml.display()))?;
    let (component, target) = compile(folder)?;
    let bytes = std::fs::read(&component).with_context(|| format!("{}", component.display()))?;
    let schema = runtime::parameters_schema(&bytes).await.context("the plugin's parameters")?;
    let manifest = Manifest::from_toml(&text, schema).with_context(|| format!("{}", toml.display()))?;
    let misfits = artifact::check_against(&bytes, &manifest)?;
    if !misfits.is_empty() {
        let reasons = misfits.iter().map(|misfit| explain(misfit, Some(&toml))).collect();
        return Err(Refused::because(reasons).into());
    }
    let file = target.join("remit").join(format!("{}.wasm", manifest.plugin.name));
    std::fs::create_dir_all(target.join("remit"))?;
    whole::write(&file, &artifact::embed(bytes, &manifest)).with_context(|| format!("{}", file.display()))?;
    Ok(file)
}

/// cargo's component, and its target folder.
fn compile(folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let metadata = cargo(folder, &["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit()).output();
    let metadata = metadata.context("cargo could not be started: is the Rust toolchain installed?")?;
    let metadata: Metadata = serde_json::from_slice(&metadata.stdout).context("cargo metadata")?;
    let here = std::fs::canonicalize(folder.join("Cargo.toml")).with_context(|| format!("{}", folder.display()))?;
    let package = metadata.packages.iter().find(|package| package.manifest_path == here);
    let package = package.with_context(|| format!("{} is no package of its workspace", folder.display()))?;
    let mut build =
        cargo(folder, &["build", "--release", "--lib", "--target", "wasm32-wasip2", "--package", &package.name]);
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

#[expect(clippy::disallowed_methods, reason = "a person's own toolchain, started with their environment")]
fn cargo(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}
