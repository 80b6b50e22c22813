use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use contract::notify::{AcknowledgeEvent, Delivery, DeliveryOutcome, ResolveEvent, TriggerEvent};
use contract::types::{Effect, Error};
use contract::{Context, notify};
use store::{Expected, Store, Value, Write};
use tokio::sync::OnceCell;

use crate::{Shared, errors};

use super::outbox::{ALERTS, Done, Key, LANES, MESSAGES, Outbox, TO_HUB, message_key, run};
use super::record::{Alert, Lane};

/// The device's alerts, to be read and not changed: all that a dry run gets of them.
#[derive(Clone)]
pub struct Look(Outbox);

impl Look {
    /// At what the device shares.
    pub fn new(shared: &Shared) -> Self {
        Self(Outbox::new(shared))
    }
}

/// Alerts as they would be: the same logic over a store in memory, into which what matters is copied before it is first
/// touched. Nothing is ever sent from there.
pub struct Overlay {
    base: Look,
    planned: OnceCell<Outbox>,
    copied: Arc<Mutex<BTreeSet<(&'static str, String)>>>,
}

impl Overlay {
    /// Over alerts that are only read.
    pub fn new(base: Look) -> Self {
        Self { base, planned: OnceCell::new(), copied: Arc::default() }
    }

    async fn plan(
        &self,
        cx: &Context,
        key: Key,
        work: impl FnOnce(&Outbox, &Context) -> Result<Done, Error> + Send + 'static,
    ) -> Result<Delivery, Error> {
        let make = async || {
            let store = Arc::new(Store::in_memory().map_err(|error| errors::store(&error))?);
            Ok(Outbox { store, ..self.base.0.clone() })
        };
        let (base, copied) = (self.base.clone(), Arc::clone(&self.copied));
        let mut delivery = run(self.planned.get_or_try_init(make).await?, cx, move |planned, cx| {
            base.copy_to(planned, &key, &copied)?;
            work(planned, cx).map(Done::without_undo)
        })
        .await?;
        if delivery.change.effect == Effect::Changed {
            delivery.outcome = DeliveryOutcome::Planned;
        }
        Ok(delivery)
    }
}

impl Look {
    /// Copies each document once: what an earlier call of the same dry run planned of it, its removal included, is newer.
    fn copy_to(
        &self,
        planned: &Outbox,
        key: &Key,
        copied: &Mutex<BTreeSet<(&'static str, String)>>,
    ) -> Result<(), Error> {
        let alert = self.0.get::<Alert>(ALERTS, &key.text())?.map(|found| found.value.message);
        let joinable = self.0.get::<Lane>(LANES, &key.audience)?.and_then(|found| found.value.joinable);
        let messages = [alert, joinable].into_iter().flatten().map(|it| (MESSAGES, message_key(&key.audience, it)));
        let fixed = [(ALERTS, key.text()), (LANES, key.audience.clone()), (TO_HUB, TO_HUB.to_owned())];
        let sources = fixed.into_iter().chain(messages);
        let mut copied = copied.lock().unwrap_or_else(PoisonError::into_inner);
        for (collection, name) in sources {
            if !copied.insert((collection, name.clone())) {
                continue;
            }
            let Some(document) = self.0.document(collection, &name)? else { continue };
            let (value, expected) = (Value::Is(document.value), Expected::Any);
            planned.write(&[Write { collection, key: name, value, expected, expires_ms: document.expires_ms }])?;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl notify::Backend for Overlay {
    async fn trigger_event(&self, cx: &Context, call: &TriggerEvent) -> Result<Delivery, Error> {
        let (key, theirs) = (Key::new(cx, &call.event.audience, &call.event.dedup_key), call.clone());
        self.plan(cx, key, move |planned, cx| planned.trigger(cx, &theirs.event)).await
    }

    async fn acknowledge_event(&self, cx: &Context, call: &AcknowledgeEvent) -> Result<Delivery, Error> {
        let (key, theirs) = (Key::new(cx, &call.audience, &call.dedup_key), call.clone());
        self.plan(cx, key, move |planned, cx| planned.acknowledge(cx, &theirs)).await
    }

    async fn resolve_event(&self, cx: &Context, call: &ResolveEvent) -> Result<Delivery, Error> {
        let (key, theirs) = (Key::new(cx, &call.audience, &call.dedup_key), call.clone());
        self.plan(cx, key, move |planned, cx| planned.resolve(cx, &theirs)).await
    }
}
