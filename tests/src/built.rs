//! What the tests run: the `remit` binary and the first-party plugins, built once for each test process. cargo's own lock
//! keeps processes that build at once apart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, OnceLock};

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Where cargo builds this: `deps`, two folders below, holds the running test.
pub fn target() -> &'static Path {
    static TARGET: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().unwrap();
        test.ancestors().nth(3).unwrap().to_owned()
    });
    &TARGET
}

static REMIT: OnceLock<PathBuf> = OnceLock::new();

/// The `remit` binary, a debug build.
pub fn remit() -> &'static Path {
    REMIT.get_or_init(|| executable(["--bin", "remit"]))
}

/// Has [`remit`] be this one, if it is said before anybody asks: a bench has an optimised one.
pub fn is_built(remit: &Path) {
    let _ = REMIT.set(remit.to_owned());
}

/// An example of a crate of the workspace, a debug build.
pub fn example(name: &str) -> PathBuf {
    executable(["--example", name])
}

fn executable(which: [&str; 2]) -> PathBuf {
    let mut cargo = cargo();
    // The features of the whole workspace: another set would build every dependency again.
    cargo.args(["build", "--workspace"]).args(which).args(["--message-format", "json-render-diagnostics"]);
    let output = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} does not build", which[1]);
    let text = String::from_utf8(output.stdout).unwrap();
    let executable = text.lines().filter_map(|line| line.split_once("\"executable\":\"")).next_back().unwrap().1;
    PathBuf::from(executable.split('"').next().unwrap())
}

/// The folders of the first-party plugins.
pub fn plugins() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository().join("plugins")).unwrap().map(|entry| entry.unwrap().path());
    let mut plugins: Vec<PathBuf> = entries.filter(|path| path.join("plugin.toml").exists()).collect();
    plugins.sort();
    assert!(!plugins.is_empty());
    plugins
}

/// A first-party plugin, built with its manifest inside.
pub fn plugin(name: &str) -> PathBuf {
    folder(&repository().join("plugins").join(name))
}

/// The plugin of any source folder, built with its manifest inside.
pub fn folder(source: &Path) -> PathBuf {
    static BUILT: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap();
    built.entry(source.to_owned()).or_insert_with(|| with(remit(), source)).clone()
}

/// The plugin of a source folder, built by this `remit`.
pub fn with(remit: &Path, source: &Path) -> PathBuf {
    let output = Command::new(remit).arg("build").arg(source).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} does not build", source.display());
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}

fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    own(cargo.current_dir(repository()).stdin(Stdio::null()));
    cargo
}

/// As from a shell: build scripts that look at what cargo tells a test about itself would run again, and all that hangs on
/// them would be compiled again, each time that a test and a person take turns.
pub fn own(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}
