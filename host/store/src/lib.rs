//! What a device remembers: the events of its runs ([`Store::begin`]), documents ([`Store::put`]), and what was decided about its
//! standing orders ([`Store::decide`]), in one SQLite file.
//!
//! In go events, out come records; what is acknowledged survives a power cut. It decides nothing: who may run, and what a
//! document means, is for others. The twin in memory is SQLite's own.

mod commit;
mod decisions;
mod documents;
mod error;
pub mod fail;
mod holder;
mod log;
mod purge;
mod runs;
mod schema;
mod spool;
pub mod whole;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use commit::Queue;
pub use decisions::{Decided, Decision};
pub use documents::{Document, Expected, NotWritten, Value, Write};
pub use error::Error;
use holder::Holders;
pub use log::{Make, Rework, RunLog};
pub use runs::Summary;
use schema::SCHEMA_VERSION;
pub use spool::{Limits, Purged};

/// How long one process waits for another that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The log is folded into the file when it has so many pages of 4 KiB: once in some twenty runs. The next process reads what is
/// left of it, which takes well under a millisecond.
const WAL_PAGES_MAX: u32 = 256;

/// The file, open.
pub struct Store {
    /// The one connection that writes; and the one that reads, as long as nobody writes at the same time.
    writer: Mutex<Connection>,
    /// Another one, made for the first reader who would have had to wait for a commit.
    reader: OnceLock<Mutex<Connection>>,
    queue: Queue,
    /// Where they are; none in memory.
    file: Option<PathBuf>,
    holders: Option<Holders>,
}

impl Store {
    /// Opens the store in a folder, which only its owner may enter, and makes both where there are none.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let io = |path: &Path| {
            let path = path.display().to_string();
            move |source| Error::Io { path, source }
        };
        let running = folder.join("running");
        make_private_folder(folder).map_err(io(folder))?;
        make_private_folder(&running).map_err(io(&running))?;
        let file = folder.join("state.db");
        let connection = connect(&file)?;
        Self::over(connection, Some(file), Some(Holders::new(running)))
    }

    /// The twin in memory: the same, gone when it is dropped.
    pub fn in_memory() -> Result<Self, Error> {
        Self::over(Connection::open_in_memory()?, None, None)
    }

    fn over(mut connection: Connection, file: Option<PathBuf>, holders: Option<Holders>) -> Result<Self, Error> {
        set_up(&connection)?;
        schema::bring_up(&mut connection)?;
        Ok(Self { writer: Mutex::new(connection), reader: OnceLock::new(), queue: Queue::default(), file, holders })
    }

    /// Reads what is committed. Whoever reads waits for no commit, but for the folding in of the log.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        read(&*self.for_reading()?)
    }

    fn for_reading(&self) -> Result<MutexGuard<'_, Connection>, Error> {
        let Some(file) = &self.file else { return Ok(self.writer()) };
        if self.reader.get().is_none() {
            match self.writer.try_lock() {
                Ok(connection) => return Ok(connection),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
            let connection = connect(file)?;
            set_up(&connection)?;
            // Where two made one at a time, one of them is not needed.
            let _ = self.reader.set(Mutex::new(connection));
        }
        Ok(self.reader.get().unwrap_or(&self.writer).lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves no half-done transaction behind: rusqlite rolls back on drop.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(file: &Path) -> Result<Connection, Error> {
    let sqlite = |source| Error::Sqlite { path: file.display().to_string(), source };
    let connection = Connection::open(file).map_err(sqlite)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(sqlite)?;
    // The log goes on from process to process, and is folded in when it has grown: folding it in at each process's end would be
    // three more waits for the disk.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sqlite)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    // With WAL, FULL is what makes a commit survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

/// Makes a folder that only its owner may enter, where there is none. One that is there and that somebody else owns or may write
/// to is refused: records, plans and compiled code in it would be theirs.
pub fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    check_owner(folder)
}

#[cfg(unix)]
fn check_owner(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = folder.metadata()?;
    let refused = |why: &str| Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, why));
    let owner = rustix::process::Uid::from_raw(found.uid());
    if !owner.is_root() && owner != rustix::process::geteuid() {
        return refused("somebody else owns it");
    }
    match found.mode() & 0o022 {
        0 => Ok(()),
        _ => refused("others may write to it: `chmod go-w` it, if you trust what is in there"),
    }
}

#[cfg(not(unix))]
fn check_owner(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a run begins of which nothing is known.
    pub(crate) fn started() -> model::Started {
        let digest = format!("sha256:{}", "0".repeat(64));
        serde_json::from_value(serde_json::json!({
            "format": 1, "plugin": "p", "version": "1.0.0", "digest": digest, "trust": "unsigned", "mode": "detect",
            "trigger": { "kind": "by-hand", "name": "by hand", "event": null, "attributes": [] },
            "parameters": {}, "grants": {}, "limits": {}, "device": "", "host": "",
        }))
        .unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_somebody_else_may_fill_is_refused() {
        use std::os::unix::fs::{PermissionsExt, chown};

        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("state");
        let open = || Store::open(&folder).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(open(), Ok(()));
        for (mode, is_open) in [(0o700, true), (0o755, true), (0o775, false), (0o777, false), (0o1777, false)] {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(open().is_ok(), is_open, "{mode:o}");
        }
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(open(), Ok(()));
        // Only root may give a folder away, and only then there is one of somebody else's to open.
        if rustix::process::geteuid().is_root() {
            chown(&folder, Some(1), None).unwrap();
            assert!(open().is_err());
        }
    }
}
