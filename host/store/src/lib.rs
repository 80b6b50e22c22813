//! What a device remembers: the events of its runs ([`Store::begin`]), documents ([`Store::put`]), and what was decided about its
//! standing orders ([`Store::decide`]), in one SQLite file.
//!
//! In go events, out come records; what is acknowledged survives a power cut. It decides nothing: who may run, and what a
//! document means, is for others. The twin in memory is SQLite's own.

mod aside;
mod commit;
mod connections;
mod decisions;
mod documents;
mod error;
mod holder;
mod log;
mod purge;
mod reserve;
mod runs;
mod schema;
mod spool;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::Connection;

use commit::Queue;
use connections::{Disk, Generation, Writer};
pub use decisions::{Decided, Decision};
pub use documents::{Document, Expected, NotWritten, Value, Write};
pub use durable::{fail, whole};
pub use error::Error;
use holder::Holders;
pub use log::{Make, Rework, RunLog};
pub use purge::PURGED_MAX;
pub use runs::Summary;
pub use schema::SCHEMA_VERSION;
pub use spool::{Limits, Purged};

/// The file, open.
pub struct Store {
    writer: Mutex<Writer>,
    /// Made for the first reader who would have had to wait for a commit.
    reader: Mutex<Option<Connection>>,
    generation: Generation,
    queue: Queue,
    /// None in memory.
    disk: Option<Disk>,
}

impl Store {
    /// Opens the store in a folder, which only its owner may enter, and makes both where there are none. A file that is damaged is
    /// set aside, and a new one made: see [`Store::set_aside`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let running = folder.join("running");
        make_private_folder(folder).map_err(Error::io(folder))?;
        make_private_folder(&running).map_err(Error::io(&running))?;
        let store = Self::over(Writer::default(), Some(Disk::new(folder, running)));
        store.start()?;
        Ok(store)
    }

    /// The twin in memory: the same, gone when it is dropped.
    pub fn in_memory() -> Result<Self, Error> {
        let mut connection = Connection::open_in_memory()?;
        schema::bring_up(&mut connection)?;
        Ok(Self::over(Writer::over(connection), None))
    }

    fn over(writer: Writer, disk: Option<Disk>) -> Self {
        Self {
            writer: Mutex::new(writer),
            reader: Mutex::new(None),
            generation: Generation::default(),
            queue: Queue::default(),
            disk,
        }
    }

    /// What was damaged and is set aside since the store was opened, in that order: what it held is not known any more.
    pub fn set_aside(&self) -> Vec<PathBuf> {
        self.disk.as_ref().map(|disk| disk.set_aside().clone()).unwrap_or_default()
    }

    /// Reads the whole file, and says whether it is as it must be. Damage shows where it is read, which may be late: whoever runs
    /// for years looks when it starts.
    pub fn check(&self) -> Result<(), Error> {
        self.read(|connection| {
            let said: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            match said.as_str() {
                "ok" => Ok(()),
                _ => Err(Error::Corrupt { aside: None, why: said }),
            }
        })
    }

    fn holders(&self) -> Option<&Holders> {
        self.disk.as_ref().map(|disk| &disk.holders)
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
