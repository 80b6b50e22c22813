use std::collections::BTreeMap;

use model::Digest;
use trust::statement::Order;
use trust::{Key, Signed, Time, Trust};

use super::{Against, Wait};
use crate::{BadMailbox, Facts};

/// What came.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Time went by, or facts or what is believed changed.
    Looked,
    /// The mailbox, as it was fetched.
    Mailbox(&'a [u8]),
    /// A document, as it was fetched by this digest.
    Document(Digest, &'a [u8]),
    /// The hub has no such document.
    Missing(Digest),
    /// What was handed over by this digest was refused. It is fetched again when the mailbox is another one.
    NotTaken(Digest),
}

/// What is known of the device at a step.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// By the device's clock.
    pub now: Time,
    /// What it believes.
    pub trust: &'a Trust,
    /// Its key.
    pub device: &'a Key,
    /// What it knows of itself.
    pub facts: &'a Facts,
}

/// What follows. What is to be kept is made durable together with the runs that begin, in one piece; then the rest is done.
#[derive(Debug, Default)]
pub struct Step {
    /// Rows to write, by their name; those without a text go. A device that dies before they are durable decides the same again.
    pub keep: BTreeMap<String, Option<String>>,
    /// Documents to fetch.
    pub fetch: Vec<Digest>,
    /// Documents for [`Trust::take`], in this order, with the digests by which they came. After that, a step with
    /// [`Input::NotTaken`] for each that was refused, and one with [`Input::Looked`].
    pub take: Vec<(Digest, Signed)>,
    /// Orders that begin now: each once, and one that stands also after each start of the agent.
    pub begin: Vec<Begun>,
    /// Orders that are refused: each is told in a result that the device signs.
    pub refused: Vec<Refused>,
    /// Orders that wait, each time all of them. One that stands and is among them begins no run.
    pub waiting: Vec<Waiting>,
    /// Orders that stood, and no longer do, by the digest of their statement: nothing of them begins any more.
    pub ended: Vec<Digest>,
    /// When to look again at the latest, where something waits for the time.
    pub wake: Option<Time>,
    /// Why the mailbox was not read. The one before it still counts.
    pub bad_mailbox: Option<BadMailbox>,
}

/// An order that begins: its windows, its class and the device's budgets are asked where runs are started.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// Of its statement.
    pub order: Digest,
    /// Of the document in which it came: see [`Inbox::names`](super::Inbox::names).
    pub document: Digest,
    /// What it says.
    pub body: Box<Order>,
    /// The device's ring.
    pub ring: Option<u32>,
}

/// An order that is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Of its statement; of the document, where that is none.
    pub order: Digest,
    /// What it says, where it is one.
    pub body: Option<Box<Order>>,
    /// Why.
    pub against: Against,
}

/// An order that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Of its statement.
    pub order: Digest,
    /// Why.
    pub wait: Wait,
}

impl Step {
    /// Whether nothing follows but waiting.
    pub fn is_idle(&self) -> bool {
        self.keep.is_empty()
            && self.fetch.is_empty()
            && self.take.is_empty()
            && self.begin.is_empty()
            && self.refused.is_empty()
            && self.ended.is_empty()
    }
}
