//! Space that is kept for when there is none: the run that frees a full disk is recorded too.
//!
//! A file beside the store takes it. When a write meets a full disk the file goes, and the store's log gets hold of most of what it
//! took before others can. Once there is space again, the file is made again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A hundred runs' records and the shared memory of SQLite, which a process needs to open the store at all.
const BYTES: u64 = 4 << 20;

/// What of it the log gets at once. The rest is for what grows beside it.
const OF_LOG: u64 = 3 << 20;

/// It is taken where so much is free: it is there for a full disk, and is not to fill one.
const FREE_MIN: u64 = 8 * BYTES;

/// The file, and whether it was given away.
pub(crate) struct Reserve {
    file: PathBuf,
    log: PathBuf,
    is_spent: AtomicBool,
}

impl Reserve {
    /// Of the store in this folder. It is taken, where it is not there and there is space.
    pub(crate) fn new(folder: &Path) -> Self {
        let (file, log) = (folder.join("state.reserve"), folder.join("state.db-wal"));
        let reserve = Self { file, log, is_spent: AtomicBool::new(true) };
        reserve.renew();
        reserve
    }

    /// Gives it away; says whether there was any.
    pub(crate) fn release(&self) -> bool {
        self.is_spent.store(true, Ordering::Relaxed);
        if std::fs::remove_file(&self.file).is_err() {
            return false;
        }
        // What cannot be got hold of so is still there for whoever is first.
        if let Ok(log) = File::options().write(true).open(&self.log)
            && let Ok(found) = log.metadata()
        {
            let _ = space::hold(&log, found.len() + OF_LOG, true);
        }
        true
    }

    /// Takes it again, where it was given away and there is space.
    pub(crate) fn renew(&self) {
        if self.is_spent.load(Ordering::Relaxed) && (self.is_whole() || self.take()) {
            self.is_spent.store(false, Ordering::Relaxed);
        }
    }

    fn is_whole(&self) -> bool {
        self.file.metadata().is_ok_and(|found| found.len() == BYTES)
    }

    fn take(&self) -> bool {
        if space::free(&self.file).is_none_or(|free| free < FREE_MIN) {
            return false;
        }
        let taken = File::options().create(true).truncate(true).write(true).open(&self.file);
        let is_taken = taken.is_ok_and(|file| space::hold(&file, BYTES, false).is_ok());
        if !is_taken {
            // Part of it would be of no use.
            let _ = std::fs::remove_file(&self.file);
        }
        is_taken
    }
}

/// What a disk has.
pub(crate) mod space {
    use std::fs::File;
    use std::path::Path;

    /// How much is free where this is; none where nobody knows.
    #[cfg(unix)]
    pub(crate) fn free(at: &Path) -> Option<u64> {
        let found = rustix::fs::statvfs(at.parent()?).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Whether nothing can be written where this is.
    #[cfg(unix)]
    pub(crate) fn is_read_only(at: &Path) -> bool {
        let found = at.parent().and_then(|folder| rustix::fs::statvfs(folder).ok());
        found.is_some_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    /// Has the file take so much, at its end beyond what is in it where `beyond`.
    #[cfg(target_os = "linux")]
    pub(crate) fn hold(file: &File, bytes: u64, beyond: bool) -> std::io::Result<()> {
        use rustix::fs::FallocateFlags;
        let flags = if beyond { FallocateFlags::KEEP_SIZE } else { FallocateFlags::empty() };
        Ok(rustix::fs::fallocate(file, flags, 0, bytes)?)
    }

    #[cfg(not(unix))]
    pub(crate) fn free(_: &Path) -> Option<u64> {
        None
    }

    #[cfg(not(unix))]
    pub(crate) fn is_read_only(_: &Path) -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn hold(_: &File, _: u64, _: bool) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}
