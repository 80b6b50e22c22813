//! The tables, and how those of an older host become these.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Error, fail};

/// The version of the tables; a file of a newer one is not opened.
pub const SCHEMA_VERSION: i64 = 3;

/// Version 2; what an older host made of it is there already.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS event (
        run TEXT NOT NULL, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (run, sequence)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS event_by_kind ON event (kind, run);
    CREATE TABLE IF NOT EXISTS document (
        collection TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL,
        written_ms INTEGER NOT NULL, expires_ms INTEGER, value TEXT NOT NULL,
        PRIMARY KEY (collection, key)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS document_by_expiry ON document (expires_ms) WHERE expires_ms IS NOT NULL;";

/// Version 3: the first event of a run names the lock that its process holds, where that is not the run's own; what runs that
/// are over take is counted, and orders have a log of what was decided about them.
const FOR_YEARS: &str = "
    ALTER TABLE event ADD COLUMN holder TEXT;
    CREATE TABLE total (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO total SELECT 'events', coalesce(sum(octet_length(body) + 128), 0) FROM event
        WHERE run IN (SELECT run FROM event WHERE kind = 'ended');
    CREATE TABLE decision (
        standing TEXT NOT NULL, number INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (standing, number)
    ) WITHOUT ROWID;";

/// Has the file the tables of this version. A newer one is refused as it is.
pub(crate) fn bring_up(connection: &mut Connection) -> Result<(), Error> {
    if version(connection)? == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it meanwhile.
    let found = version(&transaction)?;
    if found > SCHEMA_VERSION {
        return Err(Error::TooNew { found });
    }
    if found < 2 {
        transaction.execute_batch(TABLES)?;
    }
    if found < 3 {
        transaction.execute_batch(FOR_YEARS)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    fail::point("schema.before-commit");
    transaction.commit()?;
    fail::point("schema.after-commit");
    Ok(())
}

fn version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use model::{Event, RunId};
    use rusqlite::params;

    use super::*;
    use crate::Store;

    /// A file as a host of that version left it.
    fn lay_out(folder: &Path, version: i64, run: RunId) {
        let connection = Connection::open(folder.join("state.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch(TABLES).unwrap();
        let event = "INSERT INTO event VALUES (?1, 0, 5, 'resumed', '{\"event\":\"resumed\"}')";
        connection.execute(event, params![run.to_string()]).unwrap();
        let ended = "INSERT INTO event VALUES (?1, 0, 5, 'ended', '{}'), (?1, 1, 5, 'log', '{}')";
        connection.execute(ended, params![RunId::new().to_string()]).unwrap();
        connection.execute("INSERT INTO document VALUES ('c', 'key', 3, 5, NULL, 'value')", []).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
    }

    #[test]
    fn what_an_older_host_left_is_taken_over() {
        for version in [1, 2] {
            let (folder, run) = (tempfile::tempdir().unwrap(), RunId::new());
            lay_out(folder.path(), version, run);
            for _ in 0..2 {
                let store = Arc::new(Store::open(folder.path()).unwrap());
                assert_eq!(store.events(run).unwrap()[0].at_ms, 5);
                assert_eq!(store.get("c", "key", 6).unwrap().unwrap().revision, 3);
                assert_eq!(super::version(&store.writer()).unwrap(), SCHEMA_VERSION);
                assert_eq!(store.spool_bytes().unwrap(), 2 * (128 + 2), "what was there is counted");
                store.begin(RunId::new()).unwrap().append(vec![(6, Event::Resumed)]).unwrap();
            }
        }
    }

    #[test]
    fn what_a_newer_host_left_is_refused_and_stays_as_it_is() {
        let (folder, run) = (tempfile::tempdir().unwrap(), RunId::new());
        lay_out(folder.path(), SCHEMA_VERSION + 1, run);
        let refused = Store::open(folder.path()).map(|_| ()).unwrap_err();
        assert!(matches!(refused, Error::TooNew { found } if found == SCHEMA_VERSION + 1), "{refused}");
        let connection = Connection::open(folder.path().join("state.db")).unwrap();
        assert_eq!(version(&connection).unwrap(), SCHEMA_VERSION + 1);
        let count: i64 = connection.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 3);
    }
}
