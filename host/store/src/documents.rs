//! Documents: small values by collection and key, each with a revision, so that two writers cannot overwrite each other
//! unseen. Key-value stores, tickets and whatever a backend must remember are made of them.

use rusqlite::{Connection, OptionalExtension, params};

use crate::commit::Work;
use crate::decisions::Decision;
use crate::{Error, Store, decisions};

/// A value and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its key.
    pub key: String,
    /// The value.
    pub value: String,
    /// 1 when it was first written, and one more with each write of this key, also after it was removed or expired.
    pub revision: u64,
    /// When it was written.
    pub written_ms: u64,
    /// When it is gone; none for never.
    pub expires_ms: Option<u64>,
}

/// What a writer assumes of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
    Any,
    /// There is none.
    Absent,
    /// It is still this one.
    Revision(u64),
}

/// One of several writes that happen together.
#[derive(Clone, Debug)]
pub struct Write {
    /// The collection.
    pub collection: &'static str,
    /// The key.
    pub key: String,
    /// What it will hold.
    pub value: Value,
    /// What the writer assumes of it.
    pub expected: Expected,
    /// When what it holds will be gone; none for never.
    pub expires_ms: Option<u64>,
}

/// What a write makes of a key.
#[derive(Clone, Debug)]
pub enum Value {
    /// It holds this, which may not be empty.
    Is(String),
    /// It holds what it holds, and is gone at another time. Where nothing is there is nothing to do.
    Stays,
    /// It is removed.
    Gone,
}

/// Collections by name, each with the highest revision that was purged from it.
pub(crate) const FLOORS: &str = "revision-floor";

/// Writes that happen together, and when.
#[cfg_attr(test, derive(Default))]
pub(crate) struct Writing {
    writes: Vec<One>,
    decisions: Vec<Decision>,
    now_ms: u64,
}

struct One {
    collection: String,
    key: String,
    value: Value,
    expected: Expected,
    expires_ms: Option<u64>,
}

impl Writing {
    pub(crate) fn bytes(&self) -> usize {
        let of_write = |it: &One| if let Value::Is(text) = &it.value { text.len() } else { 0 };
        let writes: usize = self.writes.iter().map(of_write).sum();
        writes + self.decisions.iter().map(|it| it.body.len()).sum::<usize>()
    }
}

/// Nothing was written, because the key was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotWritten {
    /// What is there; none where nothing is.
    pub found: Option<Document>,
}

impl Store {
    /// A document; none where there is none or it has expired.
    pub fn get(&self, collection: &str, key: &str, now_ms: u64) -> Result<Option<Document>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT key, value, revision, written_ms, expires_ms FROM document
                     WHERE collection = ?1 AND key = ?2 AND value != '' AND coalesce(expires_ms, ?3 + 1) > ?3",
                )?
                .query_row(params![collection, key, to_i64(now_ms)], document)
                .optional()?)
        })
    }

    /// The names of the collections that begin so, in order: those that have, or had, a document.
    pub fn collections(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT collection FROM document WHERE collection >= ?1 AND substr(collection, 1, length(?1)) = ?1
                 ORDER BY collection",
            )?;
            let names = statement.query_map([prefix], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
    }

    /// Documents whose key begins so, in order of keys, after `after`, at most `limit`.
    pub fn list(
        &self,
        collection: &str,
        prefix: &str,
        after: &str,
        limit: u32,
        now_ms: u64,
    ) -> Result<Vec<Document>, Error> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key, value, revision, written_ms, expires_ms FROM document
                 WHERE collection = ?1 AND substr(key, 1, length(?2)) = ?2 AND key > ?3
                     AND value != '' AND coalesce(expires_ms, ?5 + 1) > ?5
                 ORDER BY key LIMIT ?4",
            )?;
            let rows = statement.query_map(params![collection, prefix, after, limit, to_i64(now_ms)], document)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Writes a document, which may not be empty, if the key is as expected. Durable when it returns.
    pub fn put(
        &self,
        collection: &str,
        key: &str,
        value: &str,
        expected: Expected,
        expires_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<Result<Document, NotWritten>, Error> {
        self.replace(collection, key, Value::Is(value.to_owned()), expected, expires_ms, now_ms)
    }

    /// Removes a document if the key is as expected, and gives what was there. Durable when it returns.
    pub fn remove(
        &self,
        collection: &str,
        key: &str,
        expected: Expected,
        now_ms: u64,
    ) -> Result<Result<Document, NotWritten>, Error> {
        self.replace(collection, key, Value::Gone, expected, None, now_ms)
    }

    /// Writes all of these if every key is as expected, else none. Durable when it returns.
    pub fn write(&self, writes: &[Write], now_ms: u64) -> Result<Result<(), NotWritten>, Error> {
        self.decide(writes, Vec::new(), now_ms)
    }

    /// Writes all of these, and keeps what was decided, if every key is as expected, else nothing. Durable when it returns.
    pub fn decide(
        &self,
        writes: &[Write],
        decisions: Vec<Decision>,
        now_ms: u64,
    ) -> Result<Result<(), NotWritten>, Error> {
        let one = |it: &Write| One {
            collection: it.collection.to_owned(),
            key: it.key.clone(),
            value: it.value.clone(),
            expected: it.expected,
            expires_ms: it.expires_ms,
        };
        let writing = Writing { writes: writes.iter().map(one).collect(), decisions, now_ms };
        Ok(self.commit(Work::Write(writing))?.map(|_| ()))
    }

    fn replace(
        &self,
        collection: &str,
        key: &str,
        value: Value,
        expected: Expected,
        expires_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<Result<Document, NotWritten>, Error> {
        let one = One { collection: collection.to_owned(), key: key.to_owned(), value, expected, expires_ms };
        let written = self.commit(Work::Write(Writing { writes: vec![one], decisions: Vec::new(), now_ms }))?;
        Ok(written.and_then(|mut documents| documents.pop().flatten().ok_or(NotWritten { found: None })))
    }
}

/// Does all of it, or stops where a key is not as expected: then whoever has the transaction takes it back.
pub(crate) fn write(
    connection: &Connection,
    writing: &Writing,
) -> Result<Result<Vec<Option<Document>>, NotWritten>, Error> {
    let mut written = Vec::with_capacity(writing.writes.len());
    for one in &writing.writes {
        match replace_in(connection, one, writing.now_ms)? {
            Ok(document) => written.push(document),
            Err(not_written) => return Ok(Err(not_written)),
        }
    }
    decisions::keep(connection, &writing.decisions)?;
    Ok(Ok(written))
}

/// Has a key hold this, whatever it held.
pub(crate) fn set(
    connection: &Connection,
    collection: &str,
    key: &str,
    value: String,
    now_ms: u64,
) -> Result<(), Error> {
    let (collection, key) = (collection.to_owned(), key.to_owned());
    let one = One { collection, key, value: Value::Is(value), expected: Expected::Any, expires_ms: None };
    // Nothing was expected that could not be there.
    replace_in(connection, &one, now_ms).map(|_| ())
}

/// The highest revision that was purged from a collection.
pub(crate) fn floor(connection: &Connection, collection: &str) -> Result<u64, Error> {
    let floor = connection
        .prepare_cached("SELECT revision FROM document WHERE collection = ?1 AND key = ?2")?
        .query_row(params![FLOORS, collection], |row| row.get(0))
        .optional()?;
    Ok(floor.map_or(0, to_u64))
}

/// What is there by then; where it was removed, what was; none where there was nothing to do. A removed document leaves its
/// revision behind, as an empty value that has expired, until it is purged: a writer that still expects the old one must not
/// succeed against a new one of the same number.
fn replace_in(connection: &Connection, one: &One, now_ms: u64) -> Result<Result<Option<Document>, NotWritten>, Error> {
    let One { collection, key, value, expected, expires_ms } = one;
    let stored = connection
        .prepare_cached(
            "SELECT key, value, revision, written_ms, expires_ms FROM document WHERE collection = ?1 AND key = ?2",
        )?
        .query_row(params![collection, key], document)
        .optional()?;
    let last = stored.as_ref().map_or_else(|| floor(connection, collection), |document| Ok(document.revision))?;
    let found = stored
        .filter(|document| !document.value.is_empty() && document.expires_ms.is_none_or(|expires| expires > now_ms));
    let is_expected = match expected {
        Expected::Any => true,
        Expected::Absent => found.is_none(),
        Expected::Revision(revision) => found.as_ref().is_some_and(|document| document.revision == *revision),
    };
    if !is_expected {
        return Ok(Err(NotWritten { found }));
    }
    let (text, expires_ms) = match (value, &found) {
        (Value::Is(text), _) => (text.clone(), *expires_ms),
        (Value::Stays, Some(found)) => (found.value.clone(), *expires_ms),
        (Value::Gone, Some(_)) => (String::new(), Some(now_ms)),
        // What never was is gone.
        (Value::Stays | Value::Gone, None) => return Ok(Ok(None)),
    };
    connection
        .prepare_cached(
            "INSERT INTO document (collection, key, revision, written_ms, expires_ms, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (collection, key) DO UPDATE SET revision = ?3, written_ms = ?4, expires_ms = ?5, value = ?6",
        )?
        .execute(params![collection, key, to_i64(last + 1), to_i64(now_ms), expires_ms.map(to_i64), text])?;
    let written = Document { key: key.clone(), value: text, revision: last + 1, written_ms: now_ms, expires_ms };
    Ok(Ok(Some(if matches!(value, Value::Gone) { found.unwrap_or(written) } else { written })))
}

fn document(row: &rusqlite::Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document {
        key: row.get(0)?,
        value: row.get(1)?,
        revision: to_u64(row.get(2)?),
        written_ms: to_u64(row.get(3)?),
        expires_ms: row.get::<_, Option<i64>>(4)?.map(to_u64),
    })
}

/// SQLite's integers are signed; times and revisions never come near the difference.
pub(crate) fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn to_u64(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_was_is_gone() {
        let store = Store::in_memory().unwrap();
        let write = |key: &str, value, expected| Write {
            collection: "agent",
            key: key.to_owned(),
            value,
            expected,
            expires_ms: None,
        };
        let (gone, is) =
            (|| write("a", Value::Gone, Expected::Any), write("b", Value::Is("b".to_owned()), Expected::Any));
        store.write(&[gone(), is], 1).unwrap().unwrap();
        assert!(store.get("agent", "b", 2).unwrap().is_some(), "and is in nobody's way");
        assert!(store.remove("agent", "a", Expected::Any, 3).unwrap().is_err(), "whoever removes one is told");
    }

    #[test]
    fn a_writer_that_expects_something_else_writes_nothing() {
        let store = Store::in_memory().unwrap();
        let put = |value: &str, expected| store.put("kv", "key", value, expected, None, 1).unwrap();
        assert!(put("a", Expected::Revision(1)).is_err());
        assert_eq!(put("a", Expected::Absent).unwrap().revision, 1);
        assert_eq!(put("b", Expected::Absent).unwrap_err().found.unwrap().value, "a");
        assert_eq!(put("b", Expected::Revision(1)).unwrap().revision, 2);
        assert!(put("c", Expected::Revision(1)).is_err());
    }

    #[test]
    fn a_removed_or_expired_key_is_absent_and_its_revision_is_never_given_again() {
        let store = Store::in_memory().unwrap();
        store.put("kv", "key", "a", Expected::Any, Some(10), 1).unwrap().unwrap();
        assert!(store.get("kv", "key", 9).unwrap().is_some());
        assert!(store.get("kv", "key", 10).unwrap().is_none());
        assert_eq!(store.put("kv", "key", "b", Expected::Absent, None, 10).unwrap().unwrap().revision, 2);
        assert_eq!(store.remove("kv", "key", Expected::Any, 11).unwrap().unwrap().value, "b");
        assert!(store.remove("kv", "key", Expected::Any, 11).unwrap().is_err());
        assert_eq!(store.put("kv", "key", "c", Expected::Absent, None, 12).unwrap().unwrap().revision, 4);
    }

    #[test]
    fn lists_are_by_prefix_in_pages() {
        let store = Store::in_memory().unwrap();
        for key in ["a/1", "a/2", "a/3", "a%", "b"] {
            store.put("kv", key, "x", Expected::Any, None, 1).unwrap().unwrap();
        }
        let keys = |prefix: &str, after: &str, limit| -> Vec<String> {
            store.list("kv", prefix, after, limit, 2).unwrap().into_iter().map(|it| it.key).collect()
        };
        assert_eq!(keys("a/", "", 2), ["a/1", "a/2"]);
        assert_eq!(keys("a/", "a/2", 2), ["a/3"]);
        assert_eq!(keys("a%", "", 9), ["a%"]);
        assert_eq!(store.list("other", "", "", 9, 2).unwrap(), []);
    }

    #[test]
    fn several_writes_happen_together_or_not_at_all() {
        let store = Store::in_memory().unwrap();
        let write = |key: &str, expected| Write {
            collection: "c",
            key: key.to_owned(),
            value: match key == "b" && expected != Expected::Absent {
                true => Value::Gone,
                false => Value::Is("x".to_owned()),
            },
            expected,
            expires_ms: None,
        };
        let absent = [write("a", Expected::Absent), write("b", Expected::Absent)];
        assert_eq!(store.write(&absent, 1).unwrap(), Ok(()));
        let half = [write("c", Expected::Absent), write("b", Expected::Absent)];
        assert_eq!(store.write(&half, 1).unwrap().unwrap_err().found.unwrap().key, "b");
        assert!(store.get("c", "c", 1).unwrap().is_none());
        assert_eq!(store.write(&[write("b", Expected::Revision(1))], 1).unwrap(), Ok(()));
        assert!(store.get("c", "b", 1).unwrap().is_none(), "it was removed");
    }

    #[test]
    fn what_stays_is_gone_at_another_time() {
        let store = Store::in_memory().unwrap();
        store.put("c", "a", "x", Expected::Any, None, 1).unwrap().unwrap();
        let stays = |key: &str, expected| Write {
            collection: "c",
            key: key.to_owned(),
            value: Value::Stays,
            expected,
            expires_ms: Some(10),
        };
        let both = [stays("a", Expected::Revision(1)), stays("nothing", Expected::Any)];
        assert_eq!(store.write(&both, 2).unwrap(), Ok(()));
        assert_eq!(store.get("c", "a", 9).unwrap().unwrap().value, "x");
        assert!(store.get("c", "a", 10).unwrap().is_none() && store.get("c", "nothing", 9).unwrap().is_none());
        assert!(store.write(&[stays("a", Expected::Revision(1))], 3).unwrap().is_err(), "it was written since");
    }
}
