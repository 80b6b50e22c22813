//! Who has a run: a file that its process has locked. Whoever can lock it knows that the process is dead.
//!
//! A process makes one file for all the runs that it begins, and the first event of each names it. A run that is opened again,
//! after a reboot or a crash, has a file of its own.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::RunId;

use crate::Error;

/// A file that this process has locked, and takes away when nobody needs it any more.
pub(crate) struct Held {
    path: PathBuf,
    _lock: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Left behind it costs a name in a folder: whoever looks can lock it, and knows.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The folder of these files, and what this process has of it.
pub(crate) struct Holders {
    folder: PathBuf,
    own: Mutex<Own>,
}

#[derive(Default)]
struct Own {
    /// The file for all runs that this process begins, once it has begun one.
    file: Option<(String, Held)>,
    /// Those of them whose log is open.
    begun: HashSet<RunId>,
}

impl Holders {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, own: Mutex::default() }
    }

    /// Has this process's file hold a run too; gives the file's name.
    pub(crate) fn begin(&self, run: RunId) -> Result<String, Error> {
        let mut own = self.own();
        let name = match &own.file {
            Some((name, _)) => name.clone(),
            None => self.make_own(&mut own)?,
        };
        own.begun.insert(run);
        Ok(name)
    }

    fn make_own(&self, own: &mut Own) -> Result<String, Error> {
        loop {
            // Of the form that a run's own has: one rule sweeps both.
            let name = RunId::new().to_string();
            // Somebody who sweeps may have it for a moment.
            if let Some(held) = self.try_lock(&name)? {
                own.file = Some((name.clone(), held));
                return Ok(name);
            }
        }
    }

    /// The log of a run that was begun here is closed.
    pub(crate) fn close(&self, run: RunId) {
        self.own().begun.remove(&run);
    }

    /// Whether somebody has the run whose first event names this file.
    pub(crate) fn has(&self, name: &str, run: RunId) -> Result<bool, Error> {
        {
            let own = self.own();
            if own.file.as_ref().is_some_and(|(of_this_process, _)| of_this_process == name) {
                return Ok(own.begun.contains(&run));
            }
        }
        // Where there is no file none is made: it would be one more to sweep.
        Ok(self.folder.join(name).exists() && self.try_lock(name)?.is_none())
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the file of this name; none where another process has it, or this one.
    pub(crate) fn try_lock(&self, name: &str) -> Result<Option<Held>, Error> {
        let path = self.folder.join(name);
        let io = Error::io(&path);
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(&io)?;
            match file.try_lock() {
                // Somebody may have removed the name between the two: then this file locks nothing.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => return Ok(Some(Held { path: path.clone(), _lock: file })),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
        }
    }

    /// Removes what processes left that died.
    pub(crate) fn sweep(&self) -> Result<(), Error> {
        let io = Error::io(&self.folder);
        for entry in std::fs::read_dir(&self.folder).map_err(&io)? {
            let name = entry.map_err(&io)?.file_name();
            let Some(name) = name.to_str().filter(|name| name.parse::<RunId>().is_ok()) else {
                continue;
            };
            // Dropped, it is removed. One that is left costs a name in a folder, and the next sweep tries again.
            self.try_lock(name)?;
        }
        Ok(())
    }
}

/// Whether this is the file that has this name.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (Ok(open), Ok(named)) = (file.metadata(), path.metadata()) else {
            return false;
        };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
    // Elsewhere an open file keeps its name.
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Ended, Event, Outcome};

    use crate::Store;

    use super::*;

    struct State(tempfile::TempDir);

    impl State {
        /// As another process has it: what locks files knows no processes, but who opened them.
        fn store(&self) -> Arc<Store> {
            Arc::new(Store::open(self.0.path()).unwrap())
        }

        fn files(&self) -> usize {
            std::fs::read_dir(self.0.path().join("running")).unwrap().count()
        }
    }

    fn state() -> State {
        State(tempfile::tempdir().unwrap())
    }

    fn ended() -> Vec<(u64, Event)> {
        vec![(9, Event::Ended(Box::new(Ended::by_host(Outcome::Completed, ""))))]
    }

    #[test]
    fn a_process_has_one_file_for_all_that_it_begins() {
        let state = state();
        let (store, other) = (state.store(), state.store());
        let runs: Vec<RunId> = (0..3).map(|_| RunId::new()).collect();
        let mut logs: Vec<_> = runs.iter().map(|run| store.begin(*run).unwrap()).collect();
        logs.iter_mut().for_each(|log| log.append(vec![(1, Event::Resumed)]).unwrap());
        assert!(runs.iter().all(|run| other.open_run(*run).unwrap().is_none()), "they are under way");
        assert_eq!(state.files(), 1);
        logs.iter_mut().for_each(|log| log.append(ended()).unwrap());
        assert!(runs.iter().all(|run| other.open_run(*run).unwrap().unwrap().is_over()));
        drop((logs, store));
        assert_eq!(state.files(), 0, "a process that ends takes it away");
    }

    #[test]
    fn whoever_comes_next_can_tell_that_a_process_is_dead() {
        let state = state();
        let (store, other) = (state.store(), state.store());
        let run = RunId::new();
        let mut log = store.begin(run).unwrap();
        log.append(vec![(1, Event::Started(Box::new(crate::tests::started())))]).unwrap();
        let closed = |by: &Arc<Store>| by.close_interrupted(2).unwrap();
        assert_eq!((closed(&other), closed(&store)), (vec![], vec![]), "nobody takes it for dead, itself neither");
        drop((log, store));
        assert_eq!(closed(&other), [run]);
        assert_eq!(closed(&other), []);
    }

    #[test]
    fn what_a_living_process_has_given_up_it_can_close_itself() {
        let state = state();
        let (store, other) = (state.store(), state.store());
        let run = RunId::new();
        let mut log = store.begin(run).unwrap();
        log.append(vec![(1, Event::Started(Box::new(crate::tests::started())))]).unwrap();
        drop(log);
        assert_eq!(other.close_interrupted(2).unwrap(), [], "another does not know what goes on in it");
        assert_eq!(store.close_interrupted(2).unwrap(), [run]);
    }

    #[test]
    fn one_that_waits_may_be_gone_on_with_by_another_process() {
        let state = state();
        let (store, other) = (state.store(), state.store());
        let run = RunId::new();
        let mut log = store.begin(run).unwrap();
        log.append(vec![(1, Event::Resumed)]).unwrap();
        log.append(vec![(2, Event::Suspended { until_ms: 9, boot: String::new(), findings: Vec::new() })]).unwrap();
        assert!(other.open_run(run).unwrap().is_none(), "not as long as its log is open");
        drop(log);
        let mut log = other.open_run(run).unwrap().unwrap();
        assert!(store.open_run(run).unwrap().is_none(), "and by one of them only");
        log.append(ended()).unwrap();
        assert_eq!(store.events(run).unwrap().len(), 3);
    }

    #[test]
    fn a_run_of_an_older_host_has_a_file_of_its_own() {
        let state = state();
        let (store, other) = (state.store(), state.store());
        let run = RunId::new();
        let mut log = store.open_run(run).unwrap().unwrap();
        log.append(vec![(1, Event::Resumed)]).unwrap();
        assert!(other.open_run(run).unwrap().is_none());
        drop(log);
        assert!(other.open_run(run).unwrap().is_some());
    }
}
