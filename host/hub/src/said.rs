//! What devices say. All of it is kept as it came; of what is understood more is made, in the same transaction.

use bus::{Ack, Device, Logged, Message, Position, Taken};
use model::Digest;
use serde::Deserialize;
use serde_json::{Map, Value};
use trust::statement::{self, Report};
use trust::{Kind, Signed};

use crate::Error;
use crate::db::{Change, FACTS_BYTES_MAX, FACTS_MAX, Kept, LoggedRow, NewMessage, NewResult};
use crate::scope::Held;

/// The most bytes of what a ticket or a notification goes by, and of a ticket's title.
const LINE_BYTES_MAX: usize = 256;

/// The most bytes of their text.
const TEXT_BYTES_MAX: usize = 64 << 10;

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
}

/// The body of a message of the kind `ticket`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Ticket {
    key: String,
    title: String,
    body: String,
}

/// The body of a message of the kind `notification`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Notification {
    key: String,
    body: String,
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
            "notification" => {
                serde_json::from_slice(&message.body).ok().filter(Notification::is_bounded).map(More::Notification)
            }
            "facts" if message.body.len() <= FACTS_BYTES_MAX => {
                serde_json::from_slice(&message.body).ok().map(More::Facts)
            }
            "inventory" => fleet::Changed::read(&message.body).ok().map(More::Rows),
            "inventory-check" => fleet::Checked::read(&message.body).ok().map(More::Checked),
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
                change.open_ticket(held, (device, &it.key), (&it.title, &it.body), now_ms)?;
            }
            More::Notification(it) => {
                change.notify(held, device, &it.key, &it.body, now_ms)?;
            }
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
        self.key.len() <= LINE_BYTES_MAX && self.title.len() <= LINE_BYTES_MAX && self.body.len() <= TEXT_BYTES_MAX
    }
}

impl Notification {
    fn is_bounded(&self) -> bool {
        self.key.len() <= LINE_BYTES_MAX && self.body.len() <= TEXT_BYTES_MAX
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
