//! One thread writes. What waits while a commit goes to the disk goes into the next one together.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::{Error, fail};

/// As much as 10,000 devices that all answer at once leave waiting in a tenth of a second; what is beyond it is asked to come back.
const WAITING_MAX: usize = 4_096;

/// What shares a commit: more, and whoever waits for it waits longer than for the disk.
const TOGETHER_MAX: usize = 512;

/// Where so many or more came together, the next ones wait for each other: each commit writes the pages that all of them change, and
/// waits for the disk.
const MANY: usize = 4;

/// So long they wait.
const GATHER: Duration = Duration::from_millis(8);

/// The one connection that writes, within a transaction.
pub(crate) struct Change<'a>(pub(super) &'a Connection);

/// The thread, and the way to it.
pub(crate) struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

trait Job: Send {
    /// Does it; whether to keep it.
    fn run(&mut self, change: &Change<'_>) -> bool;
    /// Says what became of it: kept, not to be kept, or spoilt with the commit.
    fn end(self: Box<Self>, spoilt: Option<Error>);
}

struct Asked<T, F> {
    work: F,
    made: Option<Result<T, Error>>,
    answer: oneshot::Sender<Result<T, Error>>,
}

impl<T: Send, F: FnMut(&Change<'_>) -> Result<T, Error> + Send> Job for Asked<T, F> {
    fn run(&mut self, change: &Change<'_>) -> bool {
        let made = (self.work)(change);
        let is_kept = made.is_ok();
        self.made = Some(made);
        is_kept
    }

    fn end(self: Box<Self>, spoilt: Option<Error>) {
        let answer = match (spoilt, self.made) {
            (Some(error), Some(Ok(_)) | None) => Err(error),
            (_, Some(made)) => made,
            (None, None) => Err(Error::Lost),
        };
        // Whoever does not wait any more does not want to know.
        let _ = self.answer.send(answer);
    }
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> Result<Self, Error> {
        let (queue, jobs) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("hub-writer".to_owned());
        let thread = thread.spawn(move || write_all(connection, &jobs)).map_err(|_| Error::Lost)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Has it done, all or nothing. Durable when the answer comes. It may be done several times, where something else spoilt what it was
    /// in: then nothing is left of the times before.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        work: impl FnMut(&Change<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, Error>>, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Asked { work, made: None, answer });
        match self.queue.as_ref().ok_or(Error::Lost)?.try_send(job) {
            Ok(()) => Ok(answered),
            Err(TrySendError::Full(_)) => Err(Error::Busy { after_s: 1 }),
            Err(TrySendError::Disconnected(_)) => Err(Error::Lost),
        }
    }
}

/// What waits is written before the file is closed.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_all(mut connection: Connection, jobs: &Receiver<Box<dyn Job>>) {
    let mut are_many = false;
    while let Ok(first) = jobs.recv() {
        if are_many {
            sleep(GATHER);
        }
        let mut batch = vec![first];
        batch.extend(std::iter::from_fn(|| jobs.try_recv().ok()).take(TOGETHER_MAX - 1));
        are_many = batch.len() >= MANY;
        if all_or_nothing(&mut connection, &mut batch).unwrap_or(false) || each(&mut connection, &mut batch).is_ok() {
            batch.into_iter().for_each(|job| job.end(None));
            continue;
        }
        // What spoils a commit as a whole, such as one that the disk has no room for, may spoil none of its parts.
        for job in batch {
            let mut alone = vec![job];
            let mut spoilt = each(&mut connection, &mut alone).err();
            alone.into_iter().for_each(|job| job.end(spoilt.take()));
        }
    }
    // A log that is folded in leaves one file to copy.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

/// Keeps all of them, or none where one is not to be kept; whether it did. Nearly always all are, and a savepoint for each would copy
/// every page that it writes to.
fn all_or_nothing(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> Result<bool, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !batch.iter_mut().all(|job| job.run(&Change(&transaction))) {
        return Ok(false);
    }
    commit(transaction).map(|()| true)
}

/// Keeps those that are to be kept, whatever the others are.
fn each(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> Result<(), Error> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch {
        let savepoint = transaction.savepoint()?;
        match job.run(&Change(&savepoint)) {
            true => savepoint.commit()?,
            false => savepoint.finish()?,
        }
    }
    commit(transaction)
}

fn commit(transaction: Transaction<'_>) -> Result<(), Error> {
    fail::point("hub.before-commit");
    transaction.commit()?;
    fail::point("hub.after-commit");
    Ok(())
}
