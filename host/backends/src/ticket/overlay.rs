use std::sync::Arc;

use contract::ticket::{AddNote, AttachFile, RaiseOutcome, RaiseTicket, Raised, ResolveIfMine};
use contract::types::{Change, Effect, Error};
use contract::{Context, ticket};
use store::Store;
use tokio::sync::OnceCell;

use crate::{Shared, errors};

use super::documents::{Done, Key, Tickets, run};

/// The device's tickets, to be read and not changed: all that a dry run gets of them.
#[derive(Clone)]
pub struct Look(Tickets);

impl Look {
    /// At what the device shares.
    pub fn new(shared: &Shared) -> Self {
        Self(Tickets::new(shared))
    }

    fn has(&self, key: &Key, id: &str) -> Result<bool, Error> {
        Ok(self.0.latest(key)?.is_some_and(|found| found.ticket.id == id))
    }
}

/// Tickets as they would be: the same logic over a store in memory, into which each ticket is copied before it is first
/// touched. So a dry run answers what the real run would, by construction.
pub struct Overlay {
    base: Look,
    planned: OnceCell<Tickets>,
}

impl Overlay {
    /// Over tickets that are only read.
    pub fn new(base: Look) -> Self {
        Self { base, planned: OnceCell::new() }
    }

    async fn planned(&self) -> Result<&Tickets, Error> {
        let make = async || {
            let store = Arc::new(Store::in_memory().map_err(|error| errors::store(&error))?);
            Ok(Tickets { store, ..self.base.0.clone() })
        };
        self.planned.get_or_try_init(make).await
    }

    async fn plan<T: Send + 'static>(
        &self,
        cx: &Context,
        fingerprint: &str,
        work: impl FnOnce(&Tickets, &Context) -> Result<Done<T>, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (base, key) = (self.base.clone(), Key::new(cx, fingerprint));
        run(self.planned().await?, cx, fingerprint, move |planned, cx| {
            base.0.copy_to(planned, &key)?;
            // What was not done needs no undoing.
            work(planned, cx).map(|done| Done { undo: None, ..done })
        })
        .await
    }
}

#[async_trait::async_trait]
impl ticket::Backend for Overlay {
    async fn raise_ticket(&self, cx: &Context, call: &RaiseTicket) -> Result<Raised, Error> {
        let (draft, base) = (call.ticket.clone(), self.base.clone());
        self.plan(cx, &call.ticket.fingerprint, move |planned, cx| {
            let mut done = planned.raise(cx, &draft)?;
            let answer = &mut done.answer;
            if answer.change.effect == Effect::Changed {
                answer.outcome = RaiseOutcome::Planned;
            }
            if let Some(view) = &answer.ticket
                && !base.has(&Key::new(cx, &draft.fingerprint), &view.id)?
            {
                answer.ticket = None;
            }
            Ok(done)
        })
        .await
    }

    async fn add_note(&self, cx: &Context, call: &AddNote) -> Result<Change, Error> {
        let theirs = call.clone();
        self.plan(cx, &call.fingerprint, move |planned, cx| planned.note(cx, &theirs)).await
    }

    async fn attach_file(&self, cx: &Context, call: &AttachFile) -> Result<Change, Error> {
        let theirs = call.clone();
        self.plan(cx, &call.fingerprint, move |planned, cx| planned.attach(cx, &theirs)).await
    }

    async fn resolve_if_mine(&self, cx: &Context, call: &ResolveIfMine) -> Result<Change, Error> {
        let theirs = call.clone();
        self.plan(cx, &call.fingerprint, move |planned, cx| planned.resolve(cx, &theirs)).await
    }
}
