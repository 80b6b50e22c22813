//! What devices say. All of it is kept as it came; of what is understood more is made, in the same transaction.

use std::collections::BTreeMap;

use bus::{Ack, Device, Logged, Message, Position, Taken};
use model::Digest;
use serde::Deserialize;
use serde_json::{Map, Value};
use trust::statement::{self, Report};
use trust::{Kind, Signed};

use crate::Error;
use crate::db::{
    Change, FACTS_BYTES_MAX, FACTS_MAX, Kept, LoggedRow, NewMessage, NewResult, Stated, StatedKey, StatedNote, Told,
};
use crate::scope::Held;

/// The most bytes of what a ticket or a notification goes by, and of a ticket's title.
const LINE_BYTES_MAX: usize = 256;

/// The most bytes of their text.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// The most bytes of a notification with all that it tells of.
const NOTIFICATION_BYTES_MAX: usize = 256 << 10;

/// The most bytes of a note that comes with a ticket: devices cut what is longer, and have it whole.
const NOTE_BYTES_MAX: usize = 4 << 10;

/// The most notes that come with a ticket: the latest.
const NOTES_MAX: usize = 20;

/// A message, and what is understood of it.
pub(crate) struct Said {
    message: Message,
    new: NewMessage,
    more: More,
}

enum More {
    Nothing,
    Ticket(Ticket),
    Notification(Notification),
    Facts(Facts),
    Rows(fleet::Changed),
    Checked(fleet::Checked),
    Secrets(Secrets),
    Key(Key),
}

/// The body of a message of the kind `ticket`: how it stands now.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ticket {
    key: String,
    title: String,
    body: String,
    /// What the device calls it.
    id: String,
    /// Goes up with all that happens to it.
    revision: u64,
    is_open: bool,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    priority: u64,
    times: u64,
    resolution: Option<String>,
    #[serde(default)]
    notes: Vec<TicketNote>,
}

/// What was said about it on the device.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TicketNote {
    entry: u64,
    by: String,
    visibility: String,
    body: String,
    at_ms: u64,
}

/// The body of a message of the kind `notification`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Notification {
    key: String,
    body: String,
    /// Whom the hub is to tell; left out where the device did.
    #[serde(default)]
    audience: String,
    /// What people know the device by.
    #[serde(default)]
    source: Option<String>,
    /// What the hub is to tell: whoever tells it reads it.
    message: Option<Map<String, Value>>,
}

/// The body of a message of the kind `secrets`: which the device has, by name and version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Secrets {
    held: BTreeMap<String, u64>,
}

/// The body of a message of the kind `kv`: what a plugin keeps under a key, or no more.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Key {
    plugin: String,
    key: String,
    bytes: Option<u64>,
    value: Option<String>,
    #[serde(default)]
    written_ms: u64,
    expires_ms: Option<u64>,
}

/// The body of a message of the kind `facts`: what changed since the last one, and what comes out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Facts {
    /// Of what it applies to; none where it is all there is.
    before: Option<Digest>,
    /// Of what comes out.
    after: Digest,
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    gone: Vec<String>,
}

impl Said {
    /// Reads a message. What is not understood is no fault of whoever is newer: it is kept.
    pub(crate) fn read(pin: Digest, from: &Device, message: Message) -> Self {
        let result = (message.kind.as_str() == "result").then(|| result(pin, from, &message.body)).flatten();
        let more = match message.kind.as_str() {
            "ticket" => serde_json::from_slice(&message.body).ok().filter(Ticket::is_bounded).map(More::Ticket),
            "notification" if message.body.len() <= NOTIFICATION_BYTES_MAX => {
                serde_json::from_slice(&message.body).ok().filter(Notification::is_bounded).map(More::Notification)
            }
            "facts" if message.body.len() <= FACTS_BYTES_MAX => {
                serde_json::from_slice(&message.body).ok().map(More::Facts)
            }
            "inventory" => fleet::Changed::read(&message.body).ok().map(More::Rows),
            "inventory-check" => fleet::Checked::read(&message.body).ok().map(More::Checked),
            "kv" => serde_json::from_slice(&message.body).ok().filter(Key::is_bounded).map(More::Key),
            "secrets" if message.body.len() <= TEXT_BYTES_MAX => {
                serde_json::from_slice(&message.body).ok().map(More::Secrets)
            }
            _ => None,
        };
        let new = NewMessage {
            spool: message.spool.to_string(),
            sequence: message.sequence,
            kind: message.kind.to_string(),
            body: message.body.to_vec(),
            result,
        };
        Self { message, new, more: more.unwrap_or(More::Nothing) }
    }

    /// Whether somebody is to be told.
    pub(crate) fn is_to_tell(&self) -> bool {
        matches!(&self.more, More::Notification(it) if it.message.is_some())
    }

    /// The order that it is a result of.
    pub(crate) fn order(&self) -> Option<&str> {
        self.new.result.as_ref().map(|it| it.order.as_str())
    }

    /// Keeps it. What came before makes no second ticket either.
    pub(crate) fn keep(&self, change: &Change<'_>, held: &Held, device: &str, now_ms: u64) -> Result<Ack, Error> {
        let taken = match change.append(held, device, &self.new, now_ms)? {
            Kept::New if self.is_taken(change, held, device, now_ms)? => Taken::New,
            Kept::New => Taken::WantsWhole,
            Kept::Known => Taken::Known,
            Kept::Differs => Taken::Differs,
        };
        Ok(Ack { spool: self.message.spool, sequence: self.message.sequence, taken })
    }

    /// Makes of it what is to be made. Not so where it changes what is not here: then what was here stays until all of it comes.
    fn is_taken(&self, change: &Change<'_>, held: &Held, device: &str, now_ms: u64) -> Result<bool, Error> {
        match &self.more {
            More::Nothing => {}
            More::Ticket(it) => {
                let notes: Vec<StatedNote<'_>> = it.notes.iter().map(TicketNote::stated).collect();
                change.ticket_stated(held, device, &it.stated(), &notes, now_ms)?;
            }
            More::Notification(it) => {
                change.notify(held, device, &it.told(), now_ms)?;
            }
            More::Key(it) => change.keep_key(held, device, &it.stated())?,
            More::Secrets(it) => change.secrets_held(held, device, &it.held)?,
            More::Facts(it) => {
                change.saw(held, device, now_ms)?;
                return it.take(change, held, device, now_ms);
            }
            More::Rows(it) => return change.take_rows(held, device, it, now_ms),
            More::Checked(it) => return change.has_rows(held, device, it, now_ms),
        }
        Ok(true)
    }
}

impl Facts {
    /// Takes it, if it applies to what is here and comes to what it says; else the device and the hub do not mean the same.
    fn take(&self, change: &Change<'_>, held: &Held, device: &str, now_ms: u64) -> Result<bool, Error> {
        let known = change.facts(device)?;
        let digest = |facts: &Map<String, Value>| Digest::of_json(&Value::Object(facts.clone()));
        if self.before.is_some_and(|before| before != digest(&known)) {
            return Ok(false);
        }
        let mut after = if self.before.is_some() { known.clone() } else { Map::new() };
        after.extend(self.set.clone());
        self.gone.iter().for_each(|name| drop(after.remove(name)));
        if digest(&after) != self.after || after.len() > FACTS_MAX {
            // What does not come to what it says as a whole does so no better the next time.
            return Ok(self.before.is_none());
        }
        let gone = known.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.clone(), None));
        let gone: Vec<(String, Option<Value>)> = gone.collect();
        let all: Vec<(String, Option<Value>)> =
            after.into_iter().map(|(name, value)| (name, Some(value))).chain(gone).collect();
        change.put_facts(held, device, &all, now_ms).map(|_| true)
    }
}

impl Ticket {
    fn is_bounded(&self) -> bool {
        let lines = [&self.key, &self.title, &self.id, &self.severity];
        let texts = [Some(&self.body), self.resolution.as_ref()];
        let is_bounded = |it: &TicketNote| {
            it.by.len() <= LINE_BYTES_MAX && it.visibility.len() <= LINE_BYTES_MAX && it.body.len() <= NOTE_BYTES_MAX
        };
        lines.into_iter().all(|it| it.len() <= LINE_BYTES_MAX)
            && texts.into_iter().flatten().all(|it| it.len() <= TEXT_BYTES_MAX)
            && self.notes.len() <= NOTES_MAX
            && self.notes.iter().all(is_bounded)
    }

    fn stated(&self) -> Stated<'_> {
        Stated {
            origin: &self.id,
            key: &self.key,
            revision: self.revision,
            is_open: self.is_open,
            severity: &self.severity,
            priority: self.priority,
            title: &self.title,
            body: &self.body,
            times: self.times,
            resolution: self.resolution.as_deref(),
        }
    }
}

impl Key {
    fn is_bounded(&self) -> bool {
        let value = self.value.as_deref().unwrap_or_default();
        self.plugin.len() <= LINE_BYTES_MAX && self.key.len() <= LINE_BYTES_MAX && value.len() <= TEXT_BYTES_MAX
    }

    fn stated(&self) -> StatedKey<'_> {
        StatedKey {
            plugin: &self.plugin,
            key: &self.key,
            bytes: self.bytes,
            value: self.value.as_deref(),
            written_ms: self.written_ms,
            expires_ms: self.expires_ms,
        }
    }
}

impl TicketNote {
    fn stated(&self) -> StatedNote<'_> {
        StatedNote {
            entry: self.entry,
            by: &self.by,
            visibility: &self.visibility,
            body: &self.body,
            at_ms: self.at_ms,
        }
    }
}

impl Notification {
    fn is_bounded(&self) -> bool {
        let source = self.source.as_deref().unwrap_or_default();
        [&self.key, &self.audience, source].iter().all(|it| it.len() <= LINE_BYTES_MAX)
            && self.body.len() <= TEXT_BYTES_MAX
            && self.message.is_some() != self.audience.is_empty()
    }

    fn told(&self) -> Told<'_> {
        let to_tell = self.message.as_ref().and_then(|message| serde_json::to_string(message).ok());
        let source = self.source.as_deref().unwrap_or_default();
        Told { key: &self.key, body: &self.body, audience: &self.audience, source, to_tell }
    }
}

/// A result that this very device signed for this tenant. Another's is kept, and counts for nobody.
pub(crate) fn result(pin: Digest, from: &Device, body: &[u8]) -> Option<NewResult> {
    let signed = Signed::from_text(body).ok()?;
    let read = statement::read::<Report>(signed.statement()).ok()?;
    let it = read.body;
    let is_its = Device::of(&it.device) == *from && it.tenant == pin;
    if !is_its || !signed.signers(Kind::Result).keys.contains(&it.device) {
        return None;
    }
    Some(NewResult {
        digest: read.digest.to_string(),
        order: it.order.to_string(),
        run: it.run.map(|run| run.to_string()),
        attempt: it.attempt,
        outcome: it.outcome.to_string(),
        verdict: it.verdict.to_string(),
        refused: it.refused.map(|code| code.to_string()),
        mode: crate::word(&it.mode),
        sequence: it.sequence,
        record: it.record.to_string(),
        ended_ms: crate::ms(it.ended),
    })
}

/// A message of the log, as the bus has it.
pub(crate) fn logged(row: LoggedRow) -> Result<Logged, Error> {
    let wrong = Error::unreadable("a message");
    let mut bytes = [0; 32];
    hex::decode_to_slice(&row.device, &mut bytes).map_err(|error| wrong(&error))?;
    let message = Message {
        spool: row.spool.parse().map_err(|error| wrong(&error))?,
        sequence: row.sequence,
        kind: row.kind.parse().map_err(|error| wrong(&error))?,
        body: row.body.into(),
    };
    Ok(Logged { position: Position(row.number), device: Device::from(bytes), message })
}
