//! What was read of folders, kept for as long as nothing is put there, replaced or removed: an agent runs the same plugin a thousand
//! times, by the same documents.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nobody can tell whether more came in the same tick of a file system's clock. The coarsest, that of FAT, ticks every two seconds.
const TICK: Duration = Duration::from_secs(2);

/// When each folder last had something put there, replaced or removed; nothing, where it is not there. Files in it are replaced
/// whole, so this tells of all that is done to them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp(Vec<Option<SystemTime>>);

impl Stamp {
    fn of(folders: &[PathBuf]) -> Self {
        let modified = |folder: &PathBuf| folder.metadata().and_then(|about| about.modified()).ok();
        Self(folders.iter().map(modified).collect())
    }

    /// Whether what comes from now on gives another one.
    fn is_past(&self, now: SystemTime) -> bool {
        self.0.iter().flatten().all(|&it| it + TICK < now)
    }
}

/// What was read, if anything is kept.
#[derive(Debug)]
pub(crate) struct Unchanged<T>(Mutex<Option<(Stamp, T)>>);

impl<T> Default for Unchanged<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Unchanged<T> {
    /// What is kept, if the folders are as they were and it is still good; else it is read.
    pub(crate) fn read<E>(
        &self,
        folders: &[PathBuf],
        now_ms: u64,
        is_good: impl Fn(&T) -> bool,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        // Before anything is read: what changes meanwhile is read again the next time.
        let stamp = Stamp::of(folders);
        if let Some((_, it)) = self.kept().as_ref().filter(|(kept, it)| *kept == stamp && is_good(it)) {
            return Ok(it.clone());
        }
        let it = read()?;
        let is_past = stamp.is_past(UNIX_EPOCH + Duration::from_millis(now_ms));
        *self.kept() = is_past.then(|| (stamp, it.clone()));
        Ok(it)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(Stamp, T)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::{self, File};

    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn now_ms() -> u64 {
        u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
    }

    /// Whether it was read, or kept.
    fn is_read(unchanged: &Unchanged<u32>, folders: &[PathBuf], now_ms: u64) -> bool {
        let is_read = Cell::new(false);
        let it = unchanged.read(
            folders,
            now_ms,
            |_| true,
            || {
                is_read.set(true);
                Ok::<_, ()>(7)
            },
        );
        assert_eq!(it, Ok(7));
        is_read.get()
    }

    #[test]
    fn it_is_read_again_after_each_change_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::create_dir(&one).unwrap();
        fs::write(one.join("a"), "a").unwrap();
        let folders = [one.clone(), two.clone()];
        let (unchanged, later) = (Unchanged::default(), now_ms() + HOUR_MS);
        let changed = |change: &dyn Fn()| {
            assert!(!is_read(&unchanged, &folders, later), "the control");
            // The clock of the file system ticks.
            std::thread::sleep(Duration::from_millis(20));
            change();
            is_read(&unchanged, &folders, later)
        };
        assert!(is_read(&unchanged, &folders, later), "nothing was kept");
        assert!(changed(&|| fs::write(one.join("b"), "b").unwrap()), "put there");
        assert!(changed(&|| fs::rename(one.join("b"), one.join("a")).unwrap()), "replaced");
        assert!(changed(&|| fs::remove_file(one.join("a")).unwrap()), "removed");
        assert!(changed(&|| fs::create_dir(&two).unwrap()), "a folder that was not there");
        assert!(changed(&|| fs::remove_dir(&two).unwrap()), "a folder that is gone");
        assert!(changed(&|| File::open(&one).unwrap().set_modified(UNIX_EPOCH).unwrap()), "set back");
    }

    #[test]
    fn what_may_change_within_the_same_tick_is_not_kept_and_what_is_no_longer_good_neither() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        let unchanged = Unchanged::default();
        for now_ms in [now_ms(), now_ms().saturating_sub(HOUR_MS)] {
            assert!(is_read(&unchanged, &folders, now_ms));
            assert!(is_read(&unchanged, &folders, now_ms), "it was only just written");
        }
        let later = now_ms() + HOUR_MS;
        assert!(is_read(&unchanged, &folders, later));
        assert!(!is_read(&unchanged, &folders, later), "the control");
        assert_eq!(unchanged.read(&folders, later, |_| false, || Ok::<_, ()>(8)), Ok(8));
        assert_eq!(unchanged.read(&folders, later, |_| true, || Err(())), Ok(8));
    }
}
