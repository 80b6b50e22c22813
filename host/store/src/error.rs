//! What can go wrong, by what whoever asked can do about it.

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

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite { path: "state.db".to_owned(), source }
    }
}
