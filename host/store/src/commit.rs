//! Shared commits: a commit waits for the disk, and what came meanwhile goes into the next one together.
//!
//! Whoever comes when nobody writes, writes at once, so that one who is alone waits for nobody. Whoever comes while another
//! writes is taken along by the next, who is the one that waits longest. No thread of its own, and no timer.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::documents::{self, Document, NotWritten, Writing};
use crate::log::{self, Appending};
use crate::{Error, Store, fail};

/// What shares a commit is no larger, but for the last: the next one would wait too long for it.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What somebody wants to last.
pub(crate) enum Work {
    Append(Appending),
    Write(Writing),
}

/// What a write makes of each key; nothing where events were appended.
pub(crate) type Done = Result<Result<Vec<Option<Document>>, NotWritten>, Error>;

/// Who waits.
#[derive(Default)]
pub(crate) struct Queue(Mutex<Line>);

#[derive(Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    /// Somebody writes, or was told to.
    is_led: bool,
}

struct Waiting {
    work: Work,
    turn: SyncSender<Turn>,
}

enum Turn {
    /// Write what waits, your own first.
    Lead,
    Done(Done),
}

impl Store {
    /// Does it, all or nothing, with what others want at the same time. Durable when it returns.
    pub(crate) fn commit(&self, work: Work) -> Done {
        // At most one turn is ever under way to whoever waits.
        let (turn, turns) = sync_channel(1);
        let mut leads = self.queue.join(Waiting { work, turn });
        loop {
            if leads {
                let _next = HandOver(&self.queue);
                self.lead();
            }
            match turns.recv() {
                Ok(Turn::Lead) => leads = true,
                Ok(Turn::Done(done)) => return done,
                Err(_) => return Err(Error::Lost),
            }
        }
    }

    /// Writes what waits, and says so to everyone.
    fn lead(&self) {
        let mut writer = self.writer();
        // Taken only now: more has come while a reader had the connection.
        let batch = self.queue.take();
        let generation = self.generation.now();
        let shared = match batch.len() {
            1 => None,
            _ => match self.change(&mut writer, |connection| together(connection, &batch, generation)) {
                Ok(all) => Some(all),
                // Everyone hears of it: none of them knows what it stands on any more.
                Err(Error::Corrupt { aside, why }) => {
                    let corrupt = || Err(Error::Corrupt { aside: aside.clone(), why: why.clone() });
                    Some(batch.iter().map(|_| corrupt()).collect())
                }
                // What spoils a batch as a whole, such as one that the disk has no room for, may spoil none of its parts.
                Err(_) => None,
            },
        };
        let mut one = |it: &Waiting| self.change(&mut writer, |connection| alone(connection, &it.work, generation));
        let done = shared.unwrap_or_else(|| batch.iter().map(&mut one).collect());
        drop(writer);
        for (waiting, done) in batch.into_iter().zip(done) {
            // Whoever does not wait any more does not want to know.
            let _ = waiting.turn.send(Turn::Done(done));
        }
    }
}

impl Queue {
    /// Gets in line, and says whether to lead.
    fn join(&self, waiting: Waiting) -> bool {
        let mut line = self.line();
        line.waiting.push_back(waiting);
        !std::mem::replace(&mut line.is_led, true)
    }

    /// The first in line, and as many behind it as may share a commit.
    fn take(&self) -> Vec<Waiting> {
        let mut line = self.line();
        let mut bytes = 0;
        let fits = |waiting: &&Waiting| {
            let is_room = bytes < BATCH_BYTES_MAX;
            bytes += waiting.work.bytes();
            is_room
        };
        let count = line.waiting.iter().take_while(fits).count();
        line.waiting.drain(..count).collect()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the next in line lead, also where this one dies.
struct HandOver<'a>(&'a Queue);

impl Drop for HandOver<'_> {
    fn drop(&mut self) {
        let mut line = self.0.line();
        while let Some(next) = line.waiting.front() {
            if next.turn.send(Turn::Lead).is_ok() {
                return;
            }
            line.waiting.pop_front();
        }
        line.is_led = false;
    }
}

impl Work {
    fn bytes(&self) -> usize {
        match self {
            Self::Append(appending) => appending.bytes(),
            Self::Write(writing) => writing.bytes(),
        }
    }

    fn apply(&self, connection: &Connection, generation: u64) -> Done {
        match self {
            Self::Append(appending) => log::append(connection, appending, generation).map(|()| Ok(Vec::new())),
            Self::Write(writing) => documents::write(connection, writing),
        }
    }
}

fn alone(connection: &mut Connection, work: &Work, generation: u64) -> Done {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work.apply(&transaction, generation)?;
    if done.is_ok() {
        finish(transaction, [work].into_iter())?;
    }
    Ok(done)
}

/// Each of them whole or not at all. An error here is of all of them.
fn together(connection: &mut Connection, batch: &[Waiting], generation: u64) -> Result<Vec<Done>, Error> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut all = Vec::with_capacity(batch.len());
    for waiting in batch {
        let savepoint = transaction.savepoint()?;
        let done = waiting.work.apply(&savepoint, generation);
        match done {
            Ok(Ok(_)) => savepoint.commit()?,
            // Some errors undo the whole transaction; a savepoint that is not there cannot be taken back either.
            _ => savepoint.finish()?,
        }
        all.push(done);
    }
    finish(transaction, batch.iter().map(|it| &it.work))?;
    Ok(all)
}

fn finish<'a>(transaction: Transaction<'_>, of: impl Iterator<Item = &'a Work> + Clone) -> Result<(), Error> {
    let has_events = of.clone().any(|work| matches!(work, Work::Append(_)));
    let has_documents = of.clone().any(|work| matches!(work, Work::Write(_)));
    if has_events {
        fail::point("event.before-commit");
    }
    if has_documents {
        fail::point("document.before-commit");
    }
    transaction.commit()?;
    if has_events {
        fail::point("event.after-commit");
    }
    if has_documents {
        fail::point("document.after-commit");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use model::{Event, RunId};

    use super::*;
    use crate::{Expected, Value, Write};

    /// A store on disk, and how many commits are in its log.
    struct OnDisk {
        folder: tempfile::TempDir,
        store: Arc<Store>,
    }

    impl OnDisk {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Self { store: Arc::new(Store::open(folder.path()).unwrap()), folder }
        }

        /// A frame of the log that ends a transaction says how large the file is by then.
        fn commits(&self) -> usize {
            let log = std::fs::read(self.folder.path().join("state.db-wal")).unwrap();
            log[32..].chunks(24 + 4_096).filter(|frame| frame[4..8] != [0; 4]).count()
        }

        /// Has all of these wait for the connection, and gives what became of each.
        fn at_once<T: Send>(&self, all: Vec<Box<dyn FnOnce() -> T + Send + '_>>) -> Vec<T> {
            let (busy, count) = (self.store.writer(), all.len());
            thread::scope(|scope| {
                let threads: Vec<_> = all.into_iter().map(|it| scope.spawn(it)).collect();
                while self.store.queue.line().waiting.len() < count {
                    thread::yield_now();
                }
                drop(busy);
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            })
        }
    }

    fn append(store: &Arc<Store>, run: RunId) -> Result<(), Error> {
        store.begin(run)?.append(vec![(1, Event::Resumed)])
    }

    fn write(store: &Store, key: &str, size: usize, expected: Expected) -> Result<Result<(), NotWritten>, Error> {
        let (key, value) = (key.to_owned(), Value::Is("x".repeat(size)));
        let first = Write {
            collection: "first",
            key: key.clone(),
            value: value.clone(),
            expected: Expected::Any,
            expires_ms: None,
        };
        store.write(&[first, Write { collection: "c", key, value, expected, expires_ms: None }], 1)
    }

    #[test]
    fn what_waits_shares_a_commit() {
        let it = OnDisk::new();
        let before = it.commits();
        let runs: Vec<RunId> = (0..8).map(|_| RunId::new()).collect();
        let appends = runs.iter().map(|run| Box::new(|| append(&it.store, *run)) as Box<dyn FnOnce() -> _ + Send>);
        assert!(it.at_once(appends.collect()).iter().all(Result::is_ok));
        assert_eq!(it.commits() - before, 1);
        assert!(runs.iter().all(|run| it.store.events(*run).unwrap().len() == 1));
        // One who is alone has one alone.
        append(&it.store, RunId::new()).unwrap();
        assert_eq!(it.commits() - before, 2);
    }

    #[test]
    fn one_that_is_refused_takes_nobody_along() {
        let it = OnDisk::new();
        let (store, taken, new) = (&it.store, RunId::new(), RunId::new());
        append(store, taken).unwrap();
        let before = it.commits();
        let done = it.at_once::<String>(vec![
            Box::new(|| format!("{:?}", append(store, taken))),
            Box::new(|| format!("{:?}", append(store, new))),
            Box::new(|| format!("{:?}", write(store, "refused", 1, Expected::Revision(7)))),
            Box::new(|| format!("{:?}", write(store, "written", 1, Expected::Absent))),
        ]);
        assert_eq!(done[0], format!("Err(NotNew {{ run: \"{taken}\" }})"));
        assert_eq!(done[1..], ["Ok(())", "Ok(Err(NotWritten { found: None }))", "Ok(Ok(()))"]);
        assert_eq!(it.commits() - before, 1);
        assert_eq!((store.events(taken).unwrap().len(), store.events(new).unwrap().len()), (1, 1));
        let has = |key: &str| store.get("first", key, 1).unwrap().is_some();
        assert!(has("written") && !has("refused"), "of what is refused no part is written");
    }

    #[test]
    fn what_there_is_no_room_for_leaves_room_for_others() {
        let it = OnDisk::new();
        let pages: i64 = it.store.writer().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        it.store.writer().pragma_update(None, "max_page_count", pages + 20).unwrap();
        let run = RunId::new();
        let done = it.at_once::<bool>(vec![
            Box::new(|| append(&it.store, run).is_ok()),
            Box::new(|| write(&it.store, "large", 1 << 20, Expected::Any).is_ok()),
            Box::new(|| write(&it.store, "small", 1, Expected::Any).is_ok()),
        ]);
        assert_eq!(done, [true, false, true]);
        assert_eq!(it.store.events(run).unwrap().len(), 1);
        it.store.writer().pragma_update(None, "max_page_count", pages + 2_000).unwrap();
        assert!(write(&it.store, "large", 1 << 20, Expected::Any).is_ok());
    }

    #[test]
    fn everyone_gets_their_turn() {
        const THREADS: usize = 16;
        const TIMES: usize = 20;
        let it = OnDisk::new();
        let appends = |thread: usize| {
            let (run, store) = (RunId::new(), &it.store);
            let mut log = store.begin(run).unwrap();
            for time in 0..TIMES {
                log.append(vec![(1, Event::Resumed)]).unwrap();
                write(store, &format!("{thread}/{time}"), 1, Expected::Absent).unwrap().unwrap();
                // Who has been told can read it, by whichever connection.
                assert_eq!(store.events(run).unwrap().len(), time + 1);
            }
        };
        thread::scope(|scope| {
            (0..THREADS).for_each(|thread| drop(scope.spawn(move || appends(thread))));
        });
        assert_eq!(it.store.list("c", "", "", u32::MAX, 1).unwrap().len(), THREADS * TIMES);
        assert!(!it.store.queue.line().is_led);
    }

    #[test]
    fn whoever_reads_waits_for_no_commit() {
        let it = OnDisk::new();
        let run = RunId::new();
        append(&it.store, run).unwrap();
        let writes = it.store.writer();
        assert_eq!(it.store.events(run).unwrap().len(), 1);
        drop(writes);
        append(&it.store, RunId::new()).unwrap();
    }

    #[test]
    fn one_who_does_not_come_to_write_is_followed_by_another() {
        let store = Arc::new(Store::in_memory().unwrap());
        let work = || Work::Write(Writing::default());
        let (gone, _) = sync_channel(1);
        assert!(store.queue.join(Waiting { work: work(), turn: gone }));
        let (turn, turns) = sync_channel(1);
        assert!(!store.queue.join(Waiting { work: work(), turn }));
        drop(HandOver(&store.queue));
        assert!(matches!(turns.try_recv(), Ok(Turn::Lead)));
        store.queue.take();
        drop(HandOver(&store.queue));
        append(&store, RunId::new()).unwrap();
    }
}
