//! Two runs never change a machine at once, whoever starts them: one waits for the other.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::Context as _;
use contract::run::Mode;

use crate::output::say;

/// Held while a run lasts. Runs that change nothing share it.
pub(crate) struct MachineLock(#[expect(dead_code, reason = "the file is the lock")] File);

impl MachineLock {
    /// Takes the machine, unless somebody has it who would be in the way.
    pub(crate) fn try_take(state: &Path, mode: Mode) -> anyhow::Result<Option<Self>> {
        let file = open(state)?;
        match if is_alone(mode) { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context("the machine's lock"),
        }
    }
}

/// Waits for the machine.
pub(crate) fn machine(state: &Path, mode: Mode) -> anyhow::Result<MachineLock> {
    if let Some(lock) = MachineLock::try_take(state, mode)? {
        return Ok(lock);
    }
    say("another run is under way on this machine: waiting for it");
    let file = open(state)?;
    if is_alone(mode) { file.lock() } else { file.lock_shared() }.context("the machine's lock")?;
    Ok(MachineLock(file))
}

fn is_alone(mode: Mode) -> bool {
    mode == Mode::Enforce
}

fn open(state: &Path) -> anyhow::Result<File> {
    let path = state.join("machine.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    file.with_context(|| format!("the machine's lock {}", path.display()))
}
