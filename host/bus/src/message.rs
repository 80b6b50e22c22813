//! What travels, and how much of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use model::Digest;
use serde::{Deserialize, Serialize};
use trust::Name;

use crate::Device;

/// The most bytes of a mailbox: 10,000 of them are 640 MiB at worst, and 15 MB as they are in practice.
pub const MAILBOX_BYTES_MAX: usize = 64 << 10;

/// The most documents that a mailbox names: as many digests as fit into one.
pub const NAMED_MAX: usize = 1_000;

/// The most bytes of a document: whatever `trust` reads.
pub const DOCUMENT_BYTES_MAX: usize = trust::SIGNED_BYTES_MAX;

/// The most documents that are asked for at once.
pub const DOCUMENTS_MAX: usize = 64;

/// The most bytes of a message. What is larger travels as a document does, or in parts.
pub const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// The most messages that are delivered at once: a device that was away sends more than one such batch.
pub const MESSAGES_MAX: usize = 256;

/// The most bytes of all bodies of one delivery, and of the documents in one answer: the largest document fits.
pub const BATCH_BYTES_MAX: usize = 2 << 20;

/// The longest that anybody waits for a doorbell in one go: proxies end what is silent for longer.
pub const WAIT_MAX: Duration = Duration::from_secs(300);

/// More than may be: nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: at most {most}")]
pub struct TooMuch {
    /// Of what.
    pub what: &'static str,
    /// How much may be.
    pub most: usize,
}

impl TooMuch {
    /// Whether a delivery is within its limits.
    pub fn in_delivery(messages: &[Message]) -> Result<(), Self> {
        Self::of("messages of a delivery", messages.len(), MESSAGES_MAX)?;
        for message in messages {
            Self::of("bytes of a message", message.body.len(), MESSAGE_BYTES_MAX)?;
        }
        let bytes = messages.iter().map(|it| it.body.len()).sum();
        Self::of("bytes of a delivery", bytes, BATCH_BYTES_MAX)
    }

    /// Whether so much of it may be.
    pub fn of(what: &'static str, found: usize, most: usize) -> Result<(), Self> {
        if found > most { Err(Self { what, most }) } else { Ok(()) }
    }
}

/// How often a mailbox was replaced, as its backend counts: it goes up, and by how much says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision(pub u64);

/// What lies in a device's mailbox. Its content is for `fleet` to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// What a replacement has to name.
    pub revision: Revision,
    /// The document.
    pub bytes: Bytes,
}

/// Which spool of a device a message comes from. Made by chance with each new spool: one that begins anew, or comes back out of
/// a backup, may count from one again without meeting what it sent before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Spool(pub u64);

/// What a device has to say, once: `(device, spool, sequence)` is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which spool.
    pub spool: Spool,
    /// Goes up by one with each message of that spool.
    pub sequence: u64,
    /// What it is: `result`, `record`, `ticket`. A hub keeps what it does not know.
    pub kind: Name,
    /// At most [`MESSAGE_BYTES_MAX`].
    pub body: Bytes,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ack {
    /// Which spool.
    pub spool: Spool,
    /// Which message of it.
    pub sequence: u64,
    /// What became of it.
    pub taken: Taken,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// It is durable, and was not there before.
    New,
    /// It was durable already.
    Known,
    /// It is durable, and what it changes is not what is there: all of that is to be said.
    WantsWhole,
    /// Another one is there under its key. It is sent again under a new spool.
    Differs,
}

/// What was found of the documents that were asked for. What is in neither list did not fit, and is asked for again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Those that were found, in the order in which they were asked for. Their digests say which is which.
    pub documents: Vec<Bytes>,
    /// Those that are not there for whoever asks.
    pub missing: Vec<Digest>,
}

/// Where in the log: it goes up, and by how much says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position(pub u64);

/// A message in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Where.
    pub position: Position,
    /// Who said it.
    pub device: Device,
    /// What.
    pub message: Message,
}

/// That a device is there, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Beat {
    /// Its clock, in milliseconds since 1970: who is off by much hears of it.
    pub at_ms: u64,
    /// The mailbox that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<Digest>,
    /// How many messages wait in its spool.
    pub waiting: u64,
    /// Which agent: at most 64 characters count.
    pub agent: String,
}

impl fmt::Display for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Spool {
    type Err = NotASpool;

    fn from_str(text: &str) -> Result<Self, NotASpool> {
        let spool = u64::from_str_radix(text, 16).map(Self).map_err(|_| NotASpool)?;
        (spool.to_string() == text).then_some(spool).ok_or(NotASpool)
    }
}

impl TryFrom<String> for Spool {
    type Error = NotASpool;

    fn try_from(text: String) -> Result<Self, NotASpool> {
        text.parse()
    }
}

impl From<Spool> for String {
    fn from(spool: Spool) -> Self {
        spool.to_string()
    }
}

/// The text names no spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a spool: expected 16 lower-case hex digits")]
pub struct NotASpool;
