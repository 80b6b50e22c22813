//! The whole file at one moment, while others go on writing; and whether it is as it must be.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{Change, Db, Whose, connect, schema};
use crate::Error;

/// The setting in which a hub that came out of a backup has which restore that was.
pub(crate) const RESTORED: &str = "restored";

impl Db {
    /// Writes what is committed into a new file. It reads one state, and whoever writes meanwhile waits for nothing. `VACUUM INTO`
    /// rather than SQLite's backup: that begins anew whenever something is written, and under load would never end.
    pub(crate) fn copy_into(&self, to: &Path) -> Result<(), Error> {
        let connection = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.execute("VACUUM INTO ?1", params![to.to_string_lossy()])?;
        last(to)
    }

    /// Has the file hold nothing that was deleted, and folds the log in.
    pub(crate) fn vacuum(&self) -> Result<(), Error> {
        let connection = connect(&self.file)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.execute_batch("VACUUM")?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// What is wrong with a file; nothing where it is whole and this hub knows its version.
pub(crate) fn check(file: &Path) -> Result<(), Error> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let said: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        return Err(Error::Corrupt { why: said });
    }
    match schema::version(&connection)? {
        found if found > schema::SCHEMA_VERSION => Err(Error::TooNew { found, known: schema::SCHEMA_VERSION }),
        _ => Ok(()),
    }
}

/// Puts files into a copy of the database: they are of the same moment, and travel with it.
pub(crate) fn put_files(copy: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), Error> {
    let mut connection = Connection::open(copy)?;
    let transaction = connection.transaction()?;
    for (name, bytes) in files {
        let text = "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        transaction.execute(text, params![name, String::from_utf8_lossy(bytes)])?;
    }
    transaction.commit()?;
    drop(connection);
    last(copy)
}

/// Has the disk know it.
fn last(file: &Path) -> Result<(), Error> {
    let done = std::fs::OpenOptions::new().read(true).write(true).open(file).and_then(|it| it.sync_all());
    done.map_err(Error::io(file))
}

/// The files of a copy, in order.
pub(crate) fn files_of(copy: &Path, names: &[&'static str]) -> Result<Vec<Vec<u8>>, Error> {
    let connection = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let file = |name: &&'static str| {
        let text = "SELECT value FROM setting WHERE name = ?1";
        let found = connection.query_row(text, params![name], |row| row.get::<_, String>(0)).optional()?;
        found.map(String::into_bytes).ok_or(Error::Missing { what: "authority or configuration in the backup" })
    };
    names.iter().map(file).collect()
}

/// The database of a copy, without its files, as one file. What devices told since it was made, it has not: their mailboxes say
/// so, with a word that no restore had before.
pub(crate) fn copy_without_files(copy: &Path, to: &Path, names: &[&str], restored: &str) -> Result<(), Error> {
    let connection = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute("VACUUM INTO ?1", params![to.to_string_lossy()])?;
    let connection = connect(to)?;
    for name in names {
        connection.execute("DELETE FROM setting WHERE name = ?1", params![name])?;
    }
    let change = Change(&connection);
    change.set(RESTORED, restored)?;
    change.stale(Whose::All)?;
    connection.execute_batch("VACUUM")?;
    // Nothing of it lies in a log beside it, which would not be renamed with it.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(connection);
    last(to)
}

impl Change<'_> {
    /// Whether the database can be written to.
    pub(crate) fn ping(&self) -> Result<(), Error> {
        self.set("ping", "")
    }

    /// What the hub keeps of itself.
    pub(crate) fn setting(&self, name: &str) -> Result<Option<String>, Error> {
        let text = "SELECT value FROM setting WHERE name = ?1";
        Ok(self.0.query_row(text, params![name], |row| row.get(0)).optional()?)
    }

    /// Keeps it.
    pub(crate) fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        let text = "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.0.execute(text, params![name, value])?;
        Ok(())
    }
}
