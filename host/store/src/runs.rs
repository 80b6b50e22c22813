//! Runs, as they are read: their events in order, and who of them is still alive.

use std::sync::Arc;

use model::{Ended, Event, Outcome, Recorded, RunId, Started};
use rusqlite::params;
use serde::Serialize;

use crate::documents::to_u64;
use crate::{Error, Store};

/// The runs of which the last that was heard is that they wait.
const SUSPENDED: &str = "SELECT DISTINCT run FROM event s WHERE kind = 'suspended' AND NOT EXISTS (
    SELECT 1 FROM event WHERE kind IN ('resumed', 'ended') AND run = s.run AND sequence > s.sequence
)";

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
    /// A run's events, in order.
    pub fn events(&self, run: RunId) -> Result<Vec<Recorded>, Error> {
        let rows: Vec<(u64, u64, String)> = self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT sequence, at_ms, body FROM event WHERE run = ?1 ORDER BY sequence")?;
            let row = |row: &rusqlite::Row<'_>| Ok((to_u64(row.get(0)?), to_u64(row.get(1)?), row.get(2)?));
            Ok(statement.query_map(params![run.to_string()], row)?.collect::<Result<_, _>>()?)
        })?;
        let recorded = |(sequence, at_ms, body): (u64, u64, String)| match serde_json::from_str(&body) {
            Ok(event) => Ok(Recorded { run, sequence, at_ms, event }),
            Err(source) => Err(Error::Unreadable { run: run.to_string(), sequence, source }),
        };
        rows.into_iter().map(recorded).collect()
    }

    /// The latest runs, latest first.
    pub fn runs(&self, limit: u32) -> Result<Vec<Summary>, Error> {
        type Row = (String, u64, String, Option<String>);
        let rows: Vec<Row> = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT s.run, s.at_ms, s.body,
                     (SELECT e.body FROM event e WHERE e.run = s.run AND e.kind = 'ended' ORDER BY e.sequence DESC LIMIT 1)
                 FROM event s WHERE s.kind = 'started' ORDER BY s.run DESC LIMIT ?1",
            )?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, to_u64(row.get(1)?), row.get(2)?, row.get(3)?));
            Ok(statement.query_map(params![limit], row)?.collect::<Result<_, _>>()?)
        })?;
        let mut summaries = Vec::new();
        for (run, started_ms, started, ended) in rows {
            let unreadable = |source| Error::Unreadable { run: run.clone(), sequence: 0, source };
            let started: Event = serde_json::from_str(&started).map_err(unreadable)?;
            let ended: Option<Event> = ended.map(|body| serde_json::from_str(&body)).transpose().map_err(unreadable)?;
            let (Ok(run), Event::Started(started)) = (run.parse(), started) else {
                continue;
            };
            let ended = match ended {
                Some(Event::Ended(ended)) => Some(*ended),
                _ => None,
            };
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
            "SELECT run FROM event s WHERE kind = 'started'
                 AND NOT EXISTS (SELECT 1 FROM event WHERE kind = 'ended' AND run = s.run)
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
        if let Some(holders) = self.holders() {
            holders.sweep()?;
        }
        Ok(closed)
    }

    fn ids(&self, query: &str) -> Result<Vec<RunId>, Error> {
        let ids: Vec<String> = self.read(|connection| {
            let mut statement = connection.prepare_cached(query)?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })?;
        Ok(ids.iter().filter_map(|run| run.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> Event {
        Event::Ended(Box::new(Ended::by_host(Outcome::Completed, "")))
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
