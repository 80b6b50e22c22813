//! What a device remembers: the events of its runs ([`Store::begin`]), and documents ([`Store::put`]), in one SQLite file.
//!
//! In go events, out come records; what is acknowledged survives a power cut. It decides nothing: who may run, and what a
//! document means, is for others. The twin in memory is SQLite's own.

mod documents;
pub mod fail;
mod purge;
mod runs;
pub mod whole;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

pub use documents::{Document, Expected, NotWritten, Value, Write};
pub use runs::{Make, Rework, RunLog, Summary};

/// How long one process waits for another that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The log is folded into the file when it has so many pages of 4 KiB: once in some twenty runs. The next process reads what is
/// left of it, which takes well under a millisecond.
const WAL_PAGES_MAX: u32 = 256;

/// The version of the tables; a file of a newer one is not opened.
const SCHEMA_VERSION: i64 = 2;

/// The file, open.
pub struct Store {
    connection: Mutex<Connection>,
    /// Where running hosts hold their locks; none in memory.
    running: Option<PathBuf>,
}

/// Why the store could not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said so.
    #[error("the store at {path}")]
    Sqlite {
        /// Which file.
        path: String,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The file system said so.
    #[error("{path}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        source: std::io::Error,
    },
    /// A newer host wrote it.
    #[error("the store has schema version {found}, this host knows up to {SCHEMA_VERSION}: update remit")]
    TooNew {
        /// Its version.
        found: i64,
    },
    /// The run has its end: nothing comes after it.
    #[error("{run} is over: nothing can be added to its record")]
    Over {
        /// The run.
        run: String,
    },
    /// What is in it is no event.
    #[error("event {sequence} of {run} is not readable")]
    Unreadable {
        /// The run.
        run: String,
        /// The event's place.
        sequence: u64,
        /// Why.
        source: serde_json::Error,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite { path: "state.db".to_owned(), source }
    }
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
        let sqlite = |source| Error::Sqlite { path: file.display().to_string(), source };
        let connection = Connection::open(&file).map_err(sqlite)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(sqlite)?;
        // The log goes on from process to process, and is folded in when it has grown: folding it in at each process's end would
        // be three more waits for the disk.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sqlite)?;
        Self::over(connection, Some(running))
    }

    /// The twin in memory: the same, gone when it is dropped.
    pub fn in_memory() -> Result<Self, Error> {
        Self::over(Connection::open_in_memory()?, None)
    }

    fn over(connection: Connection, running: Option<PathBuf>) -> Result<Self, Error> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
        // With WAL, FULL is what makes a commit survive a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > SCHEMA_VERSION {
            return Err(Error::TooNew { found });
        }
        if found < SCHEMA_VERSION {
            fail::point("schema.before-commit");
            connection.execute_batch(&format!(
                "BEGIN IMMEDIATE;
                 CREATE TABLE IF NOT EXISTS event (
                     run TEXT NOT NULL, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
                     body TEXT NOT NULL, PRIMARY KEY (run, sequence)
                 ) WITHOUT ROWID;
                 CREATE INDEX IF NOT EXISTS event_by_kind ON event (kind, run);
                 CREATE TABLE IF NOT EXISTS document (
                     collection TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL,
                     written_ms INTEGER NOT NULL, expires_ms INTEGER, value TEXT NOT NULL,
                     PRIMARY KEY (collection, key)
                 ) WITHOUT ROWID;
                 CREATE INDEX IF NOT EXISTS document_by_expiry ON document (expires_ms) WHERE expires_ms IS NOT NULL;
                 PRAGMA user_version = {SCHEMA_VERSION};
                 COMMIT;"
            ))?;
            fail::point("schema.after-commit");
        }
        Ok(Self { connection: Mutex::new(connection), running })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves no half-done transaction behind: rusqlite rolls back on drop.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn a_folder_that_somebody_else_may_fill_is_refused() {
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
