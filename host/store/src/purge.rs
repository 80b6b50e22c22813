//! What has expired, or was removed, goes off the disk: so much at a time, so that no run waits for it.

use rusqlite::{Connection, TransactionBehavior, params};

use crate::documents::{FLOORS, floor, to_i64, to_u64};
use crate::{Error, Store, fail};

/// The most documents that go at once: some milliseconds, and more than a run leaves.
pub const PURGED_MAX: usize = 1_000;

impl Store {
    /// Removes what had expired by then, the oldest first, and says how many documents that were: where it is [`PURGED_MAX`] there
    /// may be more. Durable when it returns.
    ///
    /// What goes leaves the highest of its revisions behind, one for its whole collection: a key that comes back begins above it,
    /// so that a writer who still expects what there was cannot succeed against something new of the same number.
    pub fn purge(&self, now_ms: u64) -> Result<usize, Error> {
        self.change(&mut self.writer(), |connection| purge(connection, now_ms))
    }
}

fn purge(connection: &mut Connection, now_ms: u64) -> Result<usize, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let expired: Vec<(String, String, u64)> = transaction
        .prepare_cached(
            "SELECT collection, key, revision FROM document WHERE expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2",
        )?
        .query_map(params![to_i64(now_ms), i64::try_from(PURGED_MAX).unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?, to_u64(row.get(2)?)))
        })?
        .collect::<Result<_, _>>()?;
    if expired.is_empty() {
        return Ok(0);
    }
    for (collection, key, revision) in &expired {
        transaction
            .prepare_cached("DELETE FROM document WHERE collection = ?1 AND key = ?2")?
            .execute(params![collection, key])?;
        if *revision > floor(&transaction, collection)? {
            transaction
                .prepare_cached(
                    "INSERT INTO document (collection, key, revision, written_ms, value) VALUES (?1, ?2, ?3, ?4, 'floor')
                     ON CONFLICT (collection, key) DO UPDATE SET revision = ?3, written_ms = ?4",
                )?
                .execute(params![FLOORS, collection, to_i64(*revision), to_i64(now_ms)])?;
        }
    }
    fail::point("document.before-commit");
    transaction.commit()?;
    fail::point("document.after-commit");
    Ok(expired.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expected, Value, Write};

    fn rows(store: &Store) -> u64 {
        let count = "SELECT count(*) FROM document WHERE collection != ?1";
        to_u64(store.writer().query_row(count, params![FLOORS], |row| row.get(0)).unwrap())
    }

    #[test]
    fn what_has_expired_or_was_removed_is_gone_and_nothing_else() {
        let store = Store::in_memory().unwrap();
        let put = |key: &str, expires_ms| store.put("c", key, "x", Expected::Any, expires_ms, 1).unwrap().unwrap();
        put("early", Some(10));
        put("late", Some(20));
        put("for ever", None);
        put("removed", None);
        store.remove("c", "removed", Expected::Any, 5).unwrap().unwrap();
        assert_eq!((store.purge(4).unwrap(), rows(&store)), (0, 4));
        assert_eq!((store.purge(10).unwrap(), rows(&store)), (2, 2));
        assert!(store.get("c", "late", 10).unwrap().is_some() && store.get("c", "for ever", 10).unwrap().is_some());
        assert_eq!((store.purge(u64::MAX).unwrap(), rows(&store)), (1, 1));
    }

    #[test]
    fn a_key_that_comes_back_has_a_revision_that_was_never_given() {
        let store = Store::in_memory().unwrap();
        let put = |key: &str, expected| store.put("c", key, "x", expected, Some(10), 1).unwrap();
        for _ in 0..3 {
            put("key", Expected::Any).unwrap();
        }
        assert_eq!(store.purge(10).unwrap(), 1);
        assert!(put("key", Expected::Revision(3)).is_err());
        assert_eq!(put("key", Expected::Absent).unwrap().revision, 4);
        assert_eq!(put("key", Expected::Revision(4)).unwrap().revision, 5, "and counts on from there");
        assert_eq!(store.put("other", "key", "x", Expected::Absent, None, 1).unwrap().unwrap().revision, 1);
    }

    #[test]
    fn no_more_goes_at_once_than_may() {
        let store = Store::in_memory().unwrap();
        let write = |key: usize| Write {
            collection: "c",
            key: key.to_string(),
            value: Value::Is("x".to_owned()),
            expected: Expected::Any,
            expires_ms: Some(key as u64),
        };
        store.write(&(0..PURGED_MAX + 1).map(write).collect::<Vec<_>>(), 1).unwrap().unwrap();
        assert_eq!((store.purge(u64::MAX).unwrap(), rows(&store)), (PURGED_MAX, 1));
        assert_eq!((store.purge(u64::MAX).unwrap(), store.purge(u64::MAX).unwrap()), (1, 0));
    }
}
