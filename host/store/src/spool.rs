//! The spool: the events of all runs, within bounds. What a run said goes before what it found, and nothing goes of one that is
//! not over.

use model::RunId;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::documents::{to_i64, to_u64};
use crate::{Error, Store, decisions, fail};

/// What a run takes: its events, and 128 bytes beside each for its key, kind and time, some of it twice.
const OF_RUN: &str = "SELECT count(*), coalesce(sum(octet_length(body) + 128), 0) FROM event WHERE run = ?1";
const OF_LINES: &str = "SELECT count(*), coalesce(sum(octet_length(body) + 128), 0) FROM event
    WHERE run = ?1 AND kind IN ('log', 'metric')";

/// About how many events go at once: some milliseconds, for which others wait. A run goes whole.
const ROWS_MAX: u64 = 2_000;

/// How much of the past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the events of all runs that are over may take. Those that are not are bounded by the limits of each.
    pub bytes: u64,
    /// How long after its beginning a run is kept, by the device's clock.
    pub age_ms: u64,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Lines and metrics of runs that stay.
    pub lines: u64,
    /// Whole runs.
    pub runs: u64,
    /// What was decided about orders that are gone.
    pub decisions: u64,
    /// What the events of it took.
    pub bytes: u64,
    /// More is to go, and nothing stands against it but the time that it takes: ask again.
    pub is_more: bool,
}

impl Store {
    /// What the events of all runs that are over take.
    pub fn spool_bytes(&self) -> Result<u64, Error> {
        self.read(bytes)
    }

    /// Takes away what is beyond the limits, a bounded part of it: whole runs that are too old; then, where there is too much, what
    /// runs said, and at last whole runs, the oldest first. Durable when it returns.
    ///
    /// A run that is under way, waits for a reboot, or of which nobody knows the end, stays as it is.
    pub fn purge_runs(&self, limits: &Limits, now_ms: u64) -> Result<Purged, Error> {
        self.change(&mut self.writer(), |connection| purge(connection, limits, now_ms))
    }
}

fn purge(connection: &mut Connection, limits: &Limits, now_ms: u64) -> Result<Purged, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let until_ms = now_ms.saturating_sub(limits.age_ms);
    let mut purge = Purge { connection: &transaction, rows: 0, left: bytes(&transaction)?, purged: Purged::default() };
    purge.old_runs(until_ms)?;
    purge.lines(limits.bytes)?;
    purge.oldest_runs(limits.bytes)?;
    let mut purged = purge.purged;
    purged.decisions = decisions::purge(&transaction, until_ms)?;
    if (Purged { is_more: false, ..purged }) == Purged::default() {
        return Ok(purged);
    }
    count(&transaction, -to_i64(purged.bytes))?;
    fail::point("event.before-commit");
    transaction.commit()?;
    fail::point("event.after-commit");
    Ok(purged)
}

/// Counts a run that is over by now.
pub(crate) fn count_run(connection: &Connection, run: &str) -> Result<(), Error> {
    let (_, bytes) = measure(connection, run, OF_RUN)?;
    count(connection, to_i64(bytes))
}

fn count(connection: &Connection, bytes: i64) -> Result<(), Error> {
    connection.prepare_cached("UPDATE total SET bytes = bytes + ?1 WHERE name = 'events'")?.execute(params![bytes])?;
    Ok(())
}

fn measure(connection: &Connection, run: &str, query: &str) -> Result<(u64, u64), Error> {
    let mut statement = connection.prepare_cached(query)?;
    Ok(statement.query_row(params![run], |row| Ok((to_u64(row.get(0)?), to_u64(row.get(1)?))))?)
}

fn bytes(connection: &Connection) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM total WHERE name = 'events'")?;
    Ok(to_u64(statement.query_row([], |row| row.get(0))?))
}

/// One part of it.
struct Purge<'a> {
    connection: &'a Connection,
    rows: u64,
    left: u64,
    purged: Purged,
}

impl Purge<'_> {
    fn old_runs(&mut self, until_ms: u64) -> Result<(), Error> {
        // Ids sort by time. One of before that ended since, because it waited or the clock was set, has its time still.
        let before = RunId::lowest_at(until_ms).to_string();
        let mut after = String::new();
        while self.goes_on() {
            let next = self.connection.prepare_cached(
                "SELECT run, (SELECT max(at_ms) FROM event WHERE run = e.run) FROM event e
                 WHERE kind = 'ended' AND run > ?1 AND run < ?2 ORDER BY run LIMIT 1",
            )?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, to_u64(row.get(1)?)));
            let Some((run, ended_ms)) = { next }.query_row(params![after, before], row).optional()? else {
                return Ok(());
            };
            if ended_ms <= until_ms {
                self.run(&run)?;
            }
            self.rows += 1;
            after = run;
        }
        Ok(())
    }

    fn lines(&mut self, bytes_max: u64) -> Result<(), Error> {
        let mut after = String::new();
        while self.left > bytes_max && self.goes_on() {
            let Some(run) = self.next_with_lines(&after)? else {
                return Ok(());
            };
            if self.is_over(&run)? {
                let (rows, bytes) =
                    self.take_away(&run, OF_LINES, "DELETE FROM event WHERE run = ?1 AND kind IN ('log', 'metric')")?;
                self.purged.lines += rows;
                self.gone(rows, bytes);
            }
            self.rows += 1;
            after = run;
        }
        Ok(())
    }

    fn oldest_runs(&mut self, bytes_max: u64) -> Result<(), Error> {
        while self.left > bytes_max && self.goes_on() {
            let run: Option<String> = self
                .connection
                .prepare_cached("SELECT run FROM event WHERE kind = 'ended' ORDER BY run LIMIT 1")?
                .query_row([], |row| row.get(0))
                .optional()?;
            let Some(run) = run else { return Ok(()) };
            self.run(&run)?;
        }
        Ok(())
    }

    /// Whether there is time for more.
    fn goes_on(&mut self) -> bool {
        self.purged.is_more = self.rows >= ROWS_MAX;
        !self.purged.is_more
    }

    fn next_with_lines(&self, after: &str) -> Result<Option<String>, Error> {
        let of_kind = |kind: &str| -> Result<Option<String>, Error> {
            Ok(self
                .connection
                .prepare_cached("SELECT run FROM event WHERE kind = ?1 AND run > ?2 ORDER BY run LIMIT 1")?
                .query_row(params![kind, after], |row| row.get(0))
                .optional()?)
        };
        Ok([of_kind("log")?, of_kind("metric")?].into_iter().flatten().min())
    }

    fn is_over(&self, run: &str) -> Result<bool, Error> {
        let mut statement = self.connection.prepare_cached("SELECT 1 FROM event WHERE kind = 'ended' AND run = ?1")?;
        Ok(statement.exists(params![run])?)
    }

    fn run(&mut self, run: &str) -> Result<(), Error> {
        let (rows, bytes) = self.take_away(run, OF_RUN, "DELETE FROM event WHERE run = ?1")?;
        self.purged.runs += 1;
        self.gone(rows, bytes);
        Ok(())
    }

    fn take_away(&self, run: &str, measured: &str, delete: &str) -> Result<(u64, u64), Error> {
        let taken = measure(self.connection, run, measured)?;
        self.connection.prepare_cached(delete)?.execute(params![run])?;
        Ok(taken)
    }

    fn gone(&mut self, rows: u64, bytes: u64) {
        self.rows += rows;
        self.left = self.left.saturating_sub(bytes);
        self.purged.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Ended, Event, Outcome};

    use super::*;
    use crate::RunLog;

    const DAY: u64 = 24 * 60 * 60 * 1_000;
    const NOW: u64 = 1_000 * DAY;
    const NO_END: Limits = Limits { bytes: u64::MAX, age_ms: u64::MAX };

    impl Store {
        /// What the events take, counted one by one.
        pub(crate) fn spool_bytes_anew(&self) -> u64 {
            let sum = "SELECT coalesce(sum(octet_length(body) + 128), 0) FROM event
                WHERE run IN (SELECT run FROM event WHERE kind = 'ended')";
            to_u64(self.writer().query_row(sum, [], |row| row.get(0)).unwrap())
        }
    }

    fn ended() -> Event {
        Event::Ended(Box::new(Ended::by_host(Outcome::Completed, "")))
    }

    fn said(size: usize) -> Event {
        let message = "ü".repeat(size / 2);
        serde_json::from_value(serde_json::json!({ "event": "log", "level": "info", "message": message })).unwrap()
    }

    fn measured() -> Event {
        Event::Metric { name: "free".to_owned(), value: 1.0, unit: "By".to_owned(), labels: Vec::new() }
    }

    fn begin(store: &Arc<Store>, at_ms: u64, events: Vec<Event>) -> (RunId, RunLog) {
        let run = RunId::lowest_at(at_ms);
        let mut log = store.begin(run).unwrap();
        let started = Event::Started(Box::new(crate::tests::started()));
        log.append([vec![started], events].concat().into_iter().map(|event| (at_ms, event)).collect()).unwrap();
        (run, log)
    }

    fn run(store: &Arc<Store>, at_ms: u64) -> RunId {
        begin(store, at_ms, vec![said(20_000), measured(), ended()]).0
    }

    /// How many events are left of each.
    fn left(store: &Store, runs: &[RunId]) -> Vec<usize> {
        assert_eq!(store.spool_bytes().unwrap(), store.spool_bytes_anew());
        runs.iter().map(|run| store.events(*run).unwrap().len()).collect()
    }

    #[test]
    fn what_runs_said_goes_before_them_and_the_oldest_goes_first() {
        let store = Arc::new(Store::in_memory().unwrap());
        let runs: Vec<RunId> = (1..=3).map(|day| run(&store, day * DAY)).collect();
        let whole = store.spool_bytes().unwrap();
        let purge = |bytes| store.purge_runs(&Limits { bytes, ..NO_END }, NOW).unwrap();
        assert_eq!((purge(whole), left(&store, &runs)), (Purged::default(), vec![4, 4, 4]));
        let purged = purge(whole - 1);
        assert_eq!((purged.lines, purged.runs, left(&store, &runs)), (2, 0, vec![2, 4, 4]));
        assert_eq!(purged.bytes, whole - store.spool_bytes().unwrap());
        purge(whole / 2);
        assert_eq!(left(&store, &runs), [2, 2, 4]);
        purge(store.spool_bytes().unwrap() - 2_000);
        assert_eq!(left(&store, &runs), [2, 2, 2]);
        let purged = purge(store.spool_bytes().unwrap() - 1);
        assert_eq!((purged.lines, purged.runs, left(&store, &runs)), (0, 1, vec![0, 2, 2]));
        assert_eq!((purge(0).runs, left(&store, &runs), store.spool_bytes().unwrap()), (2, vec![0, 0, 0], 0));
    }

    #[test]
    fn what_is_not_over_stays_as_it_is() {
        let store = Arc::new(Store::in_memory().unwrap());
        let suspended = || Event::Suspended { until_ms: NOW, boot: String::new(), findings: Vec::new() };
        let all: Vec<(RunId, RunLog)> = vec![
            begin(&store, 1, vec![said(100)]),
            begin(&store, 2, vec![said(100), suspended()]),
            begin(&store, 3, vec![said(100), suspended(), Event::Resumed]),
            begin(&store, 4, vec![said(100), ended()]),
        ];
        let runs: Vec<RunId> = all.iter().map(|(run, _)| *run).collect();
        store.purge_runs(&Limits { bytes: 0, age_ms: 0 }, NOW).unwrap();
        assert_eq!(left(&store, &runs), [2, 3, 4, 0]);
        // Once they are over, they may go.
        for (_, mut log) in all.into_iter().take(3) {
            log.append(vec![(NOW, ended())]).unwrap();
        }
        store.purge_runs(&Limits { bytes: 0, age_ms: 0 }, NOW).unwrap();
        assert_eq!(left(&store, &runs), [0, 0, 0, 0]);
    }

    #[test]
    fn what_is_too_old_goes_whole() {
        let store = Arc::new(Store::in_memory().unwrap());
        let runs = [run(&store, NOW - 3 * DAY), run(&store, NOW - 2 * DAY), run(&store, NOW - DAY)];
        // It began long ago, and ended just now: it waited, or the clock was wrong.
        let (waited, mut log) = begin(&store, DAY, Vec::new());
        log.append(vec![(NOW, ended())]).unwrap();
        let purge = |days| store.purge_runs(&Limits { age_ms: days * DAY, ..NO_END }, NOW).unwrap();
        assert_eq!(purge(4), Purged::default());
        assert_eq!((purge(2).runs, left(&store, &runs)), (1, vec![0, 4, 4]));
        assert_eq!(left(&store, &[waited]), [2]);
        assert_eq!((purge(0).runs, left(&store, &runs)), (3, vec![0, 0, 0]));
        assert_eq!(left(&store, &[waited]), [0]);
    }

    #[test]
    fn a_bounded_part_goes_at_once_and_a_run_goes_whole() {
        let store = Arc::new(Store::in_memory().unwrap());
        let most = usize::try_from(ROWS_MAX).unwrap();
        let many = |at_ms, count| begin(&store, at_ms, [vec![Event::Resumed; count], vec![ended()]].concat()).0;
        let runs = [many(1, most), many(2, 1), many(3, 1)];
        let purge = || store.purge_runs(&Limits { bytes: 0, age_ms: u64::MAX }, NOW).unwrap();
        let first = purge();
        assert_eq!((first.runs, first.is_more, left(&store, &runs)), (1, true, vec![0, 3, 3]));
        let second = purge();
        assert_eq!((second.runs, second.is_more), (2, false));
        assert_eq!(purge(), Purged::default());
    }
}
