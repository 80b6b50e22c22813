//! What a project in JavaScript is built with: found in its `node_modules`, or installed there.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::super::tool;
use crate::output::say;

/// The compiler's version that this program was tested with.
const COMPILER: (&str, &str) = ("componentize-qjs", "0.4.5");
/// Puts packages of others, which may be of several files and of CommonJS, into one module each.
const BUNDLER: (&str, &str) = ("esbuild", "0.28.2");

/// Its program is a script or a binary, as npm was told; its library is always the same.
const BUNDLE: &str = r#"
const { build } = require("esbuild");
const options = { bundle: true, format: "esm", mainFields: ["module", "main"], conditions: ["import"], legalComments: "none" };
build({ ...options, entryPoints: [process.argv[1]], write: false }).then(
  ({ outputFiles }) => process.stdout.write(outputFiles[0].text),
  () => (process.exitCode = 1),
);
"#;

pub(super) const NO_NODE: &str =
    "node could not be started: a plugin in JavaScript is built with Node.js 18 or newer and npm";

/// The compiler's program.
pub(super) fn compiler(folder: &Path) -> anyhow::Result<PathBuf> {
    found_or_installed(folder, COMPILER, "cli.mjs")
}

/// A package of somebody else, as one module.
pub(super) fn bundled(folder: &Path, package: &str) -> anyhow::Result<String> {
    found_or_installed(folder, BUNDLER, "lib/main.js")?;
    let args = ["--input-type=commonjs", "--eval", BUNDLE, package];
    let mut command = tool::command("node", &args, folder);
    let why = format!("`{package}` cannot be bundled; esbuild says why above, and `npm install {package}` installs it");
    Ok(String::from_utf8(tool::output(&mut command, NO_NODE, &why, "")?)?)
}

/// A program of a package.
fn found_or_installed(folder: &Path, (package, version): (&str, &str), program: &str) -> anyhow::Result<PathBuf> {
    let installed = Path::new("node_modules").join(package).join(program);
    let path = folder.join(&installed);
    if !path.is_file() {
        install(folder, package, version)?;
    }
    if !path.is_file() {
        bail!("npm installed {package}, and {} is not there", path.display());
    }
    Ok(installed)
}

/// With npm: what the project itself asks for, or else this package beside it.
fn install(folder: &Path, package: &str, version: &str) -> anyhow::Result<()> {
    for (lock, manager) in [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun")] {
        if folder.join(lock).is_file() {
            bail!(
                "{package} is not installed, and this project is {manager}'s: `{manager} add --dev {package}@{version}`"
            );
        }
    }
    let path = folder.join("package.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let json: Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let asks = |section: &str| json.get(section).and_then(|it| it.get(package)).is_some();
    let wanted = format!("{package}@{version}");
    let mut args = vec!["install", "--no-audit", "--no-fund", "--loglevel=error"];
    if !asks("devDependencies") && !asks("dependencies") {
        args.extend(["--no-save", &wanted]);
    }
    say(&format!("installing {wanted} into {}", folder.join("node_modules").display()));
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let missing = "npm could not be started: a plugin in JavaScript is built with Node.js 18 or newer and npm";
    let why = format!("npm could not install {wanted}; it says why above");
    tool::output(&mut tool::command(npm, &args, folder), missing, &why, "").map(|_| ())
}
