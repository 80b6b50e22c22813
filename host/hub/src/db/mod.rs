//! What the hub remembers, in one SQLite file. SQL is nowhere else in this crate.
//!
//! One thread writes ([`writer`]), a few connections read ([`readers`]), each kept to one scope. What belongs to a client says so in
//! its row, and is written only by whoever holds that client.

mod audit;
mod backup;
mod clients;
mod devices;
mod documents;
mod fold;
mod identities;
mod inventory;
mod kv;
mod mailboxes;
mod notifications;
mod orders;
mod page;
mod parts;
mod query;
mod reached;
mod readers;
mod results;
mod rollouts;
mod rows;
mod schema;
mod seats;
mod secrets;
mod stale;
#[cfg(test)]
pub(crate) mod tests;
mod tickets;
mod tokens;
mod writer;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::oneshot;

pub(crate) use audit::{Actor, NewEntry};
pub use audit::{Entry, Verified};
pub(crate) use backup::{RESTORED, check, copy_without_files, files_of, put_files};
pub use clients::Client;
pub use devices::{Device, State};
pub(crate) use documents::Document;
pub use documents::Listed;
pub(crate) use fold::Gap;
pub(crate) use identities::Met;
pub(crate) use inventory::{FACTS_BYTES_MAX, FACTS_MAX};
pub use inventory::{Fact, FactChange};
pub use kv::Kept as KeptKey;
pub(crate) use kv::StatedKey;
pub(crate) use notifications::Told;
pub use notifications::{Notification, NotificationState, Telling};
pub(crate) use orders::NewOrder;
pub use orders::{Order, RingState};
pub use page::{Page, Paged};
pub(crate) use parts::NewPart;
#[cfg(test)]
pub(crate) use parts::PARTS_BYTES_MAX;
pub(crate) use query::{AT_ONCE_MAX as QUERIES_AT_ONCE_MAX, Answer, Queries};
pub(crate) use readers::{READ_MS_MAX, READERS_MAX, Readers, View};
pub use results::{Counted, ResultRow};
pub(crate) use results::{Kept, LoggedRow, NewMessage, NewResult};
pub(crate) use rollouts::{Began, NewRollout, NewSeat};
pub use rollouts::{RingStands, Rollout, RolloutRing, RolloutState};
pub(crate) use seats::Seated;
pub use secrets::Secret;
pub(crate) use secrets::{NewSecret, WhichSecrets};
pub(crate) use stale::{Stale, Whose};
pub(crate) use tickets::{Stated, StatedNote, Which as WhichTickets};
pub use tickets::{Ticket, TicketNote, TicketState};
pub(crate) use tokens::NewToken;
pub use tokens::Token;
pub(crate) use writer::Change;
use writer::Writer;

use crate::{Error, Scope};

/// The file's name in the hub's folder.
pub(crate) const FILE: &str = "hub.db";

/// The log is folded in when it has so many pages of 4 KiB: what 10,000 devices answer at once fills it some times. A page that was
/// written often meanwhile is folded in once.
const WAL_PAGES_MAX: u32 = 16_384;

/// What the writer keeps of the file: ten thousand devices that all answer touch some 10 MiB of it. A reader forgets what it has with
/// each commit, and keeps little.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// More statements than a connection ever has.
const STATEMENTS_MAX: usize = 256;

/// The file, open.
pub(crate) struct Db {
    file: PathBuf,
    writer: Writer,
    readers: Readers,
    /// For what technicians ask in words of their own.
    pub(crate) queries: Queries,
}

impl Db {
    /// Opens the file in a folder, and makes it where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let file = folder.join(FILE);
        let mut connection = connect(&file)?;
        schema::bring_up(&mut connection)?;
        Ok(Self {
            writer: Writer::start(connection)?,
            readers: Readers::open(&file)?,
            queries: Queries::open(&file)?,
            file,
        })
    }

    /// Has something written, all or nothing, together with what others want at the same time. Durable when the answer comes.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        work: impl FnMut(&Change<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, Error>>, Error> {
        self.writer.ask(work)
    }

    /// The same, and waits.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Change<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(work)?.await.unwrap_or(Err(Error::Lost))
    }

    /// The same, for whoever may block.
    pub(crate) fn write_now<T: Send + 'static>(
        &self,
        work: impl FnMut(&Change<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(work)?.blocking_recv().unwrap_or(Err(Error::Lost))
    }

    /// Reads what a scope shows. It blocks.
    pub(crate) fn read<T>(&self, scope: &Scope, read: impl FnOnce(&View<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.readers.read(scope, Some(READ_MS_MAX), read)
    }

    /// The same where nobody has to be waited for; else whoever wanted to read has that back.
    pub(crate) fn try_read<T, R: FnOnce(&View<'_>) -> Result<T, Error>>(
        &self,
        scope: &Scope,
        read: R,
    ) -> Result<Result<T, Error>, R> {
        self.readers.try_read(scope, Some(READ_MS_MAX), read)
    }

    /// The same, however long it takes: for whoever owns the hub.
    pub(crate) fn read_long<T>(
        &self,
        scope: &Scope,
        read: impl FnOnce(&View<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.readers.read(scope, None, read)
    }
}

/// A connection that may write.
fn connect(file: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    // With WAL, FULL is what makes a commit survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten: a client that left is not in the pages that are free.
    connection.pragma_update(None, "secure_delete", true)?;
    // What a statement or a savepoint may take back is no file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Below zero it is KiB, and no number of pages.
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    tune(&connection)?;
    Ok(connection)
}

/// Each statement is compiled once. With sixteen kept one pushed the other out, and one that joins tables was compiled anew for each
/// value that was bound, as another plan might be better for that: it took more of the hub's time than what was asked.
fn tune(connection: &Connection) -> Result<(), Error> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// The place of a ring as people and programs read it: from 1 on. What is signed, and the file, count from 0 on.
fn as_people_count<S: serde::Serializer>(ring: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(ring.saturating_add(1))
}

/// Milliseconds as the file keeps them.
fn ms(at_ms: u64) -> i64 {
    i64::try_from(at_ms).unwrap_or(i64::MAX)
}

/// A number that was kept, and was not negative then.
fn count(kept: i64) -> u64 {
    u64::try_from(kept).unwrap_or_default()
}
