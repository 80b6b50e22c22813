//! The log of one run: what is appended to it is durable, by whoever has it alone.

use std::sync::Arc;

use model::{Event, RunId};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};

use crate::commit::Work;
use crate::documents::{to_i64, to_u64};
use crate::holder::Held;
use crate::{Error, Store, documents, fail, spool};

/// A run that is under way: what it appends is durable when `append` returns.
pub struct RunLog {
    store: Arc<Store>,
    run: RunId,
    next: u64,
    is_over: bool,
    hold: Hold,
    /// Of the file that it began in.
    generation: u64,
}

/// What says that the run is not dead.
enum Hold {
    /// In memory: no other process can be there.
    Nothing,
    /// A file of its own.
    Own { _file: Held },
    /// The file of this process, by name.
    Process(String),
}

/// Events of one run, ready to be kept.
pub(crate) struct Appending {
    run: RunId,
    first: u64,
    rows: Vec<Row>,
    /// What holds it, with its first event.
    holder: Option<String>,
    /// From now on it has a file of its own.
    is_let_go: bool,
    generation: u64,
}

struct Row {
    sequence: u64,
    at_ms: u64,
    kind: String,
    body: String,
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

/// What is known of a run without reading it.
#[derive(Default)]
struct Known {
    next: u64,
    holder: Option<String>,
    is_over: bool,
}

impl Store {
    /// Opens the log of a run that has never been. Of one that has, its first events are refused: they are not looked for here.
    pub fn begin(self: &Arc<Self>, run: RunId) -> Result<RunLog, Error> {
        let hold = match self.holders() {
            Some(holders) => Hold::Process(match holders.begin(run) {
                Err(error) if self.makes_room(&error) => holders.begin(run)?,
                other => other?,
            }),
            None => Hold::Nothing,
        };
        Ok(RunLog { store: Arc::clone(self), run, next: 0, is_over: false, hold, generation: self.generation.now() })
    }

    /// Opens the log of a run, new or suspended, for whoever asks alone; none where somebody else has it.
    pub fn open_run(self: &Arc<Self>, run: RunId) -> Result<Option<RunLog>, Error> {
        let hold = match self.holders() {
            Some(holders) => match holders.try_lock(&run.to_string())? {
                Some(file) => Hold::Own { _file: file },
                None => return Ok(None),
            },
            None => Hold::Nothing,
        };
        let generation = self.generation.now();
        let known = self.known(run)?;
        if let (Some(holders), Some(name), false) = (self.holders(), &known.holder, known.is_over)
            && holders.has(name, run)?
        {
            return Ok(None);
        }
        Ok(Some(RunLog { store: Arc::clone(self), run, next: known.next, is_over: known.is_over, hold, generation }))
    }

    fn known(&self, run: RunId) -> Result<Known, Error> {
        let known = |row: &rusqlite::Row<'_>| {
            Ok(Known { next: to_u64(row.get(0)?) + 1, holder: row.get(1)?, is_over: row.get(2)? })
        };
        let known = self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT sequence, (SELECT holder FROM event WHERE run = ?1 AND sequence = 0),
                         EXISTS (SELECT 1 FROM event WHERE kind = 'ended' AND run = ?1)
                     FROM event WHERE run = ?1 ORDER BY sequence DESC LIMIT 1",
                )?
                .query_row(params![run.to_string()], known)
                .optional()?)
        })?;
        Ok(known.unwrap_or_default())
    }

    fn rework<E>(&self, appending: &Appending, document: &Rework<E>) -> Result<Result<(), E>, Error> {
        let mut writer = self.writer();
        let generation = self.generation.now();
        self.change(&mut writer, |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let Rework { collection, key, now_ms, make } = document;
            let kept: Option<String> = transaction
                .prepare_cached("SELECT value FROM document WHERE collection = ?1 AND key = ?2 AND value != ''")?
                .query_row(params![collection, key], |row| row.get(0))
                .optional()?;
            let value = match make(kept.as_deref()) {
                Ok(value) => value,
                Err(error) => return Ok(Err(error)),
            };
            append(&transaction, appending, generation)?;
            documents::set(&transaction, collection, key, value, *now_ms)?;
            fail::point("event.before-commit");
            transaction.commit()?;
            fail::point("event.after-commit");
            Ok(Ok(()))
        })
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
        let (appending, own) = self.prepare(&events)?;
        let next = appending.next();
        // Of events nothing is expected that could not be there.
        let _ = self.store.commit(Work::Append(appending))?;
        self.appended(next, own, &events);
        Ok(())
    }

    /// The same, and works a document out anew: both together, or neither. An inner error is that of whoever works it out.
    ///
    /// It has a commit of its own: what works the document out is the caller's, and is not handed to other threads.
    pub fn append_reworking<E>(
        &mut self,
        events: &[(u64, Event)],
        document: &Rework<E>,
    ) -> Result<Result<(), E>, Error> {
        let (appending, own) = self.prepare(events)?;
        let next = appending.next();
        let done = self.store.rework(&appending, document)?;
        if done.is_ok() {
            self.appended(next, own, events);
        }
        Ok(done)
    }

    fn prepare(&mut self, events: &[(u64, Event)]) -> Result<(Appending, Option<Held>), Error> {
        if self.is_over {
            return Err(Error::Over { run: self.run.to_string() });
        }
        let rows = self.rows(events)?;
        if self.next == 0 {
            self.generation = self.store.generation.now();
        }
        // One that waits may be gone on with by another process, while this one lives on.
        let waits = events.iter().any(|(_, event)| matches!(event, Event::Suspended { .. }));
        let own = if waits { self.own_file()? } else { None };
        let holder = match &self.hold {
            Hold::Process(name) if self.next == 0 && own.is_none() => Some(name.clone()),
            _ => None,
        };
        Ok((
            Appending {
                run: self.run,
                first: self.next,
                rows,
                holder,
                is_let_go: own.is_some(),
                generation: self.generation,
            },
            own,
        ))
    }

    fn appended(&mut self, next: u64, own: Option<Held>, events: &[(u64, Event)]) {
        if let Some(file) = own {
            self.hold = Hold::Own { _file: file };
        }
        self.next = next;
        self.is_over = events.iter().any(|(_, event)| matches!(event, Event::Ended(_)));
    }

    fn rows(&self, events: &[(u64, Event)]) -> Result<Vec<Row>, Error> {
        let row = |(sequence, (at_ms, event)): (u64, &(u64, Event))| {
            let body = serde_json::to_value(event).map_err(|source| Error::Unwritable {
                run: self.run.to_string(),
                sequence,
                source,
            })?;
            let kind = body.get("event").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
            Ok(Row { sequence, at_ms: *at_ms, kind, body: body.to_string() })
        };
        (self.next..).zip(events).map(row).collect()
    }

    /// A file for this run alone, where the process's has held it until now. None where somebody who sweeps has it just now:
    /// then the run stays this process's while it lives.
    fn own_file(&self) -> Result<Option<Held>, Error> {
        match (&self.hold, self.store.holders()) {
            (Hold::Process(_), Some(holders)) => holders.try_lock(&self.run.to_string()),
            _ => Ok(None),
        }
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        if let Some(holders) = self.store.holders() {
            holders.close(self.run);
        }
    }
}

impl Appending {
    /// The number of what comes after it.
    fn next(&self) -> u64 {
        self.rows.last().map_or(self.first, |last| last.sequence + 1)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.body.len()).sum()
    }
}

pub(crate) fn append(connection: &Connection, appending: &Appending, generation: u64) -> Result<(), Error> {
    let run = appending.run.to_string();
    if appending.generation != generation {
        return Err(Error::Elsewhere { run });
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO event (run, sequence, at_ms, kind, body, holder) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for row in &appending.rows {
        let holder = appending.holder.as_ref().filter(|_| row.sequence == 0);
        let inserted =
            statement.execute(params![run, to_i64(row.sequence), to_i64(row.at_ms), row.kind, row.body, holder]);
        inserted.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) if row.sequence == 0 => Error::NotNew { run: run.clone() },
            _ => error.into(),
        })?;
    }
    if appending.rows.iter().any(|row| row.kind == "ended") {
        spool::count_run(connection, &run)?;
    }
    if appending.is_let_go {
        connection
            .prepare_cached("UPDATE event SET holder = NULL WHERE run = ?1 AND sequence = 0")?
            .execute(params![run])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::{Ended, Outcome};

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
    fn a_run_begins_once() {
        let store = Arc::new(Store::in_memory().unwrap());
        let run = RunId::new();
        store.begin(run).unwrap().append(vec![(1, Event::Resumed)]).unwrap();
        assert!(matches!(store.begin(run).unwrap().append(vec![(2, ended())]), Err(Error::NotNew { .. })));
        store.open_run(run).unwrap().unwrap().append(vec![(3, ended())]).unwrap();
        assert_eq!(store.events(run).unwrap().len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_written_is_refused_and_named() {
        use std::os::unix::ffi::OsStringExt;

        let store = Arc::new(Store::in_memory().unwrap());
        let begin = |root: &[u8]| {
            let path = std::path::PathBuf::from(std::ffi::OsString::from_vec(root.to_vec()));
            let mut started = crate::tests::started();
            started.roots.insert("root".to_owned(), path);
            store.begin(RunId::new()).unwrap().append(vec![(1, Event::Started(Box::new(started)))])
        };
        assert!(matches!(begin(b"/srv/\xff"), Err(Error::Unwritable { sequence: 0, .. })));
        begin(b"/srv/data").unwrap();
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
}
