use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use contract::kv::{GetValue, ListKeys};
use contract::kv_write::{PutValue, RemoveValue};
use contract::types::{Change, Effect, Error, KvEntry};
use contract::{Context, kv, kv_write};
use model::Clock;
use tokio::sync::Mutex;

use crate::errors;

use super::{KEYS_MAX, check_key, check_value, revision};

/// Values as they would be: what was planned, over what is there. It can only read what is there.
pub struct Overlay {
    base: Arc<dyn kv::Backend>,
    clock: Arc<dyn Clock>,
    /// By key; none where it would be removed.
    planned: Mutex<BTreeMap<String, Option<KvEntry>>>,
    /// Revisions that removed keys had: the next one goes on from there.
    last_revisions: std::sync::Mutex<BTreeMap<String, u64>>,
}

impl Overlay {
    /// Over a backend that is only read.
    pub fn new(base: Arc<dyn kv::Backend>, clock: Arc<dyn Clock>) -> Self {
        Self { base, clock, planned: Mutex::default(), last_revisions: std::sync::Mutex::default() }
    }

    async fn current(&self, cx: &Context, key: &str) -> Result<Option<KvEntry>, Error> {
        if let Some(planned) = self.planned.lock().await.get(key) {
            return Ok(planned.clone());
        }
        self.base.get_value(cx, &GetValue { key: key.to_owned() }).await
    }

    fn next_revision(&self, key: &str, found: Option<&KvEntry>) -> u64 {
        let last_revisions = self.last_revisions.lock().unwrap_or_else(PoisonError::into_inner);
        found.map_or_else(|| last_revisions.get(key).copied().unwrap_or_default(), |entry| entry.revision) + 1
    }

    async fn plan(&self, key: &str, last: u64, entry: Option<KvEntry>) {
        self.last_revisions.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), last);
        self.planned.lock().await.insert(key.to_owned(), entry);
    }
}

fn check_expected(found: Option<&KvEntry>, expected: Option<u64>) -> Result<(), Error> {
    let revision = found.map_or(0, |entry| entry.revision);
    match expected {
        Some(expected) if expected != revision => {
            Err(errors::conflict("revision", format!("the key is at revision {revision} (0 is absent)")))
        }
        _ => Ok(()),
    }
}

#[async_trait::async_trait]
impl kv::Backend for Overlay {
    async fn get_value(&self, cx: &Context, call: &GetValue) -> Result<Option<KvEntry>, Error> {
        check_key(&call.key)?;
        self.current(cx, &call.key).await
    }

    async fn list_keys(&self, cx: &Context, call: &ListKeys) -> Result<Vec<String>, Error> {
        let planned = self.planned.lock().await.clone();
        // A page of the base may shrink by what is planned to go: read on until it is full or there is no more.
        let mut keys: Vec<String> = Vec::new();
        let mut after = call.after.clone();
        loop {
            let page = self.base.list_keys(cx, &ListKeys { prefix: call.prefix.clone(), after: after.clone() }).await?;
            let is_last = page.len() < KEYS_MAX;
            after = page.last().cloned().unwrap_or_default();
            keys.extend(page.into_iter().filter(|key| planned.get(key).is_none_or(Option::is_some)));
            if is_last || keys.len() >= KEYS_MAX {
                break;
            }
        }
        let added = planned
            .iter()
            .filter(|(key, entry)| entry.is_some() && key.starts_with(&call.prefix) && **key > call.after)
            .map(|(key, _)| key.clone());
        keys.extend(added);
        keys.sort();
        keys.dedup();
        keys.truncate(KEYS_MAX);
        Ok(keys)
    }
}

#[async_trait::async_trait]
impl kv_write::Backend for Overlay {
    async fn put_value(&self, cx: &Context, call: &PutValue) -> Result<Change, Error> {
        check_key(&call.key)?;
        check_value(&call.value)?;
        let found = self.current(cx, &call.key).await?;
        check_expected(found.as_ref(), call.expected_revision)?;
        let now_ms = self.clock.now_ms();
        let next = self.next_revision(&call.key, found.as_ref());
        let entry = KvEntry {
            value: call.value.clone(),
            revision: next,
            written_ms: now_ms,
            expires_ms: (call.ttl_seconds > 0).then(|| now_ms + u64::from(call.ttl_seconds) * 1_000),
            attributes: Vec::new(),
        };
        self.plan(&call.key, next, Some(entry)).await;
        Ok(Change::new(Effect::Changed, revision(found.map(|it| it.revision)), revision(Some(next))))
    }

    async fn remove_value(&self, cx: &Context, call: &RemoveValue) -> Result<Change, Error> {
        check_key(&call.key)?;
        let found = self.current(cx, &call.key).await?;
        check_expected(found.as_ref(), call.expected_revision)?;
        let Some(found) = found else { return Ok(Change::unchanged(None)) };
        self.plan(&call.key, found.revision + 1, None).await;
        Ok(Change::new(Effect::Changed, revision(Some(found.revision)), None))
    }
}
