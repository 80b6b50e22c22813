//! What is to be made durable together.

use std::collections::BTreeMap;

use store::{Expected, Value, Write};

/// Rows to write, by collection and key; of one key the last counts.
#[derive(Debug, Default)]
pub(in crate::agent) struct Rows(BTreeMap<(&'static str, String), Option<String>>);

impl Rows {
    pub(super) fn put(&mut self, collection: &'static str, key: String, value: String) {
        self.0.insert((collection, key), Some(value));
    }

    pub(super) fn gone(&mut self, collection: &'static str, key: String) {
        self.0.insert((collection, key), None);
    }

    pub(super) fn keep(&mut self, collection: &'static str, rows: BTreeMap<String, Option<String>>) {
        self.0.extend(rows.into_iter().map(|(key, value)| ((collection, key), value)));
    }

    pub(in crate::agent) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::agent) fn writes(&self) -> Vec<Write> {
        let write = |((collection, key), value): (&(&'static str, String), &Option<String>)| Write {
            collection,
            key: key.clone(),
            value: value.clone().map_or(Value::Gone, Value::Is),
            expected: Expected::Any,
            expires_ms: None,
        };
        self.0.iter().map(write).collect()
    }
}
