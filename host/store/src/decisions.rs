//! What was decided about standing orders, for whoever asks why something ran or did not: a log for each order, with its latest.

use rusqlite::{Connection, params};

use crate::documents::{to_i64, to_u64};
use crate::{Error, Store};

/// What is decided, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// About which order.
    pub order: String,
    /// When.
    pub at_ms: u64,
    /// What, and why: JSON.
    pub body: String,
    /// How many of the order are kept, this one included; older ones go.
    pub kept: u32,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Its place in the order's log: from 1, one more with each.
    pub number: u64,
    /// When.
    pub at_ms: u64,
    /// What, and why: JSON.
    pub body: String,
}

impl Store {
    /// What was decided about an order, latest first, at most `limit`; of before a number where one is given.
    pub fn decisions(&self, order: &str, before: Option<u64>, limit: u32) -> Result<Vec<Decided>, Error> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, at_ms, body FROM decision WHERE standing = ?1 AND number < ?2
                 ORDER BY number DESC LIMIT ?3",
            )?;
            let decided = |row: &rusqlite::Row<'_>| {
                Ok(Decided { number: to_u64(row.get(0)?), at_ms: to_u64(row.get(1)?), body: row.get(2)? })
            };
            let rows = statement.query_map(params![order, before.map_or(i64::MAX, to_i64), limit], decided)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

pub(crate) fn keep(connection: &Connection, decisions: &[Decision]) -> Result<(), Error> {
    for it in decisions {
        connection
            .prepare_cached(
                "INSERT INTO decision (standing, number, at_ms, body)
                 SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3 FROM decision WHERE standing = ?1",
            )?
            .execute(params![it.order, to_i64(it.at_ms), it.body])?;
        connection
            .prepare_cached(
                "DELETE FROM decision WHERE standing = ?1
                     AND number <= (SELECT max(number) FROM decision WHERE standing = ?1) - ?2",
            )?
            .execute(params![it.order, it.kept.max(1)])?;
    }
    Ok(())
}

/// Takes away the logs of orders about which nothing was decided since, such as those that are gone; says how many rows those were.
pub(crate) fn purge(connection: &Connection, until_ms: u64) -> Result<u64, Error> {
    let gone = connection
        .prepare_cached(
            "DELETE FROM decision WHERE standing IN
                 (SELECT standing FROM decision GROUP BY standing HAVING max(at_ms) <= ?1)",
        )?
        .execute(params![to_i64(until_ms)])?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expected, Value, Write};

    fn decision(order: &str, at_ms: u64) -> Decision {
        Decision { order: order.to_owned(), at_ms, body: format!("{{\"at\":{at_ms}}}"), kept: 3 }
    }

    fn numbers(store: &Store, order: &str, before: Option<u64>, limit: u32) -> Vec<u64> {
        store.decisions(order, before, limit).unwrap().into_iter().map(|it| it.number).collect()
    }

    #[test]
    fn the_latest_of_each_order_are_kept() {
        let store = Store::in_memory().unwrap();
        for at_ms in 1..=5 {
            store.decide(&[], vec![decision("nightly", at_ms)], at_ms).unwrap().unwrap();
        }
        store.decide(&[], vec![decision("weekly", 6), decision("weekly", 7)], 7).unwrap().unwrap();
        assert_eq!(numbers(&store, "nightly", None, 9), [5, 4, 3]);
        assert_eq!(numbers(&store, "nightly", Some(5), 1), [4]);
        assert_eq!(numbers(&store, "weekly", None, 9), [2, 1]);
        let latest = Decided { number: 5, at_ms: 5, body: "{\"at\":5}".to_owned() };
        assert_eq!(store.decisions("nightly", None, 1).unwrap(), [latest]);
        assert_eq!(numbers(&store, "unknown", None, 9), [0; 0]);
    }

    #[test]
    fn what_was_decided_is_kept_with_what_it_changed_or_neither_is() {
        let store = Store::in_memory().unwrap();
        let fired = |expected| Write {
            collection: "schedule",
            key: "nightly".to_owned(),
            value: Value::Is("fired".to_owned()),
            expected,
            expires_ms: None,
        };
        let decide = |expected| store.decide(&[fired(expected)], vec![decision("nightly", 1)], 1).unwrap();
        assert!(decide(Expected::Revision(1)).is_err());
        assert_eq!(numbers(&store, "nightly", None, 9), [0; 0]);
        assert!(decide(Expected::Absent).is_ok());
        assert_eq!(numbers(&store, "nightly", None, 9), [1]);
        assert!(store.get("schedule", "nightly", 1).unwrap().is_some());
    }

    #[test]
    fn the_log_of_an_order_that_is_gone_goes() {
        let store = Store::in_memory().unwrap();
        for (order, at_ms) in [("gone", 1), ("gone", 2), ("there", 2), ("there", 3)] {
            store.decide(&[], vec![decision(order, at_ms)], at_ms).unwrap().unwrap();
        }
        assert_eq!(purge(&store.writer(), 1).unwrap(), 0);
        assert_eq!(purge(&store.writer(), 2).unwrap(), 2);
        assert_eq!(numbers(&store, "there", None, 9), [2, 1], "all that is known of one that is there");
    }
}
