//! Two hand runs never change a machine at once: one waits for the other.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::Context as _;
use contract::run::Mode;

use crate::output::say;

/// Held while a run lasts. Runs that change nothing share it.
pub(crate) struct MachineLock(#[expect(dead_code, reason = "the file is the lock")] File);

/// Waits for the machine.
pub(crate) fn machine(state: &Path, mode: Mode) -> anyhow::Result<MachineLock> {
    let path = state.join("machine.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("the machine's lock {}", path.display()))?;
    let is_alone = mode == Mode::Enforce;
    match if is_alone { file.try_lock() } else { file.try_lock_shared() } {
        Ok(()) => return Ok(MachineLock(file)),
        Err(TryLockError::WouldBlock) => say("another run is under way on this machine: waiting for it"),
        Err(TryLockError::Error(error)) => return Err(error).context("the machine's lock"),
    }
    if is_alone { file.lock() } else { file.lock_shared() }.context("the machine's lock")?;
    Ok(MachineLock(file))
}
