//! Other languages' package managers, as an author has them: what they fetch is kept between tests.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The type checker of the Python template, and its version.
pub const MYPY: &str = "mypy==2.4.1";

/// Where `cargo xtask test` installs it, below cargo's target folder.
pub fn mypy(target: &Path) -> PathBuf {
    target.join("tools").join(MYPY.replace("==", "-"))
}

/// What OTLP is, as its authors define it, and its version.
pub const OTLP: &str = "opentelemetry-proto==1.30.0";

/// Where `cargo xtask test` installs it, below cargo's target folder.
pub fn otlp(target: &Path) -> PathBuf {
    target.join("tools").join(OTLP.replace("==", "-"))
}

/// What asks the hub for all that its OpenAPI document lets, and more, and its version.
pub const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Where `cargo xtask test` installs it, below cargo's target folder.
pub fn schemathesis(target: &Path) -> PathBuf {
    target.join("tools").join(SCHEMATHESIS.replace("==", "-"))
}

/// Has npm and pip keep what they fetch below cargo's target folder, and nothing of the person's own settings matter.
pub fn kept(command: &mut Command, target: &Path) {
    let tools = target.join("tools");
    command.env("npm_config_cache", tools.join("npm")).env("npm_config_prefer_offline", "true");
    command.env("npm_config_update_notifier", "false").env("PIP_CACHE_DIR", tools.join("pip"));
    command.env("PIP_ROOT_USER_ACTION", "ignore");
}

/// A folder that has these programs of the machine, and no other: what a `PATH` is when nothing else is installed.
pub fn only(programs: &[&str], folder: &Path) -> PathBuf {
    for name in programs {
        let program = find(name).unwrap_or_else(|| panic!("{name} is missing: `cargo xtask test` installs it"));
        std::os::unix::fs::symlink(program, folder.join(name)).unwrap();
    }
    folder.to_owned()
}

/// Debian's before whatever else a person has installed.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [PathBuf::from("/usr/bin"), PathBuf::from("/bin")].into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
