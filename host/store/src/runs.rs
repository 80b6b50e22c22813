//! Runs: their events in order, and who of them is still alive.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Ended, Event, Outcome, Recorded, RunId, Started};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;

use crate::documents::{Expected, Value, replace_in};
use crate::{Error, Store, fail};

/// A run that is under way: what it appends is durable when `append` returns.
pub struct RunLog {
    store: Arc<Store>,
    run: RunId,
    next: u64,
    is_over: bool,
    /// Held while the process lives: whoever can lock it knows that the run is dead.
    lock: Option<(PathBuf, File)>,
}

/// A document that is worked out anew from what it holds, in the transaction that it is written in: nobody comes in between.
pub struct Rework<E> {
    /// The collection.
    pub collection: &'static str,
    /// The key.
    pub key: &'static str,
    /// When.
    pub now_ms: u64,
    /// What it will hold, by what it holds; an error writes nothing at all. It may be asked more than once.
    pub make: Make<E>,
}

/// Works a document out.
pub type Make<E> = Box<dyn Fn(Option<&str>) -> Result<String, E> + Send + Sync>;

/// The runs of which the last that was heard is that they wait. (SQLite takes a bare column from the row of the maximum.)
const SUSPENDED: &str = "SELECT run FROM (
    SELECT run, kind, max(sequence) FROM event WHERE kind IN ('suspended', 'resumed', 'ended') GROUP BY run
) WHERE kind = 'suspended'";

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The run.
    pub run: RunId,
    /// When it began.
    pub started_ms: u64,
    /// How it began.
    pub started: Started,
    /// How it ended; none while it is under way or where the host died.
    pub ended: Option<Ended>,
}

impl Store {
    /// Opens the log of a run, new or suspended, for this process alone; none where another process has it.
    pub fn open_run(self: &Arc<Self>, run: RunId) -> Result<Option<RunLog>, Error> {
        let Some(lock) = self.try_lock(run)? else { return Ok(None) };
        let events = self.events(run)?;
        let next = events.last().map_or(0, |last| last.sequence + 1);
        let is_over = events.iter().any(|recorded| matches!(recorded.event, Event::Ended(_)));
        Ok(Some(RunLog { store: Arc::clone(self), run, next, is_over, lock }))
    }

    /// A run's events, in order.
    pub fn events(&self, run: RunId) -> Result<Vec<Recorded>, Error> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT sequence, at_ms, body FROM event WHERE run = ?1 ORDER BY sequence")?;
        let mut rows = statement.query(params![run.to_string()])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            let sequence = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
            let at_ms = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            let body: String = row.get(2)?;
            let event = serde_json::from_str(&body).map_err(|source| Error::Unreadable {
                run: run.to_string(),
                sequence,
                source,
            })?;
            events.push(Recorded { run, sequence, at_ms, event });
        }
        Ok(events)
    }

    /// The latest runs, latest first.
    pub fn runs(&self, limit: u32) -> Result<Vec<Summary>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT s.run, s.at_ms, s.body,
                 (SELECT e.body FROM event e WHERE e.run = s.run AND e.kind = 'ended' ORDER BY e.sequence DESC LIMIT 1)
             FROM event s WHERE s.kind = 'started' ORDER BY s.run DESC LIMIT ?1",
        )?;
        let mut rows = statement.query(params![limit])?;
        let mut summaries = Vec::new();
        while let Some(row) = rows.next()? {
            let run: String = row.get(0)?;
            let unreadable = |source| Error::Unreadable { run: run.clone(), sequence: 0, source };
            let started: Event = serde_json::from_str(&row.get::<_, String>(2)?).map_err(unreadable)?;
            let ended: Option<Event> = row
                .get::<_, Option<String>>(3)?
                .map(|body| serde_json::from_str(&body))
                .transpose()
                .map_err(unreadable)?;
            let (Ok(run), Event::Started(started)) = (run.parse(), started) else { continue };
            let ended = match ended {
                Some(Event::Ended(ended)) => Some(*ended),
                _ => None,
            };
            let started_ms = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            summaries.push(Summary { run, started_ms, started: *started, ended });
        }
        Ok(summaries)
    }

    /// The runs that wait for a reboot: their host is gone, and they are not over.
    pub fn suspended(&self) -> Result<Vec<RunId>, Error> {
        self.ids(SUSPENDED)
    }

    /// Ends every run that began, did not end, does not wait for a reboot, and whose process is gone, as `interrupted`. Gives
    /// those runs.
    pub fn close_interrupted(self: &Arc<Self>, now_ms: u64) -> Result<Vec<RunId>, Error> {
        let open = self.ids(&format!(
            "SELECT run FROM event WHERE kind = 'started'
             EXCEPT SELECT run FROM event WHERE kind = 'ended'
             EXCEPT {SUSPENDED}"
        ))?;
        let mut closed = Vec::new();
        for run in open {
            let Some(mut log) = self.open_run(run)? else { continue };
            // It ended by itself between the look and the lock.
            if log.is_over() {
                continue;
            }
            let ended = Ended::by_host(Outcome::Interrupted, "the host died during the run");
            log.append(vec![(now_ms, Event::Ended(Box::new(ended)))])?;
            closed.push(run);
        }
        self.sweep_locks()?;
        Ok(closed)
    }

    fn ids(&self, query: &str) -> Result<Vec<RunId>, Error> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(query)?;
        let ids: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(ids.iter().filter_map(|run| run.parse().ok()).collect())
    }

    /// Removes what processes left that died before their run began or after it ended.
    fn sweep_locks(&self) -> Result<(), Error> {
        let Some(folder) = &self.running else { return Ok(()) };
        let io = |source| Error::Io { path: folder.display().to_string(), source };
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let Some(run) = name.to_str().and_then(|name| name.parse::<RunId>().ok()) else { continue };
            if let Some(Some((path, _held))) = self.try_lock(run)? {
                // One that is left costs a name in a folder, and the next sweep tries again.
                let _ = std::fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// The lock of a run: `Some(None)` in memory, where no other process can be, `None` where another process holds it.
    #[expect(clippy::option_option, reason = "not lockable, locked, and nothing to lock are three things")]
    fn try_lock(&self, run: RunId) -> Result<Option<Option<(PathBuf, File)>>, Error> {
        let Some(folder) = &self.running else { return Ok(Some(None)) };
        let path = folder.join(run.to_string());
        let io = |source| Error::Io { path: path.display().to_string(), source };
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
            match file.try_lock() {
                // Somebody may have removed the name between the two: then this file locks nothing.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => return Ok(Some(Some((path, file)))),
                Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
                Err(std::fs::TryLockError::Error(source)) => return Err(io(source)),
            }
        }
    }
}

/// Whether this is the file that has this name.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (Ok(open), Ok(named)) = (file.metadata(), path.metadata()) else { return false };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
    // Elsewhere an open file keeps its name.
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

impl RunLog {
    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Whether it has its end.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Appends events, all or none, and nothing after the end. Durable when it returns.
    pub fn append(&mut self, events: Vec<(u64, Event)>) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        let mut connection = store.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let next = self.insert(&transaction, &events)?;
        self.commit(transaction, next, &events)
    }

    /// The same, and works a document out anew: both together, or neither. An inner error is that of whoever works it out.
    pub fn append_reworking<E>(
        &mut self,
        events: &[(u64, Event)],
        document: &Rework<E>,
    ) -> Result<Result<(), E>, Error> {
        let store = Arc::clone(&self.store);
        let mut connection = store.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Rework { collection, key, now_ms, make } = document;
        let kept: Option<String> = transaction
            .prepare_cached("SELECT value FROM document WHERE collection = ?1 AND key = ?2 AND value != ''")?
            .query_row(params![collection, key], |row| row.get(0))
            .optional()?;
        let value = match make(kept.as_deref()) {
            Ok(value) => Value::Is(value),
            Err(error) => return Ok(Err(error)),
        };
        let next = self.insert(&transaction, events)?;
        // Nobody else is in this transaction, so that what is expected is what was just read.
        let _ = replace_in(&transaction, collection, key, &value, Expected::Any, None, *now_ms)?;
        self.commit(transaction, next, events).map(Ok)
    }

    /// Gives the number of the next one.
    fn insert(&self, transaction: &Transaction<'_>, events: &[(u64, Event)]) -> Result<u64, Error> {
        if self.is_over {
            return Err(Error::Over { run: self.run.to_string() });
        }
        let mut next = self.next;
        let mut statement = transaction
            .prepare_cached("INSERT INTO event (run, sequence, at_ms, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for (at_ms, event) in events {
            let body = serde_json::to_value(event).unwrap_or_default();
            let kind = body.get("event").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
            let sequence = i64::try_from(next).unwrap_or(i64::MAX);
            let at_ms = i64::try_from(*at_ms).unwrap_or(i64::MAX);
            statement.execute(params![self.run.to_string(), sequence, at_ms, kind, body.to_string()])?;
            next += 1;
        }
        Ok(next)
    }

    fn commit(&mut self, transaction: Transaction<'_>, next: u64, events: &[(u64, Event)]) -> Result<(), Error> {
        fail::point("event.before-commit");
        transaction.commit()?;
        self.next = next;
        self.is_over = events.iter().any(|(_, event)| matches!(event, Event::Ended(_)));
        fail::point("event.after-commit");
        Ok(())
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.lock {
            // Left behind it costs a name in a folder: whoever looks can lock it, and knows.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> Event {
        Event::Ended(Box::new(Ended::by_host(Outcome::Completed, "")))
    }

    #[test]
    fn nothing_comes_after_the_end() {
        let store = Arc::new(Store::in_memory().unwrap());
        let run = RunId::new();
        let mut log = store.open_run(run).unwrap().unwrap();
        log.append(vec![(1, Event::Resumed)]).unwrap();
        assert!(!log.is_over());
        log.append(vec![(2, ended())]).unwrap();
        assert!(matches!(log.append(vec![(3, ended())]), Err(Error::Over { .. })));
        // Nor by whoever opens it later: such as a process that saw it open, and got the lock when it had ended.
        let mut later = store.open_run(run).unwrap().unwrap();
        assert!(later.is_over() && later.append(vec![(4, ended())]).is_err());
        assert_eq!(store.events(run).unwrap().len(), 2);
    }

    #[test]
    fn a_document_is_worked_out_with_events_or_neither_is_written() {
        let store = Arc::new(Store::in_memory().unwrap());
        let run = RunId::new();
        let mut log = store.open_run(run).unwrap().unwrap();
        let mut count = |most: u64| {
            let make = move |kept: Option<&str>| {
                let next = kept.map_or(0, |kept| kept.parse::<u64>().unwrap()) + 1;
                if next > most { Err("no more") } else { Ok(next.to_string()) }
            };
            let document = Rework { collection: "c", key: "k", now_ms: 1, make: Box::new(make) };
            log.append_reworking(&[(1, Event::Resumed)], &document).unwrap()
        };
        assert_eq!((count(2), count(2), count(2), count(3)), (Ok(()), Ok(()), Err("no more"), Ok(())));
        assert_eq!(store.get("c", "k", 1).unwrap().unwrap().value, "3");
        assert_eq!(store.events(run).unwrap().len(), 3);
    }

    #[test]
    fn a_run_waits_from_its_suspension_until_it_goes_on_or_ends() {
        let store = Arc::new(Store::in_memory().unwrap());
        let run = RunId::new();
        let mut log = store.open_run(run).unwrap().unwrap();
        let mut is_suspended_after = |event| {
            log.append(vec![(1, event)]).unwrap();
            store.suspended().unwrap() == [run]
        };
        let suspended = || Event::Suspended { until_ms: 1, boot: String::new(), findings: Vec::new() };
        assert!(!is_suspended_after(Event::PhaseStarted { phase: model::Phase::Remediate }));
        assert!(is_suspended_after(suspended()));
        assert!(!is_suspended_after(Event::Resumed));
        assert!(is_suspended_after(suspended()), "and once more");
        assert!(!is_suspended_after(ended()));
    }
}
