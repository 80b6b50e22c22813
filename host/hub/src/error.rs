//! What can go wrong, by what whoever asked can do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use trust::Refusal;

/// Why the hub could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said so.
    #[error("the hub's database")]
    Sqlite(#[source] rusqlite::Error),
    /// The file system said so.
    #[error("{}", .0.display())]
    Io(PathBuf, #[source] std::io::Error),
    /// A newer hub wrote it.
    #[error("the database has schema version {found}, this hub knows up to {known}: update remit")]
    TooNew {
        /// Its version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// It cannot be read. Nothing is put in its place: a hub that forgot its fleet in silence would be worse than one that stands.
    #[error("the database is damaged ({why}): `remit hub restore` puts a backup in its place")]
    Corrupt {
        /// How this shows.
        why: String,
    },
    /// The disk is full.
    #[error("the disk of the hub is full")]
    Full,
    /// More wants to be done than is done: whoever asked comes back later.
    #[error("the hub has more to do than it can: try again in {after_s} s")]
    Busy {
        /// In so many seconds.
        after_s: u64,
    },
    /// A query took longer than one may.
    #[error("the query took longer than {limit_ms} ms")]
    TooSlow {
        /// So long it may take.
        limit_ms: u64,
    },
    /// The thread that writes is gone.
    #[error("the thread that writes to the database died")]
    Lost,
    /// It is not there, or not for whoever asks: which of both is not said.
    #[error("there is no such {what}")]
    Missing {
        /// What was asked for.
        what: &'static str,
    },
    /// It is there already, or was changed meanwhile.
    #[error("{0}")]
    Conflict(String),
    /// Whoever asks may not.
    #[error("{0}")]
    Denied(String),
    /// What was sent is not right: all that is wrong with it.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    /// What was signed does not hold: every reason.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// A certificate or its key could not be made or read.
    #[error("the certificate {path}: {why}")]
    Certificate {
        /// Its file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// What was kept cannot be read any more.
    #[error("what the database says of {what} is not readable: {why}")]
    Unreadable {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
}

impl Error {
    /// What the file system said of this path.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io(path.clone(), source)
    }

    /// Something kept that does not read as what it was kept as.
    pub(crate) fn unreadable(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |why| Self::Unreadable { what, why: why.to_string() }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            // A technician's query took what there is (`db::query`), and is over in a moment.
            Some(ErrorCode::OutOfMemory) => Self::Busy { after_s: 1 },
            Some(ErrorCode::OperationInterrupted) => Self::TooSlow { limit_ms: crate::db::READ_MS_MAX },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { why: source.to_string() },
            _ => Self::Sqlite(source),
        }
    }
}

impl From<Vec<Refusal>> for Error {
    fn from(refusals: Vec<Refusal>) -> Self {
        Self::Refused(refusals)
    }
}
