//! A run that waits for a reboot: what it leaves behind so that it can go on, and the unit that goes on with it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use artifact::Plugin;
use model::RunId;

use crate::context::Context;
use crate::whole;

/// Where systemd looks for units that the machine's owner made.
const UNITS: &str = "/etc/systemd/system";

/// Keeps the plugin and, where systemd will start the machine, leaves a unit that goes on with the run after the boot.
pub(crate) fn leave(context: &Context, run: RunId, plugin: &Plugin) -> anyhow::Result<()> {
    let file = plugin_file(context, run);
    let folder = context.state.join("suspended");
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    whole::write(&file, plugin.bytes()).with_context(|| format!("{}", file.display()))?;
    if !Path::new("/run/systemd/system").is_dir() {
        crate::output::say(&format!("note: no systemd here: after the reboot, call `remit resume {run}`"));
        return Ok(());
    }
    let unit = Path::new(UNITS).join(unit_name(run));
    whole::write(&unit, unit_text(context, run)?.as_bytes()).with_context(|| format!("{}", unit.display()))?;
    let wanted = wanted(run);
    if let Some(folder) = wanted.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    link(&unit, &wanted).with_context(|| format!("{}", wanted.display()))
}

/// The plugin, as it was when the run was suspended.
pub(crate) fn plugin_file(context: &Context, run: RunId) -> PathBuf {
    context.state.join("suspended").join(format!("{run}.wasm"))
}

/// Nothing is left of a run that has gone on. What cannot be removed is no reason to fail: its run is over, and says so.
pub(crate) fn forget(context: &Context, run: RunId) {
    for path in [wanted(run), Path::new(UNITS).join(unit_name(run)), plugin_file(context, run)] {
        let _ = std::fs::remove_file(path);
    }
}

fn unit_name(run: RunId) -> String {
    format!("remit-resume-{run}.service")
}

fn wanted(run: RunId) -> PathBuf {
    Path::new(UNITS).join("multi-user.target.wants").join(unit_name(run))
}

fn unit_text(context: &Context, run: RunId) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("where is this program?")?;
    let (program, state, policy) = (program.display(), context.state.display(), context.policy_file().display());
    let policy = if context.policy_file().exists() { format!(" --policy \"{policy}\"") } else { String::new() };
    Ok(format!(
        "[Unit]\n\
         Description=Goes on with {run} after the reboot that it was granted\n\
         After=dbus.service systemd-logind.service\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart=\"{program}\" --state \"{state}\"{policy} resume {run}\n\
         # What the run found is in its record; a unit that counts as failed would call for a person twice.\n\
         SuccessExitStatus=10 11 12 13\n"
    ))
}

#[cfg(unix)]
fn link(unit: &Path, wanted: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(unit, wanted)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
