//! What a project in JavaScript is built with: found in its `node_modules`, or installed there.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use model::Package;
use serde::Deserialize;
use serde_json::Value;

use super::super::tool;
use crate::output::say;

/// The compiler's version that this program was tested with.
const COMPILER: (&str, &str) = ("componentize-qjs", "0.4.5");
/// Puts packages of others, which may be of several files and of CommonJS, into one module each.
const BUNDLER: (&str, &str) = ("esbuild", "0.28.2");

/// Its program is a script or a binary, as npm was told; its library is always the same. Beside the module it tells whose files
/// are in it.
const BUNDLE: &str = r#"
const { build } = require("esbuild");
const { existsSync } = require("node:fs");
const { dirname, join, resolve } = require("node:path");
const options = { bundle: true, format: "esm", mainFields: ["module", "main"], conditions: ["import"], legalComments: "none" };

const packageOf = (folder) => {
  const file = join(folder, "package.json");
  const found = existsSync(file) ? require(file) : {};
  return found.name && found.version || folder === dirname(folder) ? found : packageOf(dirname(folder));
};
const licenseOf = ({ license, licenses }) =>
  license?.type ?? license ?? licenses?.map((it) => it.type ?? it).join(" OR ");

build({ ...options, entryPoints: [process.argv[1]], write: false, metafile: true }).then(
  ({ outputFiles, metafile }) => {
    const found = Object.keys(metafile.inputs).map((file) => packageOf(dirname(resolve(file))));
    const packages = found.filter((it) => it.name).map((it) => ({ name: it.name, version: it.version, license: licenseOf(it) }));
    process.stdout.write(JSON.stringify({ text: outputFiles[0].text, packages }));
  },
  () => (process.exitCode = 1),
);
"#;

/// A package of somebody else.
#[derive(Deserialize)]
pub(super) struct Bundled {
    /// As one module.
    pub(super) text: String,
    packages: Vec<About>,
}

/// `package.json`, as far as it matters here.
#[derive(Deserialize)]
struct About {
    name: String,
    version: String,
    license: Option<String>,
}

impl Bundled {
    /// Itself, and those of which it is made.
    pub(super) fn packages(&self) -> impl Iterator<Item = Package> {
        self.packages.iter().map(About::package)
    }
}

impl About {
    fn package(&self) -> Package {
        Package::new(&self.name, &self.version, self.license.as_deref())
    }
}

pub(super) const NO_NODE: &str =
    "node could not be started: a plugin in JavaScript is built with Node.js 18 or newer and npm";

/// The compiler's program.
pub(super) fn compiler(folder: &Path) -> anyhow::Result<PathBuf> {
    found_or_installed(folder, COMPILER, "cli.mjs")
}

/// The compiler, whose engine is in each component.
pub(super) fn engine(folder: &Path) -> anyhow::Result<Package> {
    let path = folder.join("node_modules").join(COMPILER.0).join("package.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let about: About = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    Ok(about.package())
}

/// A package of somebody else, bundled.
pub(super) fn bundled(folder: &Path, package: &str) -> anyhow::Result<Bundled> {
    found_or_installed(folder, BUNDLER, "lib/main.js")?;
    let args = ["--input-type=commonjs", "--eval", BUNDLE, package];
    let mut command = tool::command("node", &args, folder);
    let why = format!("`{package}` cannot be bundled; esbuild says why above, and `npm install {package}` installs it");
    let said = tool::output(&mut command, NO_NODE, &why, "")?;
    serde_json::from_slice(&said).with_context(|| format!("what esbuild made of `{package}`"))
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
