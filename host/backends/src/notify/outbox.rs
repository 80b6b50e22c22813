use std::borrow::Cow;
use std::sync::Arc;

use contract::notify::{AcknowledgeEvent, Delivery, DeliveryOutcome, Notification, ResolveEvent, TriggerEvent};
use contract::types::{Change, Effect, Error};
use contract::{Context, Undo, notify};
use model::Clock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Document, Expected, Store, Value, Write};

use crate::{Shared, Undoer, attributes, errors};

use super::policy::{Policy, Route, Way};
use super::record::{Action, Alert, Event, Lane, Message};
use super::{EVENTS_MAX, WAITING_MAX, check};

/// Open alerts, by audience, device, plugin and dedup key.
pub(super) const ALERTS: &str = "notify-alert";
/// What waits, by audience and number.
pub(super) const MESSAGES: &str = "notify-message";
/// What each route remembers.
pub(super) const LANES: &str = "notify-lane";

/// There, while this machine belongs to a hub: audiences without a route are told by it.
pub const TO_HUB: &str = "notify-to-hub";

const HOUR_MS: u64 = 3_600_000;
/// How long an alert that nobody resolves or repeats stays open.
const ALERT_MS_MAX: u64 = 90 * 24 * HOUR_MS;
/// How many alerts are read at once.
const PAGE: u32 = 200;
/// How often a write is tried again because somebody else's came first: each time, somebody got on.
const TRIES_MAX: u32 = 100;

/// What plugins want to be told, in the device's store until it has been.
#[derive(Clone)]
pub struct Outbox {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) policy: Arc<Policy>,
}

/// A value and the revision that it was read at.
pub(super) struct Read<T> {
    pub(super) value: T,
    pub(super) expected: Expected,
}

/// Whose alert, and where it is told.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) audience: String,
    pub(super) alert: String,
}

impl Key {
    pub(super) fn new(cx: &Context, audience: &str, dedup_key: &str) -> Self {
        Self { audience: audience.to_owned(), alert: format!("{}/{}/{dedup_key}", cx.device, cx.plugin) }
    }

    pub(super) fn text(&self) -> String {
        format!("{}/{}", self.audience, self.alert)
    }
}

/// What undoing needs: the alert, and the message that has not left yet.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Token {
    audience: String,
    alert: String,
    /// The message of the alert, where the call opened it.
    opened_by: Option<u64>,
}

pub(super) struct Done {
    pub(super) answer: Delivery,
    undo: Option<Token>,
}

impl Done {
    /// For what was not really done, or takes something back itself.
    pub(super) fn without_undo(self) -> Self {
        Self { undo: None, ..self }
    }
}

/// A message's key sorts as its number does.
pub(super) fn message_key(audience: &str, number: u64) -> String {
    format!("{audience}/{number:012}")
}

impl Outbox {
    /// Over what the device shares.
    pub fn new(shared: &Shared) -> Self {
        let policy = Arc::new(shared.policy.notify.clone());
        Self { store: Arc::clone(&shared.store), clock: Arc::clone(&shared.clock), policy }
    }

    /// What somebody was told and is not over yet, by its key.
    pub fn alerts(&self) -> Result<Vec<(String, Alert)>, Error> {
        let (mut alerts, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.store.list(ALERTS, "", &after, PAGE, self.clock.now_ms());
            let page = page.map_err(|error| errors::store(&error))?;
            let Some(last) = page.last() else { return Ok(alerts) };
            after.clone_from(&last.key);
            for document in page {
                let alert = serde_json::from_str(&document.value);
                let alert = alert.map_err(|error| errors::failed("alert", format!("`{}`: {error}", document.key)))?;
                alerts.push((document.key, alert));
            }
        }
    }

    /// What is due and is the hub's to tell: by its collection and key, under which whoever has handed it over removes it, with the
    /// audience. The oldest first of each audience, and no more than so many.
    pub fn for_hub(&self, most: usize) -> Result<Vec<(&'static str, String, String, Message)>, Error> {
        let (mut due, mut after) = (Vec::new(), String::new());
        let now_ms = self.clock.now_ms();
        while due.len() < most {
            let page = self.store.list(MESSAGES, "", &after, PAGE, now_ms).map_err(|error| errors::store(&error))?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.key);
            for document in page {
                let Some((audience, _)) = document.key.rsplit_once('/') else { continue };
                let audience = audience.to_owned();
                if due.len() >= most || !self.is_for_hub(&audience)? {
                    continue;
                }
                let message: Message = serde_json::from_str(&document.value)
                    .map_err(|error| errors::failed("outbox", error.to_string()))?;
                // What others may still join stays until they may no more.
                let window_s = self.policy.routes.get(&audience).map_or(0, |route| route.group_window_seconds);
                let joinable_until_ms = message.queued_ms.saturating_add(window_s.saturating_mul(1_000));
                if message.not_before_ms.max(joinable_until_ms) <= now_ms {
                    due.push((MESSAGES, document.key, audience, message));
                }
            }
        }
        Ok(due)
    }

    pub(super) fn document(&self, collection: &str, key: &str) -> Result<Option<Document>, Error> {
        self.store.get(collection, key, self.clock.now_ms()).map_err(|error| errors::store(&error))
    }

    pub(super) fn get<T: DeserializeOwned>(&self, collection: &str, key: &str) -> Result<Option<Read<T>>, Error> {
        let read = |document: Document| {
            let value = serde_json::from_str(&document.value);
            let value = value.map_err(|error| errors::failed("outbox", error.to_string()))?;
            Ok(Read { value, expected: Expected::Revision(document.revision) })
        };
        self.document(collection, key)?.map(read).transpose()
    }

    /// Whether everything was as expected, and so was written.
    pub(super) fn write(&self, writes: &[Write]) -> Result<bool, Error> {
        let written = self.store.write(writes, self.clock.now_ms()).map_err(|error| errors::store(&error))?;
        Ok(written.is_ok())
    }

    pub(super) fn until_written<T>(&self, mut attempt: impl FnMut() -> Result<Option<T>, Error>) -> Result<T, Error> {
        for _ in 0..TRIES_MAX {
            if let Some(done) = attempt()? {
                return Ok(done);
            }
        }
        Err(errors::busy("store", "others write the same outbox all the time"))
    }

    /// Whether what is said to an audience goes to the hub.
    pub fn is_for_hub(&self, audience: &str) -> Result<bool, Error> {
        match self.policy.routes.get(audience) {
            Some(route) => Ok(matches!(route.way, Way::Hub)),
            None => Ok(self.document(TO_HUB, TO_HUB)?.is_some()),
        }
    }

    fn route(&self, audience: &str) -> Result<Cow<'_, Route>, Error> {
        if let Some(route) = self.policy.routes.get(audience) {
            return Ok(Cow::Borrowed(route));
        }
        let to_hub = self.document(TO_HUB, TO_HUB)?.map(|_| Cow::Owned(Route::of_hub()));
        to_hub.ok_or_else(|| {
            let message =
                format!("nobody is `{audience}` here: `[notify.routes.{audience}]` in host policy would say who");
            errors::not_found(message)
        })
    }

    fn lane(&self, audience: &str) -> Result<Read<Lane>, Error> {
        let lane = self.get(LANES, audience)?;
        let mut lane = lane.unwrap_or(Read { value: Lane::default(), expected: Expected::Absent });
        let since_ms = self.clock.now_ms().saturating_sub(HOUR_MS);
        lane.value.lately_ms.retain(|&at_ms| at_ms > since_ms);
        Ok(lane)
    }

    fn waiting(&self, audience: &str) -> Result<usize, Error> {
        let (most, now_ms) = (u32::try_from(WAITING_MAX).unwrap_or(u32::MAX), self.clock.now_ms());
        let page = self.store.list(MESSAGES, &format!("{audience}/"), "", most, now_ms);
        Ok(page.map_err(|error| errors::store(&error))?.len())
    }

    pub(super) fn trigger(&self, cx: &Context, stated: &Notification) -> Result<Done, Error> {
        check(stated)?;
        let route = self.route(&stated.audience)?;
        let key = Key::new(cx, &stated.audience, &stated.dedup_key);
        let event = Event {
            device: cx.device.clone(),
            plugin: cx.plugin.clone(),
            run: cx.run.clone(),
            at_ms: self.clock.now_ms(),
            stated: stated.clone(),
        };
        self.until_written(|| {
            let Some(found) = self.get::<Alert>(ALERTS, &key.text())? else {
                return self.tell(&route, &key, &event, None);
            };
            let alert = &found.value;
            let is_worse = stated.severity as u8 > alert.severity as u8;
            let again_ms = alert.told_ms.saturating_add(route.repeat_after_seconds.saturating_mul(1_000));
            match is_worse || event.at_ms >= again_ms {
                true => self.tell(&route, &key, &event, Some(&found)),
                false => self.repeat(&key, &event, &found),
            }
        })
    }

    /// Counts a repeat of what was already told.
    fn repeat(&self, key: &Key, event: &Event, found: &Read<Alert>) -> Result<Option<Done>, Error> {
        let alert = Alert { times: found.value.times.saturating_add(1), event: event.clone(), ..found.value.clone() };
        let written = self.write(&[write_alert(key, &alert, found.expected, event.at_ms)?])?;
        Ok(written.then(|| {
            let mut done = changed(DeliveryOutcome::Grouped, Some(&found.value), Some(&alert), key, None);
            done.answer.reason = "the alert is already open".to_owned();
            done
        }))
    }

    /// Tells of an alert: in a message that still waits, or in a new one.
    fn tell(
        &self,
        route: &Route,
        key: &Key,
        event: &Event,
        found: Option<&Read<Alert>>,
    ) -> Result<Option<Done>, Error> {
        let before = found.map(|found| &found.value);
        let expected = found.map_or(Expected::Absent, |found| found.expected);
        let mut lane = self.lane(&key.audience)?;
        let hold = Hold::of(route, event.stated.severity, event.at_ms);
        let alert = |message| Alert {
            acknowledged: false,
            severity: event.stated.severity,
            times: before.map_or(0, |alert| alert.times).saturating_add(1),
            told_ms: event.at_ms,
            message,
            event: event.clone(),
        };
        if let Some(mut joined) = self.joinable(route, key, &lane.value, event.at_ms, hold.is_some())? {
            joined.value.events.push(event.clone());
            let alert = alert(joined.value.number);
            let written = self.write(&[
                write_message(&key.audience, &joined.value, joined.expected)?,
                write_alert(key, &alert, expected, event.at_ms)?,
            ])?;
            return Ok(written.then(|| held(DeliveryOutcome::Grouped, before, &alert, key, hold)));
        }
        let lately = lane.value.lately_ms.len();
        if lately >= usize::try_from(route.per_hour_max).unwrap_or(usize::MAX) {
            return Ok(Some(dropped(before, format!("{lately} messages to `{}` in an hour: no more", key.audience))));
        }
        if self.waiting(&key.audience)? >= WAITING_MAX {
            return Ok(Some(dropped(before, format!("{WAITING_MAX} messages to `{}` wait: no more", key.audience))));
        }
        let message = lane.value.message(Action::Trigger, event, hold.as_ref(), event.at_ms);
        lane.value.lately_ms.push(event.at_ms);
        lane.value.joinable = Some(message.number);
        let alert = alert(message.number);
        let written = self.write(&[
            write_lane(&key.audience, &lane)?,
            write_message(&key.audience, &message, Expected::Absent)?,
            write_alert(key, &alert, expected, event.at_ms)?,
        ])?;
        Ok(written.then(|| held(DeliveryOutcome::Queued, before, &alert, key, hold)))
    }

    /// The message that still waits and that this may join.
    fn joinable(
        &self,
        route: &Route,
        key: &Key,
        lane: &Lane,
        now_ms: u64,
        is_held: bool,
    ) -> Result<Option<Read<Message>>, Error> {
        let Some(number) = lane.joinable else { return Ok(None) };
        let found = self.get::<Message>(MESSAGES, &message_key(&key.audience, number))?;
        let window_ms = route.group_window_seconds.saturating_mul(1_000);
        Ok(found.filter(|found| {
            let message = &found.value;
            // An alert is never twice in one message: what it says of it would be two things.
            message.is_untouched()
                && message.held == is_held
                && now_ms < message.queued_ms.saturating_add(window_ms)
                && message.events.len() < EVENTS_MAX
                && message.events.iter().all(|event| event.alert() != key.alert)
        }))
    }

    pub(super) fn acknowledge(&self, cx: &Context, call: &AcknowledgeEvent) -> Result<Done, Error> {
        attributes::check_fingerprint("dedup-key", &call.dedup_key)?;
        let route = self.route(&call.audience)?;
        let key = Key::new(cx, &call.audience, &call.dedup_key);
        self.until_written(|| {
            let Some(found) = self.get::<Alert>(ALERTS, &key.text())? else { return Ok(Some(nothing_open())) };
            if found.value.acknowledged {
                let change = Change::unchanged(Some(found.value.state()));
                return Ok(Some(unchanged(DeliveryOutcome::Muted, change, "somebody already works on it")));
            }
            let (mut lane, now_ms) = (self.lane(&key.audience)?, self.clock.now_ms());
            let hold = Hold::of(&route, found.value.severity, now_ms);
            let alert = Alert { acknowledged: true, ..found.value.clone() };
            let message = lane.value.message(Action::Acknowledge, &alert.event, hold.as_ref(), now_ms);
            let written = self.write(&[
                write_lane(&key.audience, &lane)?,
                write_message(&key.audience, &message, Expected::Absent)?,
                write_alert(&key, &alert, found.expected, now_ms)?,
            ])?;
            Ok(written.then(|| held(DeliveryOutcome::Queued, Some(&found.value), &alert, &key, hold)))
        })
    }

    /// Over: somebody who was told is told. What quiet hours held back so far is taken out instead.
    pub(super) fn resolve(&self, cx: &Context, call: &ResolveEvent) -> Result<Done, Error> {
        attributes::check_fingerprint("dedup-key", &call.dedup_key)?;
        let route = self.route(&call.audience)?;
        let key = Key::new(cx, &call.audience, &call.dedup_key);
        self.until_written(|| {
            let Some(found) = self.get::<Alert>(ALERTS, &key.text())? else { return Ok(Some(nothing_open())) };
            let alert = &found.value;
            if let Some(taken_out) = self.without(&key, alert.message, |message| message.held)? {
                let written = self.write(&[taken_out, remove_alert(&key, found.expected)])?;
                return Ok(written.then(|| {
                    let mut done = changed(DeliveryOutcome::Muted, Some(alert), None, &key, None);
                    done.answer.reason = "quiet hours still held the alert back: nothing is sent".to_owned();
                    done
                }));
            }
            let (mut lane, now_ms) = (self.lane(&key.audience)?, self.clock.now_ms());
            let hold = Hold::of(&route, alert.severity, now_ms);
            let message = lane.value.message(Action::Resolve, &alert.event, hold.as_ref(), now_ms);
            let written = self.write(&[
                write_lane(&key.audience, &lane)?,
                write_message(&key.audience, &message, Expected::Absent)?,
                remove_alert(&key, found.expected),
            ])?;
            let (outcome, reason) = outcome(DeliveryOutcome::Queued, hold);
            Ok(written.then(|| {
                let mut done = changed(outcome, Some(alert), None, &key, None);
                done.answer.reason = reason;
                done
            }))
        })
    }

    /// The write that takes an alert out of a message nobody has begun to send; none where there is no such message.
    fn without(&self, key: &Key, number: u64, is_meant: impl Fn(&Message) -> bool) -> Result<Option<Write>, Error> {
        let Some(mut found) = self.get::<Message>(MESSAGES, &message_key(&key.audience, number))? else {
            return Ok(None);
        };
        if !found.value.is_untouched() || !is_meant(&found.value) {
            return Ok(None);
        }
        found.value.events.retain(|event| event.alert() != key.alert);
        let mut write = write_message(&key.audience, &found.value, found.expected)?;
        if found.value.events.is_empty() {
            write.value = Value::Gone;
        }
        Ok(Some(write))
    }

    /// Takes back an alert that the call opened, while its message has not left.
    fn take_back(&self, token: &Token) -> Result<Done, Error> {
        let key = Key { audience: token.audience.clone(), alert: token.alert.clone() };
        let sent = || errors::conflict("already-sent", "what somebody was told cannot be taken back");
        let opened_by = token.opened_by.ok_or_else(sent)?;
        self.until_written(|| {
            let found = self.get::<Alert>(ALERTS, &key.text())?.ok_or_else(sent)?;
            if found.value.times > 1 || found.value.acknowledged || found.value.message != opened_by {
                return Err(errors::conflict("newer-work", "the alert has been triggered or acknowledged since"));
            }
            let taken_out = self.without(&key, opened_by, |_| true)?.ok_or_else(sent)?;
            let written = self.write(&[taken_out, remove_alert(&key, found.expected)])?;
            Ok(written.then(|| changed(DeliveryOutcome::Muted, Some(&found.value), None, &key, None)))
        })
    }
}

impl Lane {
    fn message(&mut self, action: Action, event: &Event, hold: Option<&Hold>, now_ms: u64) -> Message {
        let number = self.next;
        self.next += 1;
        Message {
            number,
            action,
            events: vec![event.clone()],
            queued_ms: now_ms,
            not_before_ms: hold.map_or(now_ms, |hold| hold.until_ms),
            held: hold.is_some(),
            attempts: 0,
            claimed_until_ms: 0,
            problem: String::new(),
        }
    }
}

/// Until when quiet hours hold something back, and what to say of it.
struct Hold {
    until_ms: u64,
    reason: String,
}

impl Hold {
    fn of(route: &Route, severity: contract::types::Severity, now_ms: u64) -> Option<Self> {
        let hours = route.quiet_hours.as_ref()?;
        Some(Self { until_ms: hours.hold_until_ms(severity, now_ms)?, reason: hours.reason() })
    }
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| errors::failed("outbox", error.to_string()))
}

fn write_alert(key: &Key, alert: &Alert, expected: Expected, now_ms: u64) -> Result<Write, Error> {
    let expires_ms = Some(now_ms.saturating_add(ALERT_MS_MAX));
    Ok(Write { collection: ALERTS, key: key.text(), value: Value::Is(json(alert)?), expected, expires_ms })
}

fn remove_alert(key: &Key, expected: Expected) -> Write {
    Write { collection: ALERTS, key: key.text(), value: Value::Gone, expected, expires_ms: None }
}

fn write_lane(audience: &str, lane: &Read<Lane>) -> Result<Write, Error> {
    let value = Value::Is(json(&lane.value)?);
    Ok(Write { collection: LANES, key: audience.to_owned(), value, expected: lane.expected, expires_ms: None })
}

pub(super) fn write_message(audience: &str, message: &Message, expected: Expected) -> Result<Write, Error> {
    let key = message_key(audience, message.number);
    Ok(Write { collection: MESSAGES, key, value: Value::Is(json(message)?), expected, expires_ms: None })
}

fn changed(
    outcome: DeliveryOutcome,
    before: Option<&Alert>,
    after: Option<&Alert>,
    key: &Key,
    opened_by: Option<u64>,
) -> Done {
    let change =
        Change::new(Effect::Changed, before.map(Alert::state), after.map(Alert::state)).with("outcome", outcome.word());
    let undo = Some(Token { audience: key.audience.clone(), alert: key.alert.clone(), opened_by });
    Done { answer: Delivery { outcome, change, reason: String::new() }, undo }
}

/// What was told, or will be when quiet hours end.
fn held(otherwise: DeliveryOutcome, before: Option<&Alert>, alert: &Alert, key: &Key, hold: Option<Hold>) -> Done {
    let (outcome, reason) = outcome(otherwise, hold);
    let opened_by = before.is_none().then_some(alert.message);
    let mut done = changed(outcome, before, Some(alert), key, opened_by);
    done.answer.reason = reason;
    done
}

fn outcome(otherwise: DeliveryOutcome, hold: Option<Hold>) -> (DeliveryOutcome, String) {
    hold.map_or((otherwise, String::new()), |hold| (DeliveryOutcome::Muted, hold.reason))
}

fn unchanged(outcome: DeliveryOutcome, change: Change, reason: &str) -> Done {
    let change = change.with("outcome", outcome.word());
    Done { answer: Delivery { outcome, change, reason: reason.to_owned() }, undo: None }
}

/// Nothing is kept of it: once there is room again, the next one is told.
fn dropped(before: Option<&Alert>, reason: String) -> Done {
    unchanged(DeliveryOutcome::RateLimited, Change::unchanged(before.map(Alert::state)), &reason)
}

fn nothing_open() -> Done {
    unchanged(DeliveryOutcome::Muted, Change::unchanged(None), "no alert of this key is open")
}

/// Runs the store's work where blocking is allowed, and leaves what would undo it.
pub(super) async fn run(
    outbox: &Outbox,
    cx: &Context,
    work: impl FnOnce(&Outbox, &Context) -> Result<Done, Error> + Send + 'static,
) -> Result<Delivery, Error> {
    let (outbox, theirs) = (outbox.clone(), cx.with_scope(Vec::new()));
    let done = tokio::task::spawn_blocking(move || work(&outbox, &theirs))
        .await
        .map_err(|error| errors::failed("task", error.to_string()))??;
    if let Some(token) = done.undo {
        let target = format!("{}/{}", token.audience, token.alert);
        cx.can_undo(Undo { target, token: serde_json::to_value(token).unwrap_or_default() });
    }
    Ok(done.answer)
}

#[async_trait::async_trait]
impl notify::Backend for Outbox {
    async fn trigger_event(&self, cx: &Context, call: &TriggerEvent) -> Result<Delivery, Error> {
        let theirs = call.clone();
        run(self, cx, move |it, cx| it.trigger(cx, &theirs.event)).await
    }

    async fn acknowledge_event(&self, cx: &Context, call: &AcknowledgeEvent) -> Result<Delivery, Error> {
        let theirs = call.clone();
        run(self, cx, move |it, cx| it.acknowledge(cx, &theirs)).await
    }

    async fn resolve_event(&self, cx: &Context, call: &ResolveEvent) -> Result<Delivery, Error> {
        let theirs = call.clone();
        run(self, cx, move |it, cx| it.resolve(cx, &theirs)).await
    }
}

#[async_trait::async_trait]
impl Undoer for Outbox {
    async fn undo(&self, cx: &Context, undo: &Undo) -> Result<Change, Error> {
        let token: Token = serde_json::from_value(undo.token.clone())
            .map_err(|error| errors::failed("undo-token", error.to_string()))?;
        let taken = run(self, cx, move |it, _| it.take_back(&token).map(Done::without_undo)).await?;
        Ok(taken.change)
    }
}
