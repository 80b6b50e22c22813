use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use contract::kv::{GetValue, ListKeys};
use contract::kv_write::{PutValue, RemoveValue};
use contract::types::{Change, Effect, Error, KvEntry};
use contract::{Context, Undo, kv, kv_write};
use model::Clock;
use serde::{Deserialize, Serialize};
use store::{Document, Expected, NotWritten, Store};

use crate::{Shared, Undoer, errors};

use super::{KEYS_MAX, check_key, check_value, revision};

/// Values in the device's store.
pub struct Documents {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    /// By collection and key, a revision that an undo brought back, and the new number that it has. A run that wrote a key twice is
    /// undone in two steps, and the second looks for the revision that the first restored.
    restored: Mutex<BTreeMap<(String, String), (u64, u64)>>,
}

/// What undoing needs: the value before, and the revision that must still be there.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Token {
    key: String,
    before: Option<Value>,
    after: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Value {
    value: String,
    revision: u64,
    expires_ms: Option<u64>,
}

impl Documents {
    /// Over what the device shares.
    pub fn new(shared: &Shared) -> Self {
        Self { store: Arc::clone(&shared.store), clock: Arc::clone(&shared.clock), restored: Mutex::default() }
    }

    fn get(&self, cx: &Context, key: &str) -> Result<Option<Document>, Error> {
        self.store.get(&collection(cx), key, self.clock.now_ms()).map_err(|error| errors::store(&error))
    }

    fn leave_undo(cx: &Context, key: &str, before: Option<Document>, after: Option<u64>) {
        let before = before.map(|document| Value {
            value: document.value,
            revision: document.revision,
            expires_ms: document.expires_ms,
        });
        let token = serde_json::to_value(Token { key: key.to_owned(), before, after }).unwrap_or_default();
        cx.can_undo(Undo { target: key.to_owned(), token });
    }
}

/// No plugin sees another's keys.
fn collection(cx: &Context) -> String {
    format!("kv/{}", cx.plugin)
}

fn expected(revision: Option<u64>) -> Expected {
    match revision {
        None => Expected::Any,
        Some(0) => Expected::Absent,
        Some(revision) => Expected::Revision(revision),
    }
}

fn conflict(NotWritten { found }: NotWritten) -> Error {
    let found = found.map_or_else(|| "absent".to_owned(), |document| format!("at revision {}", document.revision));
    errors::conflict("revision", format!("the key is {found}"))
}

#[async_trait::async_trait]
impl kv::Backend for Documents {
    async fn get_value(&self, cx: &Context, call: &GetValue) -> Result<Option<KvEntry>, Error> {
        check_key(&call.key)?;
        Ok(self.get(cx, &call.key)?.map(|document| KvEntry {
            value: document.value,
            revision: document.revision,
            written_ms: document.written_ms,
            expires_ms: document.expires_ms,
            attributes: Vec::new(),
        }))
    }

    async fn list_keys(&self, cx: &Context, call: &ListKeys) -> Result<Vec<String>, Error> {
        let page = u32::try_from(KEYS_MAX).unwrap_or(u32::MAX);
        let documents = self
            .store
            .list(&collection(cx), &call.prefix, &call.after, page, self.clock.now_ms())
            .map_err(|error| errors::store(&error))?;
        Ok(documents.into_iter().map(|document| document.key).collect())
    }
}

#[async_trait::async_trait]
impl kv_write::Backend for Documents {
    async fn put_value(&self, cx: &Context, call: &PutValue) -> Result<Change, Error> {
        check_key(&call.key)?;
        check_value(&call.value)?;
        let now_ms = self.clock.now_ms();
        let before = self.get(cx, &call.key)?;
        let expires_ms = (call.ttl_seconds > 0).then(|| now_ms + u64::from(call.ttl_seconds) * 1_000);
        let written = self
            .store
            .put(&collection(cx), &call.key, &call.value, expected(call.expected_revision), expires_ms, now_ms)
            .map_err(|error| errors::store(&error))?
            .map_err(conflict)?;
        let change = Change::new(
            Effect::Changed,
            revision(before.as_ref().map(|it| it.revision)),
            revision(Some(written.revision)),
        );
        Self::leave_undo(cx, &call.key, before, Some(written.revision));
        Ok(change)
    }

    async fn remove_value(&self, cx: &Context, call: &RemoveValue) -> Result<Change, Error> {
        check_key(&call.key)?;
        let removed = self
            .store
            .remove(&collection(cx), &call.key, expected(call.expected_revision), self.clock.now_ms())
            .map_err(|error| errors::store(&error))?;
        match removed {
            Ok(before) => {
                let change = Change::new(Effect::Changed, revision(Some(before.revision)), None);
                Self::leave_undo(cx, &call.key, Some(before), None);
                Ok(change)
            }
            Err(NotWritten { found: None }) if call.expected_revision.unwrap_or_default() == 0 => {
                Ok(Change::unchanged(None))
            }
            Err(not_written) => Err(conflict(not_written)),
        }
    }
}

#[async_trait::async_trait]
impl Undoer for Documents {
    async fn undo(&self, cx: &Context, undo: &Undo) -> Result<Change, Error> {
        let token: Token = serde_json::from_value(undo.token.clone())
            .map_err(|error| errors::failed("undo-token", error.to_string()))?;
        let (collection, now_ms) = (collection(cx), self.clock.now_ms());
        let place = (collection.clone(), token.key.clone());
        let restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner).get(&place).copied();
        let must_be = match (token.after, restored) {
            (None, _) => Expected::Absent,
            (Some(after), Some((was, is))) if was == after => Expected::Revision(is),
            (Some(after), _) => Expected::Revision(after),
        };
        let written = match &token.before {
            Some(before) => self.store.put(&collection, &token.key, &before.value, must_be, before.expires_ms, now_ms),
            None => self.store.remove(&collection, &token.key, must_be, now_ms),
        };
        let written = written.map_err(|error| errors::store(&error))?.map_err(conflict)?;
        if let Some(before) = &token.before {
            let numbers = (before.revision, written.revision);
            self.restored.lock().unwrap_or_else(PoisonError::into_inner).insert(place, numbers);
        }
        let after = token.before.is_some().then_some(written.revision);
        Ok(Change::new(Effect::Changed, revision(token.after), revision(after)))
    }
}
