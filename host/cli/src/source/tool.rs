//! Programs of a person's own toolchain, started with their environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::output::say;

/// A program, started in a folder.
#[expect(clippy::disallowed_methods, reason = "a person's own toolchain, started with their environment")]
pub(super) fn command(program: &str, args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

/// What a program writes to standard output; where it fails, what it said is shown, without the folder that only we know, and `why`
/// says what failed.
pub(super) fn output(command: &mut Command, missing: &str, why: &str, folder: &str) -> anyhow::Result<Vec<u8>> {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().with_context(|| missing.to_owned())?;
    if !output.status.success() {
        for said in [&output.stdout, &output.stderr] {
            let said = String::from_utf8_lossy(said);
            let said = if folder.is_empty() { said.into_owned() } else { said.replace(folder, "") };
            if !said.trim().is_empty() {
                say(said.trim_end());
            }
        }
        bail!("{why}");
    }
    Ok(output.stdout)
}

/// Where a person's cargo keeps what it downloads.
#[expect(clippy::disallowed_methods, reason = "a person's own toolchain, asked as it would ask itself")]
pub(super) fn cargo_home() -> Option<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    named.or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

/// What a person has cargo tell rustc, by their environment.
#[expect(clippy::disallowed_methods, reason = "a person's own toolchain, asked as it would ask itself")]
pub(super) fn rust_flags() -> Option<Vec<String>> {
    if let Ok(encoded) = std::env::var("CARGO_ENCODED_RUSTFLAGS") {
        return Some(encoded.split('\x1f').filter(|it| !it.is_empty()).map(str::to_owned).collect());
    }
    let flags = std::env::var("RUSTFLAGS").ok()?;
    Some(flags.split_whitespace().map(str::to_owned).collect())
}

/// Builds of one folder wait for each other: they write the same files.
pub(super) fn lock(folder: &Path) -> anyhow::Result<std::fs::File> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let path: PathBuf = folder.join("build.lock");
    let file = std::fs::File::create(&path).with_context(|| format!("{}", path.display()))?;
    file.lock().with_context(|| format!("{}", path.display()))?;
    Ok(file)
}
