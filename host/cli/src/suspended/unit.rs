//! The systemd unit that goes on with a run after the boot.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model::RunId;
use store::{fail, whole};

use crate::context::Context;

/// Where systemd looks for units that the machine's owner made.
const UNITS: &str = "/etc/systemd/system";
/// There while systemd is process 1: then it will also be after the boot.
const BOOTED: &str = "/run/systemd/system";

pub(super) fn can_be() -> bool {
    Path::new(BOOTED).is_dir()
}

/// Writes it, and has it started with the machine.
pub(super) fn leave(context: &Context, run: RunId, record: Option<&Path>) -> anyhow::Result<()> {
    fail::point("suspended.before-unit");
    let (unit, wanted) = (file(run), wanted(run));
    whole::write(&unit, text(context, run, record)?.as_bytes()).with_context(|| format!("{}", unit.display()))?;
    if let Some(folder) = wanted.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    link(&unit, &wanted).with_context(|| format!("{}", wanted.display()))
}

pub(super) fn is_there(run: RunId) -> bool {
    file(run).exists() && wanted(run).exists()
}

pub(super) fn remove(run: RunId) {
    // What wants it goes first: a unit that nothing wants is not started.
    for path in [wanted(run), file(run)] {
        let _ = std::fs::remove_file(path);
    }
}

/// The runs that have one.
pub(super) fn left() -> impl Iterator<Item = RunId> {
    let names =
        std::fs::read_dir(UNITS).into_iter().flatten().flatten().filter_map(|it| it.file_name().into_string().ok());
    names.filter_map(|name| name.strip_prefix("remit-resume-")?.strip_suffix(".service")?.parse().ok())
}

fn file(run: RunId) -> PathBuf {
    Path::new(UNITS).join(name(run))
}

fn wanted(run: RunId) -> PathBuf {
    Path::new(UNITS).join("multi-user.target.wants").join(name(run))
}

fn name(run: RunId) -> String {
    format!("remit-resume-{run}.service")
}

fn text(context: &Context, run: RunId, record: Option<&Path>) -> anyhow::Result<String> {
    let mut command = vec![std::env::current_exe().context("where is this program?")?.display().to_string()];
    let mut option = |name: &str, path: &Path| -> anyhow::Result<()> {
        // The unit starts elsewhere.
        let path = std::path::absolute(path).with_context(|| format!("{}", path.display()))?;
        command.extend([name.to_owned(), path.display().to_string()]);
        Ok(())
    };
    option("--state", &context.state)?;
    option("--root", context.root())?;
    if context.policy_file().exists() {
        option("--policy", context.policy_file())?;
    }
    if let Some(record) = record {
        option("--record", record)?;
    }
    command.insert(1, "resume".to_owned());
    command.push(run.to_string());
    let command: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    Ok(format!(
        "[Unit]\n\
         Description=Goes on with {run} after the reboot that it was granted\n\
         After=dbus.service systemd-logind.service\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart={}\n\
         # What the run found is in its record; a unit that counts as failed would call for a person twice.\n\
         SuccessExitStatus=10 11 12 13\n",
        command.join(" ")
    ))
}

/// A word as systemd reads it: nothing in it is a quote, an escape, a specifier or a variable.
fn quoted(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{word}\"")
}

#[cfg(unix)]
fn link(unit: &Path, wanted: &Path) -> std::io::Result<()> {
    fail::point("suspended.before-link");
    match std::os::unix::fs::symlink(unit, wanted) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fail::point("suspended.after-link");
    Ok(())
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
