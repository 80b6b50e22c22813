//! What must be on the machine, and how it gets there.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process::{cargo_command, output, run, shown};

/// Debian packages that `check` needs.
pub(crate) const TO_CHECK: &[&str] = &[
    // SQLite and the assembly of ring are compiled for Windows too.
    "gcc-mingw-w64-x86-64",
];

/// Debian packages that the tests need.
pub(crate) const TO_TEST: &[&str] = &[
    // Takes symbols away, for packages.
    "binutils",
    // Packages and repositories for managed hosts to install from.
    "apt-utils",
    "dpkg-dev",
    // A service with a script of init, and none of systemd's.
    "cron",
    // File systems that are filled, and that hang.
    "e2fsprogs",
    "mount",
    // A disk that loses what was not flushed: `nbdkit` serves it, and `nbdfuse` of `libnbd-bin` shows it as a file.
    "libnbd-bin",
    "nbdkit",
    // A registry, and another client of it.
    "docker-registry",
    "skopeo",
    // The root of a managed host.
    "mmdebstrap",
    // A mail server on loopback.
    "python3-aiosmtpd",
    // Plugins in Python.
    "python3-pip",
    // Signs, and verifies what we sign.
    "openssh-client",
    // Boots one.
    "systemd-container",
    // A proxy.
    "tinyproxy-bin",
    // Time zones of schedules.
    "tzdata",
];

/// Debian packages that the long forms need beside those of the tests.
pub(crate) const TO_SOAK: &[&str] = &[
    // libFuzzer is C++.
    "g++",
];

/// Debian packages that the bench needs.
pub(crate) const TO_BENCH: &[&str] = &[
    // What a process of ours is compared with.
    "python3",
];

/// Installs the targets that are missing.
pub(crate) fn rust_targets(wanted: &[&str]) -> anyhow::Result<()> {
    let installed = output(Command::new("rustup").args(["target", "list", "--installed"]))
        .with_context(|| format!("without rustup, install the standard library for {} yourself", wanted.join(", ")))?;
    let missing = missing(wanted, &installed);
    if missing.is_empty() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add"]).args(missing))
}

/// Installs the Debian packages that are missing, where that is allowed.
pub(crate) fn debian_packages(wanted: &[&str]) -> anyhow::Result<()> {
    // It fails when one of them is unknown, and still lists the others.
    let listed = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(wanted)
        .output()
        .context("the tests stand on Debian's packages")?;
    let installed: String = String::from_utf8(listed.stdout)?
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .flat_map(|name| [name, "\n"])
        .collect();
    let missing = missing(wanted, &installed);
    if missing.is_empty() {
        return Ok(());
    }
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    if !is_root()? {
        bail!("missing: {}\ninstall it with: sudo {}", missing.join(", "), shown(&install));
    }
    eprintln!("{}", shown(&install));
    run(Command::new("apt-get").args(["update", "--quiet"]))?;
    run(&mut install)
}

/// Installs `wasm-tools`, which reads plugins independently of us: built once, below cargo's target folder.
pub(crate) fn wasm_tools(target: &Path) -> anyhow::Result<()> {
    if ::tests::wasm_tools::program(target).exists() {
        return Ok(());
    }
    let folder = ::tests::wasm_tools::folder(target);
    let build = folder.join("build");
    let version = ::tests::wasm_tools::VERSION;
    eprintln!("building wasm-tools {version}: once a target folder");
    // Only what `component wit` takes, and not optimised: it reads a few components.
    let mut install = cargo_command();
    install.args(["install", "wasm-tools", "--version", version, "--locked", "--debug", "--quiet"]);
    install.args(["--no-default-features", "--features", "component", "--config", "profile.dev.debug=false"]);
    run(install.arg("--root").arg(&folder).arg("--target-dir").arg(&build))?;
    std::fs::remove_dir_all(&build).with_context(|| format!("{}", build.display()))
}

/// Installs `tsc`, which checks scripts: once, below cargo's target folder.
pub(crate) fn tsc(target: &Path) -> anyhow::Result<()> {
    if ::tests::tsc::program(target).exists() {
        return Ok(());
    }
    let (folder, version) = (::tests::tsc::folder(target), ::tests::tsc::VERSION);
    eprintln!("installing tsc {version}: once a target folder");
    let partial = folder.with_extension("partial");
    let mut install = Command::new("npm");
    install.args(["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]).arg(&partial);
    run(install.arg(format!("typescript@{version}")))?;
    std::fs::rename(&partial, &folder).with_context(|| format!("{}", folder.display()))
}

/// Installs npm, unless there is one: elsewhere than in Debian it is a part of Node.js.
pub(crate) fn npm() -> anyhow::Result<()> {
    match Command::new("npm").arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => debian_packages(&["npm"]),
    }
}

/// Installs the type checker of plugins in Python: once a target folder.
pub(crate) fn mypy(target: &Path) -> anyhow::Result<()> {
    python(::tests::toolchains::MYPY, &::tests::toolchains::mypy(target), target)
}

/// Installs what OTLP is by its own definition: once a target folder.
pub(crate) fn otlp(target: &Path) -> anyhow::Result<()> {
    python(::tests::toolchains::OTLP, &::tests::toolchains::otlp(target), target)
}

/// Installs what fuzzes the hub's API by its own document: once a target folder.
pub(crate) fn schemathesis(target: &Path) -> anyhow::Result<()> {
    python(::tests::toolchains::SCHEMATHESIS, &::tests::toolchains::schemathesis(target), target)
}

fn python(package: &str, folder: &Path, target: &Path) -> anyhow::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    eprintln!("installing {package}: once a target folder");
    let unfinished = folder.with_extension("new");
    let mut install = Command::new("/usr/bin/python3");
    ::tests::toolchains::kept(&mut install, target);
    install.args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"]).arg(&unfinished);
    run(install.arg(package))?;
    std::fs::rename(&unfinished, folder).with_context(|| format!("{}", folder.display()))
}

/// Whether root runs this.
pub(crate) fn is_root() -> anyhow::Result<bool> {
    Ok(output(Command::new("id").arg("--user"))?.trim() == "0")
}

fn missing<'a>(wanted: &[&'a str], installed: &str) -> Vec<&'a str> {
    wanted.iter().copied().filter(|name| !installed.lines().any(|line| line == *name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        assert_eq!(missing(&["mmdebstrap", "dpkg-dev"], "dpkg-dev\napt\n"), ["mmdebstrap"]);
        assert!(missing(&["apt"], "dpkg-dev\napt\n").is_empty());
    }
}
