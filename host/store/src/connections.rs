//! The connections to the file, and what becomes of them when the disk is full, or the file damaged.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use crate::holder::Holders;
use crate::reserve::{Reserve, space};
use crate::{Error, Store, aside, schema};

/// How long one process waits for another that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The log is folded into the file when it has so many pages of 4 KiB: once in some twenty runs. The next process reads what is
/// left of it, which takes well under a millisecond.
const WAL_PAGES_MAX: u32 = 256;

/// With less free than this, what SQLite calls a fault of the disk is a full one.
const FREE_MIN: u64 = 64 << 10;

/// Where the store is.
pub(crate) struct Disk {
    pub(crate) holders: Holders,
    file: PathBuf,
    reserve: Reserve,
    set_aside: Mutex<Vec<PathBuf>>,
}

/// The one connection that writes; and the one that reads, as long as nobody writes at the same time.
#[derive(Default)]
pub(crate) struct Writer {
    connection: Option<Connection>,
    /// Which file it has open: somebody may have set that one aside.
    identity: Option<Identity>,
}

/// A file, whatever its name is by now.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

/// How often the file was replaced. What was begun in one does not go on in another.
#[derive(Default)]
pub(crate) struct Generation(AtomicU64);

impl Generation {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Disk {
    pub(crate) fn new(folder: &Path, running: PathBuf) -> Self {
        Self {
            holders: Holders::new(running),
            file: folder.join("state.db"),
            reserve: Reserve::new(folder),
            set_aside: Mutex::default(),
        }
    }

    /// What was damaged and is set aside.
    pub(crate) fn set_aside(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.set_aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self) -> Result<Connection, Error> {
        let connection = Connection::open(&self.file)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // The log goes on from process to process, and is folded in when it has grown: folding it in at each process's end would
        // be three more waits for the disk.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
        // A statement is planned once, and not for each value that it is given: here all are found by their keys.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // With WAL, FULL is what makes a commit survive a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(connection)
    }

    fn identity(&self) -> Option<Identity> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            self.file.metadata().ok().map(|found| Identity(found.dev(), found.ino()))
        }
        // Elsewhere an open file keeps its name.
        #[cfg(not(unix))]
        None
    }

    /// The same, by what the disk says of itself.
    fn told(&self, error: Error) -> Error {
        let Error::Sqlite { path: _, source } = error else {
            return error;
        };
        let is_of_disk = matches!(source.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen));
        match is_of_disk {
            true if space::is_read_only(&self.file) => Error::ReadOnly { source: source.into() },
            true if space::free(&self.file).is_some_and(|free| free < FREE_MIN) => {
                Error::Full { source: source.into() }
            }
            _ => Error::Sqlite { path: self.file.display().to_string(), source },
        }
    }
}

impl Writer {
    /// In memory.
    pub(crate) fn over(connection: Connection) -> Self {
        Self { connection: Some(connection), identity: None }
    }

    fn open(&mut self, disk: Option<&Disk>) -> Result<&mut Connection, Error> {
        if let (None, Some(disk)) = (&self.connection, disk) {
            disk.set_aside().extend(aside::look_at_log(&disk.file));
            // Where it is damaged already, it is known which file that was.
            self.identity = disk.identity();
            let mut connection = disk.connect()?;
            self.identity = disk.identity();
            schema::bring_up(&mut connection)?;
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or(Error::Lost)
    }
}

impl Store {
    /// Opens the file, so that whoever asks hears now what is wrong with it. What is damaged is replaced.
    pub(crate) fn start(&self) -> Result<(), Error> {
        let mut writer = self.writer();
        let open = |_: &mut Connection| Ok(());
        match self.change(&mut writer, open) {
            Err(Error::Corrupt { .. }) => self.change(&mut writer, open),
            other => other,
        }
    }

    /// Changes something, in a transaction of its own; more than once where that helps. Durable when it returns.
    ///
    /// Where the disk is full the reserve is given away for it. A file that is damaged is set aside, and the next one who asks has a
    /// new one.
    pub(crate) fn change<T>(
        &self,
        writer: &mut Writer,
        change: impl Fn(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(disk) = &self.disk else {
            return change(writer.open(None)?);
        };
        let attempt = |writer: &mut Writer| {
            let done = writer.open(Some(disk)).and_then(&change);
            done.map_err(|error| disk.told(error))
        };
        let mut done = attempt(writer);
        if matches!(done, Err(Error::Full { .. })) && disk.reserve.release() {
            done = attempt(writer);
        }
        match done {
            // What was committed to a file that somebody has set aside is not in the one that everybody reads.
            Ok(_) if writer.identity != disk.identity() => {
                Err(self.start_over(writer, disk, "another process set it aside"))
            }
            Err(Error::Corrupt { why, .. }) => Err(self.start_over(writer, disk, &why)),
            Ok(done) => {
                disk.reserve.renew();
                Ok(done)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the reserve away where that may help, and says whether to try again.
    pub(crate) fn makes_room(&self, error: &Error) -> bool {
        matches!(error, Error::Full { .. }) && self.disk.as_ref().is_some_and(|disk| disk.reserve.release())
    }

    fn start_over(&self, writer: &mut Writer, disk: &Disk, why: &str) -> Error {
        let identity = writer.identity;
        writer.connection = None;
        *self.reader() = None;
        self.generation.0.fetch_add(1, Ordering::AcqRel);
        match aside::set_aside(&disk.file, || disk.identity() == identity) {
            Ok(aside) => {
                disk.set_aside().extend(aside.clone());
                Error::Corrupt { aside, why: why.to_owned() }
            }
            Err(error) => error,
        }
    }

    /// Reads what is committed. Whoever reads waits for no commit, but for the folding in of the log.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let Some(disk) = &self.disk else {
            return read(self.writer().open(None)?);
        };
        let generation = self.generation.now();
        match self.try_read(disk, read).map_err(|error| disk.told(error)) {
            Err(Error::Corrupt { why, .. }) => {
                let mut writer = self.writer();
                // One who found the same has replaced it.
                match self.generation.now() == generation {
                    true => Err(self.start_over(&mut writer, disk, &why)),
                    false => Err(Error::Corrupt { aside: disk.set_aside().last().cloned(), why }),
                }
            }
            other => other,
        }
    }

    fn try_read<T>(&self, disk: &Disk, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut reader = self.reader();
        if reader.is_none() {
            let writer = match self.writer.try_lock() {
                Ok(writer) => Some(writer),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if let Some(mut writer) = writer {
                drop(reader);
                return read(writer.open(Some(disk))?);
            }
            *reader = Some(disk.connect()?);
        }
        reader.as_ref().map_or(Err(Error::Lost), read)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic elsewhere leaves no half-done transaction behind: rusqlite rolls back on drop.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Option<Connection>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl std::ops::Deref for Writer {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().unwrap()
    }
}
