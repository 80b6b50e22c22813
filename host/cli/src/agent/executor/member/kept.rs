//! What plugins keep for themselves on this device, as technicians read it at the hub: by difference. Nothing of it comes back.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use store::Store;

use super::super::Executor;
use super::{OWN, all};

/// The rows of what was told: the key says of what, and the value which revision.
const TOLD: &str = "kv/";

/// What the collections of plugins begin with.
const COLLECTIONS: &str = "kv/";

/// The most bytes of a value that goes along: of a longer one only its length does.
const VALUE_BYTES_MAX: usize = 16 << 10;

/// The most that are told at once: the rest with the next look.
const AT_ONCE: usize = 256;

/// Which revision of each key was told.
#[derive(Debug, Default)]
pub(super) struct Marks(HashMap<String, String>);

impl Marks {
    pub(super) fn open(store: &Store, now_ms: u64) -> anyhow::Result<Self> {
        let rows = all(OWN, store, now_ms)?.into_iter();
        Ok(Self(rows.filter_map(|(key, value)| Some((key.strip_prefix(TOLD)?.to_owned(), value))).collect()))
    }
}

impl Executor {
    /// Tells what of it is other than what was told.
    pub(super) fn look_at_kept(&mut self) {
        let now_ms = self.context.clock.now_ms();
        let Some(fleet) = &mut self.fleet else { return };
        let found = tokio::task::block_in_place(|| differences(&self.machine.store, &fleet.kept, now_ms));
        let news = match found {
            Ok(news) => news,
            Err(error) => return tracing::error!(error = format!("{error:#}"), "what plugins keep cannot be read"),
        };
        for (mark, revision, body) in news.into_iter().take(AT_ONCE) {
            let Ok(kind) = "kv".parse() else { return };
            fleet.outbox.push(kind, body, true, &mut self.rows);
            let row = format!("{TOLD}{mark}");
            match revision {
                Some(revision) => {
                    self.rows.put(OWN, row, revision.clone());
                    fleet.kept.0.insert(mark, revision);
                }
                None => {
                    self.rows.gone(OWN, row);
                    fleet.kept.0.remove(&mark);
                }
            }
        }
    }
}

/// What is new, and what is gone: by its mark, its revision, and as the hub is told.
fn differences(store: &Store, marks: &Marks, now_ms: u64) -> anyhow::Result<Vec<(String, Option<String>, String)>> {
    let (mut there, mut news) = (HashSet::new(), Vec::new());
    for collection in store.collections(COLLECTIONS)? {
        let plugin = collection.strip_prefix(COLLECTIONS).unwrap_or_default();
        let mut after = String::new();
        loop {
            let page = store.list(&collection, "", &after, super::PAGE, now_ms)?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.key);
            for document in page {
                let (mark, revision) = (format!("{plugin}/{}", document.key), document.revision.to_string());
                if marks.0.get(&mark) != Some(&revision) {
                    let is_whole = document.value.len() <= VALUE_BYTES_MAX;
                    let body = json!({
                        "plugin": plugin,
                        "key": document.key,
                        "bytes": document.value.len(),
                        "value": is_whole.then_some(document.value),
                        "written-ms": document.written_ms,
                        "expires-ms": document.expires_ms,
                    });
                    news.push((mark.clone(), Some(revision), body.to_string()));
                }
                there.insert(mark);
            }
        }
    }
    for mark in marks.0.keys().filter(|mark| !there.contains(*mark)) {
        let (plugin, key) = mark.split_once('/').unwrap_or_default();
        news.push((mark.clone(), None, json!({ "plugin": plugin, "key": key, "bytes": null }).to_string()));
    }
    Ok(news)
}

#[cfg(test)]
mod tests {
    use store::{Expected, Value, Write};

    use super::*;

    fn write(store: &Store, key: &str, value: Value) {
        let write =
            Write { collection: "kv/disks", key: key.to_owned(), value, expected: Expected::Any, expires_ms: None };
        store.write(&[write], 1).unwrap().unwrap();
    }

    #[test]
    fn what_changed_is_told_once_and_what_is_gone_too() {
        let store = Store::in_memory().unwrap();
        let mut marks = Marks::default();
        let mut told = |store: &Store| -> Vec<String> {
            let news = differences(store, &marks, 1).unwrap();
            for (mark, revision, _) in &news {
                match revision {
                    Some(revision) => drop(marks.0.insert(mark.clone(), revision.clone())),
                    None => drop(marks.0.remove(mark)),
                }
            }
            news.into_iter().map(|(_, _, body)| body).collect()
        };
        assert!(told(&store).is_empty());
        write(&store, "baseline/a", Value::Is("1".into()));
        write(&store, "large", Value::Is("x".repeat(VALUE_BYTES_MAX + 1)));
        let first = told(&store);
        assert!(
            first.len() == 2 && first[0].contains("baseline/a") && first[0].contains("\"value\":\"1\""),
            "{first:?}"
        );
        assert!(first[1].contains("\"value\":null") && first[1].len() < 1_000, "{first:?}");
        assert!(told(&store).is_empty());
        write(&store, "baseline/a", Value::Is("2".into()));
        assert_eq!(told(&store).len(), 1);
        write(&store, "large", Value::Gone);
        let gone = told(&store);
        assert!(gone.len() == 1 && gone[0].contains("\"bytes\":null"), "{gone:?}");
        assert!(told(&store).is_empty());
    }
}
