//! The repository, as cargo and git know it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::process::{cargo_command, output};

/// The repository.
pub(crate) struct Workspace {
    /// Its top folder.
    pub(crate) root: PathBuf,
    /// Where cargo builds it.
    pub(crate) target: PathBuf,
    /// Its crates.
    pub(crate) crates: Vec<Crate>,
    /// Every file that git tracks or would add, relative to the root.
    pub(crate) files: Vec<String>,
}

/// One crate of the workspace.
pub(crate) struct Crate {
    /// Its name.
    pub(crate) name: String,
    /// Its folder, relative to the root: `host/store`.
    pub(crate) folder: String,
    /// Its Cargo.toml.
    pub(crate) manifest: String,
    /// What it asks for, tests and build scripts included.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One thing that a crate asks for.
pub(crate) struct Dependency {
    /// The crate's name.
    pub(crate) name: String,
    /// Its folder relative to the root, if it is in this workspace.
    pub(crate) folder: Option<String>,
    /// It is there only for the crate's own tests.
    pub(crate) dev: bool,
}

impl Workspace {
    /// The repository that this program was built in.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let metadata = output(cargo_command().args(["metadata", "--format-version", "1", "--no-deps"]))?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let root = PathBuf::from(text(&metadata, "workspace_root")?);
        let target = PathBuf::from(text(&metadata, "target_directory")?);
        let packages = list(&metadata, "packages")?;
        let crates = packages.iter().map(|package| Crate::read(package, &root)).collect::<anyhow::Result<_>>()?;
        let listed = output(
            // The clone may belong to somebody else than root, who runs the tests.
            Command::new("git").args(["-c", "safe.directory=*", "-C"]).arg(&root).args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "--deduplicate",
            ]),
        )?;
        let files = listed.lines().map(str::to_owned).filter(|file| root.join(file).is_file()).collect();
        Ok(Self { root, target, crates, files })
    }
}

impl Crate {
    fn read(package: &Value, root: &Path) -> anyhow::Result<Self> {
        let manifest_path = Path::new(text(package, "manifest_path")?);
        let dependencies = list(package, "dependencies")?;
        Ok(Self {
            name: text(package, "name")?.to_owned(),
            folder: relative(manifest_path.parent().context("a manifest lies in a folder")?, root),
            manifest: std::fs::read_to_string(manifest_path)?,
            dependencies: dependencies
                .iter()
                .map(|dependency| {
                    Ok(Dependency {
                        name: text(dependency, "name")?.to_owned(),
                        folder: dependency
                            .get("path")
                            .and_then(Value::as_str)
                            .map(|path| relative(Path::new(path), root)),
                        dev: dependency.get("kind").is_some_and(|kind| kind == "dev"),
                    })
                })
                .collect::<anyhow::Result<_>>()?,
        })
    }
}

fn text<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("cargo metadata has a text `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a Vec<Value>> {
    value.get(key).and_then(Value::as_array).with_context(|| format!("cargo metadata has a list `{key}`"))
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}
