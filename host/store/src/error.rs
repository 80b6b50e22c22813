//! What can go wrong, by what whoever asked can do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::SCHEMA_VERSION;

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
    /// The disk is full, the reserve given away.
    #[error("the disk of the store is full")]
    Full {
        /// What said so.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing can be written where the store is.
    #[error("the disk of the store, or its file, is read-only")]
    ReadOnly {
        /// What said so.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file was damaged; whoever asks again has a new one.
    #[error("the store was damaged ({why}){}", where_it_is(aside.as_deref()))]
    Corrupt {
        /// Where it is now; none where another process has moved it.
        aside: Option<PathBuf>,
        /// How this shows.
        why: String,
    },
    /// The run began in a file that was damaged and set aside.
    #[error("what {run} began in was damaged and is set aside: nothing can be added to its record")]
    Elsewhere {
        /// The run.
        run: String,
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
    /// The run has a record, and was to begin.
    #[error("{run} has a record already: a run begins once")]
    NotNew {
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
    /// The event has no form in which it could be kept, such as a path that is no text.
    #[error("event {sequence} of {run} cannot be written")]
    Unwritable {
        /// The run.
        run: String,
        /// The event's place.
        sequence: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// A thread died while it wrote for others too: nobody knows whether it was done.
    #[error("the thread that wrote to the store died")]
    Lost,
}

impl Error {
    /// What the file system said of this path.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let path = path.display().to_string();
        move |source| match source.kind() {
            StorageFull | QuotaExceeded => Self::Full { source: source.into() },
            ReadOnlyFilesystem => Self::ReadOnly { source: source.into() },
            _ => Self::Io { path: path.clone(), source },
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { source: source.into() },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { source: source.into() },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { aside: None, why: source.to_string() }
            }
            _ => Self::Sqlite { path: "state.db".to_owned(), source },
        }
    }
}

fn where_it_is(aside: Option<&Path>) -> String {
    aside.map_or_else(String::new, |aside| {
        format!(": it is set aside as {}, and a new one is in its place", aside.display())
    })
}
