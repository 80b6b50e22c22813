use std::sync::Arc;

use contract::ticket::{AddNote, AttachFile, Draft, RaiseOutcome, RaiseTicket, Raised, ResolveIfMine, Status};
use contract::types::{Change, Effect, Error};
use contract::{Context, Undo, ticket};
use model::{Clock, TicketId};
use serde::{Deserialize, Serialize};
use store::{Document, Expected, Store, Value, Write};

use crate::{Shared, Undoer, errors};

use super::life::{By, Token};
use super::policy::Policy;
use super::record::{Actor, Ticket};
use super::{check_draft, check_file, check_fingerprint, check_note, check_text};

/// Tickets by id.
pub(super) const TICKETS: &str = "ticket";
/// The id of the latest ticket, by device, plugin and fingerprint.
pub(super) const BY_FINGERPRINT: &str = "ticket-by-fingerprint";
/// Ids by number.
pub(super) const BY_NUMBER: &str = "ticket-by-number";
/// The last number given.
const COUNTER: &str = "ticket-counter";
/// How many tickets were new lately, by device and plugin.
const NEW_LATELY: &str = "ticket-new-lately";
/// What is attached, in base64, by ticket and entry.
pub(super) const FILES: &str = "ticket-file";

/// How often a write is tried again because somebody else's came first: each time, somebody got on.
const TRIES_MAX: u32 = 100;
const DAY_MS: u64 = 86_400_000;

/// Tickets in the device's store.
#[derive(Clone)]
pub struct Tickets {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) policy: Arc<Policy>,
}

/// Whose fingerprint: no plugin reaches another's tickets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) device: String,
    pub(super) plugin: String,
    pub(super) fingerprint: String,
}

impl Key {
    pub(super) fn new(cx: &Context, fingerprint: &str) -> Self {
        Self { device: cx.device.clone(), plugin: cx.plugin.clone(), fingerprint: fingerprint.to_owned() }
    }

    pub(super) fn of(ticket: &Ticket) -> Self {
        let fingerprint = ticket.stated.fingerprint.clone();
        Self { device: ticket.device.clone(), plugin: ticket.plugin.clone(), fingerprint }
    }

    /// Device and plugin have no slash, so only the last part may.
    pub(super) fn text(&self) -> String {
        format!("{}/{}/{}", self.device, self.plugin, self.fingerprint)
    }

    fn owner(&self) -> String {
        format!("{}/{}", self.device, self.plugin)
    }
}

/// A ticket as it is stored.
pub(super) struct Found {
    pub(super) ticket: Ticket,
    revision: u64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct NewLately {
    since_ms: u64,
    count: u32,
}

/// What a backend answered, and what would undo it.
pub(super) struct Done<T> {
    pub(super) answer: T,
    pub(super) undo: Option<Token>,
}

impl Tickets {
    /// Over what the device shares.
    pub fn new(shared: &Shared) -> Self {
        let policy = Arc::new(shared.policy.ticket.clone());
        Self { store: Arc::clone(&shared.store), clock: Arc::clone(&shared.clock), policy }
    }

    pub(super) fn get(&self, collection: &str, key: &str) -> Result<Option<Document>, Error> {
        self.store.get(collection, key, self.clock.now_ms()).map_err(|error| errors::store(&error))
    }

    /// Whether everything was as expected, and so was written.
    fn write(&self, writes: &[Write]) -> Result<bool, Error> {
        let written = self.store.write(writes, self.clock.now_ms()).map_err(|error| errors::store(&error))?;
        Ok(written.is_ok())
    }

    pub(super) fn read(&self, document: &Document) -> Result<Found, Error> {
        let mut ticket: Ticket =
            serde_json::from_str(&document.value).map_err(|error| errors::failed("ticket", error.to_string()))?;
        let is_past = |until_ms| until_ms < self.clock.now_ms();
        if ticket.status == Status::Resolved
            && ticket.resolution.as_ref().is_some_and(|it| is_past(it.reopens_until_ms))
        {
            ticket.status = Status::Closed;
        }
        Ok(Found { ticket, revision: document.revision })
    }

    pub(super) fn by_id(&self, id: &str) -> Result<Option<Found>, Error> {
        self.get(TICKETS, id)?.map(|document| self.read(&document)).transpose()
    }

    pub(super) fn by_number(&self, number: &str) -> Result<Option<Found>, Error> {
        match self.get(BY_NUMBER, number)? {
            Some(pointer) => self.by_id(&pointer.value),
            None => Ok(None),
        }
    }

    /// The latest ticket of a fingerprint, open or not.
    pub(super) fn latest(&self, key: &Key) -> Result<Option<Found>, Error> {
        match self.get(BY_FINGERPRINT, &key.text())? {
            Some(pointer) => self.by_id(&pointer.value),
            None => Ok(None),
        }
    }

    fn open_one(&self, key: &Key) -> Result<Option<Found>, Error> {
        Ok(self.latest(key)?.filter(|found| found.ticket.is_open()))
    }

    pub(super) fn page(&self, after: &str, limit: u32) -> Result<Vec<Document>, Error> {
        self.store.list(TICKETS, "", after, limit, self.clock.now_ms()).map_err(|error| errors::store(&error))
    }

    /// Has `attempt` read, change and write, until nobody else came in between.
    pub(super) fn until_written<T>(&self, mut attempt: impl FnMut() -> Result<Option<T>, Error>) -> Result<T, Error> {
        for _ in 0..TRIES_MAX {
            if let Some(done) = attempt()? {
                return Ok(done);
            }
        }
        Err(errors::busy("store", "others write the same tickets all the time"))
    }

    fn write_of(&self, ticket: &Ticket, expected: Expected) -> Result<Write, Error> {
        let value = serde_json::to_string(ticket).map_err(|error| errors::failed("ticket", error.to_string()))?;
        let expires_ms = self.expires_ms(ticket);
        Ok(Write { collection: TICKETS, key: ticket.id.clone(), value: Value::Is(value), expected, expires_ms })
    }

    /// Stores a changed ticket and what comes with it; not where somebody changed it meanwhile.
    pub(super) fn save(&self, found: &Found, with: Option<Write>) -> Result<bool, Error> {
        let mut writes = vec![self.write_of(&found.ticket, Expected::Revision(found.revision))?];
        writes.extend(with);
        writes.extend(self.go_along(&found.ticket)?);
        self.write(&writes)
    }

    fn by(&self, cx: &Context) -> By {
        let actor = Actor::Plugin(cx.plugin.clone());
        By { actor, run: Some(cx.run.clone()), at_ms: self.clock.now_ms() }
    }

    pub(super) fn raise(&self, cx: &Context, draft: &Draft) -> Result<Done<Raised>, Error> {
        check_draft(draft)?;
        let key = Key::new(cx, &draft.fingerprint);
        let by = self.by(cx);
        if let Some(mute) = self.policy.mute(&key.plugin, &key.fingerprint, by.at_ms) {
            let state = self.latest(&key)?.map(|found| found.ticket.state());
            return Ok(suppressed(state, mute.reason.clone()));
        }
        self.until_written(|| self.try_raise(&key, draft, &by))
    }

    fn try_raise(&self, key: &Key, draft: &Draft, by: &By) -> Result<Option<Done<Raised>>, Error> {
        let pointer = self.get(BY_FINGERPRINT, &key.text())?;
        let latest = pointer.as_ref().map(|it| self.by_id(&it.value)).transpose()?.flatten();
        let Some(mut found) = latest.filter(|it| it.ticket.is_open() || it.ticket.status == Status::Resolved) else {
            return self.try_create(key, pointer.as_ref(), draft, by);
        };
        let before = found.ticket.clone();
        found.ticket.raise_again(draft, &self.policy, by);
        let outcome = if before.is_open() { RaiseOutcome::Appended } else { RaiseOutcome::Reopened };
        Ok(self.save(&found, None)?.then(|| raised(outcome, Some(&before), &found.ticket, by)))
    }

    /// One write makes the number, the ticket and what leads to it: there is never half of it. Whoever comes second finds the
    /// pointer changed, and adds to what the first one made.
    fn try_create(
        &self,
        key: &Key,
        pointer: Option<&Document>,
        draft: &Draft,
        by: &By,
    ) -> Result<Option<Done<Raised>>, Error> {
        let (quota, mut lately) = self.new_lately(key, by.at_ms)?;
        if lately.count >= self.policy.new_per_day_max {
            let reason = format!("{} new tickets in 24 hours: policy allows no more", lately.count);
            return Ok(Some(suppressed(None, reason)));
        }
        lately.count += 1;
        let counter = self.get(COUNTER, "last")?;
        let last_number: u64 = counter.as_ref().and_then(|it| it.value.parse().ok()).unwrap_or_default();
        let number = format!("{}-{:06}", self.policy.number_prefix, last_number + 1);
        let id = TicketId::new().to_string();
        let ticket = Ticket::open(&id, number.clone(), key, draft, &self.policy, by);
        let lately = serde_json::to_string(&lately).unwrap_or_default();
        let write = |collection, key: String, value: String, expected| Write {
            collection,
            key,
            value: Value::Is(value),
            expected,
            expires_ms: None,
        };
        let done = self.write(&[
            write(COUNTER, "last".to_owned(), (last_number + 1).to_string(), expected(counter.as_ref())),
            write(BY_FINGERPRINT, key.text(), id.clone(), expected(pointer)),
            write(BY_NUMBER, number, id, Expected::Absent),
            write(NEW_LATELY, key.owner(), lately, expected(quota.as_ref())),
            self.write_of(&ticket, Expected::Absent)?,
        ])?;
        Ok(done.then(|| raised(RaiseOutcome::Created, None, &ticket, by)))
    }

    fn new_lately(&self, key: &Key, now_ms: u64) -> Result<(Option<Document>, NewLately), Error> {
        let document = self.get(NEW_LATELY, &key.owner())?;
        let lately: NewLately =
            document.as_ref().and_then(|it| serde_json::from_str(&it.value).ok()).unwrap_or_default();
        let is_over = now_ms >= lately.since_ms.saturating_add(DAY_MS) || lately.count == 0;
        Ok((document, if is_over { NewLately { since_ms: now_ms, count: 0 } } else { lately }))
    }

    pub(super) fn note(&self, cx: &Context, call: &AddNote) -> Result<Done<Change>, Error> {
        check_fingerprint(&call.fingerprint)?;
        check_note(&call.body)?;
        let key = Key::new(cx, &call.fingerprint);
        self.until_written(|| {
            let mut found = self.open_one(&key)?.ok_or_else(no_open_ticket)?;
            let before = found.ticket.clone();
            found.ticket.note(&call.body, call.visibility, &self.by(cx))?;
            let count = |ticket: &Ticket| Some(format!("notes: {}", ticket.notes.len()));
            let change = Change::new(Effect::Changed, count(&before), count(&found.ticket));
            Ok(self.save(&found, None)?.then(|| done(change, &before, &found.ticket, cx)))
        })
    }

    pub(super) fn attach(&self, cx: &Context, call: &AttachFile) -> Result<Done<Change>, Error> {
        check_fingerprint(&call.fingerprint)?;
        check_file(&call.name, &call.media_type, &call.content)?;
        let key = Key::new(cx, &call.fingerprint);
        let digest = model::Digest::of(&call.content);
        self.until_written(|| {
            let mut found = self.open_one(&key)?.ok_or_else(no_open_ticket)?;
            let before = found.ticket.clone();
            let mut attached = before.attachments.iter().filter(|it| !it.withdrawn);
            if attached.any(|it| it.name == call.name && it.sha256 == digest) {
                return Ok(Some(Done { answer: Change::unchanged(Some(digest.to_string())), undo: None }));
            }
            let entry = found.ticket.attach(&call.name, &call.media_type, &call.content, &self.by(cx))?.entry;
            let content = Write {
                collection: FILES,
                key: file_key(&found.ticket.id, entry),
                // A document is never empty, a file may be.
                value: Value::Is(format!("base64:{}", contract::bytes::encode(&call.content))),
                expected: Expected::Absent,
                expires_ms: None,
            };
            let change = Change::new(Effect::Changed, None, Some(digest.to_string()));
            Ok(self.save(&found, Some(content))?.then(|| done(change, &before, &found.ticket, cx)))
        })
    }

    pub(super) fn content(&self, id: &str, entry: u64) -> Result<Option<String>, Error> {
        let document = self.get(FILES, &file_key(id, entry))?;
        Ok(document.and_then(|it| it.value.strip_prefix("base64:").map(str::to_owned)))
    }

    pub(super) fn resolve(&self, cx: &Context, call: &ResolveIfMine) -> Result<Done<Change>, Error> {
        check_fingerprint(&call.fingerprint)?;
        check_text("resolution", &call.resolution)?;
        let key = Key::new(cx, &call.fingerprint);
        self.until_written(|| {
            let latest = self.latest(&key)?;
            let state = latest.as_ref().map(|found| found.ticket.state());
            let Some(mut found) = latest.filter(|found| found.ticket.is_open()) else {
                return Ok(Some(Done { answer: Change::unchanged(state), undo: None }));
            };
            let by = self.by(cx);
            if found.ticket.person_replied {
                let is_said = !found.ticket.keep_open(&call.resolution, &by)? || self.save(&found, None)?;
                return if is_said { Err(person_replied(&found.ticket)) } else { Ok(None) };
            }
            let before = found.ticket.clone();
            found.ticket.resolve(&call.resolution, &self.policy, &by);
            let change = Change::new(Effect::Changed, state, Some(found.ticket.state()));
            Ok(self.save(&found, None)?.then(|| done(change, &before, &found.ticket, cx)))
        })
    }

    fn take_back(&self, cx: &Context, token: &Token) -> Result<Change, Error> {
        self.until_written(|| {
            let mut found =
                self.by_id(&token.ticket)?.ok_or_else(|| errors::not_found("the ticket is no longer kept"))?;
            let before = found.ticket.state();
            found.ticket.undo(token, &self.by(cx))?;
            let change = Change::new(Effect::Changed, Some(before), Some(found.ticket.state()));
            Ok(self.save(&found, None)?.then_some(change))
        })
    }

    /// Makes a ticket that was there before: for fixtures.
    pub(super) fn put(&self, key: &Key, ticket: &Ticket) -> Result<(), Error> {
        let (id, number) = (ticket.id.clone(), ticket.number.clone());
        let write = |collection, key: String, value: String| Write {
            collection,
            key,
            value: Value::Is(value),
            expected: Expected::Any,
            expires_ms: None,
        };
        let last = number.rsplit('-').next().unwrap_or_default().trim_start_matches('0').to_owned();
        self.write(&[
            self.write_of(ticket, Expected::Any)?,
            write(BY_FINGERPRINT, key.text(), id.clone()),
            write(BY_NUMBER, number, id),
            write(COUNTER, "last".to_owned(), last),
        ])?;
        Ok(())
    }

    /// Copies what a dry run needs to know of a fingerprint into another store.
    pub(super) fn copy_to(&self, other: &Self, key: &Key) -> Result<(), Error> {
        let mut sources = vec![(NEW_LATELY, key.owner()), (COUNTER, "last".to_owned()), (BY_FINGERPRINT, key.text())];
        if let Some(found) = self.latest(key)? {
            sources.push((TICKETS, found.ticket.id));
        }
        for (collection, name) in sources {
            let Some(document) = self.get(collection, &name)? else { continue };
            let value = Value::Is(document.value);
            let write = Write { collection, key: name, value, expected: Expected::Absent, expires_ms: None };
            // What an earlier call of the same dry run planned is newer.
            other.write(&[write])?;
        }
        Ok(())
    }
}

/// Where the content of a file is, by the number of its entry.
pub(super) fn file_key(id: &str, entry: u64) -> String {
    format!("{id}/{entry}")
}

fn expected(document: Option<&Document>) -> Expected {
    document.map_or(Expected::Absent, |document| Expected::Revision(document.revision))
}

fn raised(outcome: RaiseOutcome, before: Option<&Ticket>, ticket: &Ticket, by: &By) -> Done<Raised> {
    let run = by.run.as_deref().unwrap_or_default();
    let change =
        Change::new(Effect::Changed, before.map(Ticket::state), Some(ticket.state())).with("outcome", outcome.word());
    let answer = Raised { outcome, change, ticket: Some(ticket.view()), reason: String::new() };
    Done { answer, undo: Some(ticket.token(before, run)) }
}

fn suppressed(state: Option<String>, reason: String) -> Done<Raised> {
    let outcome = RaiseOutcome::Suppressed;
    let change = Change::unchanged(state).with("outcome", outcome.word());
    Done { answer: Raised { outcome, change, ticket: None, reason }, undo: None }
}

fn done(change: Change, before: &Ticket, ticket: &Ticket, cx: &Context) -> Done<Change> {
    Done { answer: change, undo: Some(ticket.token(Some(before), &cx.run)) }
}

fn no_open_ticket() -> Error {
    errors::not_found("no ticket of this fingerprint is open: raise it first")
}

fn person_replied(ticket: &Ticket) -> Error {
    let message = format!("a person has replied to {}: it stays open, with a note", ticket.number);
    errors::conflict("person-replied", message)
}

/// Runs the store's work where blocking is allowed, and leaves what would undo it.
pub(super) async fn run<T: Send + 'static>(
    tickets: &Tickets,
    cx: &Context,
    fingerprint: &str,
    work: impl FnOnce(&Tickets, &Context) -> Result<Done<T>, Error> + Send + 'static,
) -> Result<T, Error> {
    let (tickets, theirs) = (tickets.clone(), cx.with_scope(Vec::new()));
    let done = tokio::task::spawn_blocking(move || work(&tickets, &theirs))
        .await
        .map_err(|error| errors::failed("task", error.to_string()))??;
    if let Some(token) = done.undo {
        let token = serde_json::to_value(token).unwrap_or_default();
        cx.can_undo(Undo { target: fingerprint.to_owned(), token });
    }
    Ok(done.answer)
}

#[async_trait::async_trait]
impl ticket::Backend for Tickets {
    async fn raise_ticket(&self, cx: &Context, call: &RaiseTicket) -> Result<Raised, Error> {
        let theirs = call.clone();
        run(self, cx, &call.ticket.fingerprint, move |it, cx| it.raise(cx, &theirs.ticket)).await
    }

    async fn add_note(&self, cx: &Context, call: &AddNote) -> Result<Change, Error> {
        let theirs = call.clone();
        run(self, cx, &call.fingerprint, move |it, cx| it.note(cx, &theirs)).await
    }

    async fn attach_file(&self, cx: &Context, call: &AttachFile) -> Result<Change, Error> {
        let theirs = call.clone();
        run(self, cx, &call.fingerprint, move |it, cx| it.attach(cx, &theirs)).await
    }

    async fn resolve_if_mine(&self, cx: &Context, call: &ResolveIfMine) -> Result<Change, Error> {
        let theirs = call.clone();
        run(self, cx, &call.fingerprint, move |it, cx| it.resolve(cx, &theirs)).await
    }
}

#[async_trait::async_trait]
impl Undoer for Tickets {
    async fn undo(&self, cx: &Context, undo: &Undo) -> Result<Change, Error> {
        let token: Token = serde_json::from_value(undo.token.clone())
            .map_err(|error| errors::failed("undo-token", error.to_string()))?;
        run(self, cx, &undo.target, move |it, cx| it.take_back(cx, &token).map(|answer| Done { answer, undo: None }))
            .await
    }
}
