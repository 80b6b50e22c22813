//! The device's side: what to fetch, what to take, which orders begin, which wait and which are refused.
//!
//! In go the mailbox, documents as they were fetched, what is believed, facts and the time; out comes what follows. It does
//! nothing by itself: see [`Inbox::step`]. Nothing that comes in is believed for where it came from.

mod against;
mod order;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use model::Digest;
use trust::{Kind, Ordered, Refusal, Replays, Signed};

use self::order::Held;
use crate::{Counters, Mailbox, Posted, Shut};

pub use against::{Against, Wait};
pub use step::{Begun, Input, Look, Refused, Step, Waiting};

/// The most documents that are asked for at once: what comes waits in memory until it is looked at.
const FETCH_MAX: usize = 16;

/// The most bytes of trust documents that wait for the others: what is there is handed over then.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// The most orders that stand on a device.
const STANDING_MAX: usize = 64;

/// Kept: which documents are done with, so that they are not fetched anew after a restart.
const TAKEN: &str = "taken";

/// Kept: which orders were accepted, and how far each key has counted.
const REPLAYS: &str = "replays";

/// Kept: what stands, by the digest of its statement; so that it goes on while there is no hub.
const STANDING: &str = "standing/";

/// Of documents that come together, whose kind is taken first: each is signed by people that the ones before name.
const FIRST: [Kind; 4] = [Kind::Root, Kind::Roster, Kind::Key, Kind::Revocation];

/// What a device makes of its mailbox.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    /// The last one that was read; none since the start.
    mailbox: Option<Mailbox>,
    /// Documents that the hub does not have, or that are not what they are called. Asked for again with the next mailbox.
    missing: BTreeSet<Digest>,
    /// Trust documents that were taken, and documents of orders that begin no more.
    taken: BTreeSet<Digest>,
    /// Trust documents that were handed over, and nobody said yet what became of them.
    handed: BTreeSet<Digest>,
    /// Trust documents that were not taken: what they stand on may come with another mailbox.
    refused: BTreeSet<Digest>,
    /// Trust documents that wait until all are there.
    arrived: BTreeMap<Digest, Signed>,
    /// Orders, by the digest of the document in which they came.
    orders: BTreeMap<Digest, Held>,
    /// What certificates show: by the document of the order, and their own digest.
    gates: BTreeMap<(Digest, Digest), Result<Counters, Shut>>,
    /// Orders that were refused and are not worth remembering, because nobody is known to have signed them.
    told: BTreeSet<Digest>,
    /// Orders that were accepted.
    replays: Replays,
    /// Of these, those that stand: their documents by the digest of their statement.
    standing: BTreeMap<Digest, Standing>,
}

/// An order that stands.
#[derive(Clone, Debug)]
struct Standing {
    /// Digest of the document in which it came.
    document: Digest,
    held: Held,
    /// Whether it was begun since the start.
    is_begun: bool,
}

/// What was kept cannot be read, so nobody knows what was ordered before: whoever begins anew may be made to repeat it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was kept of orders cannot be read ({0})")]
pub struct Damaged(
    /// The row.
    pub String,
);

impl Inbox {
    /// With what was kept.
    pub fn restore(rows: impl IntoIterator<Item = (String, String)>) -> Result<Self, Damaged> {
        let mut inbox = Self::default();
        for (key, text) in rows {
            let damaged = |_| Damaged(key.clone());
            if key == TAKEN {
                inbox.taken = serde_json::from_str(&text).map_err(damaged)?;
            } else if key == REPLAYS {
                inbox.replays = serde_json::from_str(&text).map_err(damaged)?;
            } else if key.starts_with(STANDING) {
                let (document, held) = (Digest::of(text.as_bytes()), Held::new(text.as_bytes()));
                let standing = Standing { document, held, is_begun: false };
                if standing.held.standing().is_none() {
                    return Err(Damaged(key));
                }
                inbox.standing.insert(standing.held.order, standing);
            }
        }
        Ok(inbox)
    }

    /// Decides everything that follows from what came. It is a function of what is kept and what is handed in.
    pub fn step(&mut self, input: Input<'_>, look: Look<'_>) -> Step {
        let mut step = Step::default();
        let (replays, taken) = (self.replays.clone(), self.taken.clone());
        match input {
            // What was handed over is taken by now: a device that dies before fetches it again.
            Input::Looked => self.taken.append(&mut self.handed),
            Input::Mailbox(bytes) => match Mailbox::read(bytes) {
                Ok(mailbox) => self.replace(mailbox),
                Err(bad) => step.bad_mailbox = Some(bad),
            },
            Input::Document(digest, bytes) => self.arrive(digest, bytes, look),
            Input::Missing(digest) => self.miss(digest),
            Input::NotTaken(digest) => {
                self.handed.remove(&digest);
                self.refused.insert(digest);
            }
        }
        self.replays.forget(look.trust, look.now);
        self.stand(look, &mut step);
        self.hand_over(&mut step);
        // Who may sign is known before what they signed is looked at, and of two orders the earlier is looked at first.
        if self.handed.is_empty() && !self.awaits() {
            self.look_at_orders(look, &mut step);
        }
        self.ask(&mut step);
        if self.replays != replays {
            step.keep.insert(REPLAYS.to_owned(), serde_json::to_string(&self.replays).ok());
        }
        if self.taken != taken {
            step.keep.insert(TAKEN.to_owned(), serde_json::to_string(&self.taken).ok());
        }
        step.wake = step.waiting.iter().filter_map(|it| it.wait.until()).min();
        step
    }

    /// Another mailbox: what it does not name is forgotten.
    fn replace(&mut self, mailbox: Mailbox) {
        let orders: BTreeSet<Digest> = mailbox.orders.iter().map(|it| it.order).collect();
        let gates: BTreeSet<_> = mailbox.orders.iter().filter_map(|it| Some((it.order, it.gate?))).collect();
        let trust: BTreeSet<Digest> = mailbox.trust.iter().chain(&mailbox.pauses).copied().collect();
        self.missing.clear();
        self.orders.retain(|digest, _| orders.contains(digest));
        // With other documents there may be somebody who may say it.
        if self.mailbox.as_ref() != Some(&mailbox) {
            self.told.clear();
            self.refused.clear();
        }
        self.gates.retain(|gate, _| gates.contains(gate));
        self.arrived.retain(|digest, _| trust.contains(digest));
        self.taken.retain(|digest| trust.contains(digest) || orders.contains(digest));
        self.mailbox = Some(mailbox);
    }

    /// Whether the mailbox still names this document of an order, as far as it was read since the start: a run that has not begun
    /// begins no more if it does not.
    pub fn names(&self, document: &Digest) -> bool {
        self.mailbox.as_ref().is_none_or(|it| it.orders.iter().any(|it| it.order == *document))
    }

    /// Asks once more about an order that began, now that its plugin is there: what its run may use, only [`Ordered::grants`] says.
    pub fn again(&self, order: &Signed, look: Look<'_>) -> Result<Ordered, Vec<Refusal>> {
        let replays = self.replays.reopened(Digest::of(order.statement()));
        look.trust.order(&trust::Asked { order, device: look.device, replays: &replays, now: look.now })
    }

    fn miss(&mut self, digest: Digest) {
        self.missing.insert(digest);
    }

    fn arrive(&mut self, digest: Digest, bytes: &[u8], look: Look<'_>) {
        let Some(mailbox) = self.mailbox.as_ref().filter(|_| Digest::of(bytes) == digest) else {
            return self.miss(digest);
        };
        if mailbox.trust.contains(&digest) || mailbox.pauses.contains(&digest) {
            let Ok(signed) = Signed::from_text(bytes) else { return self.miss(digest) };
            self.arrived.insert(digest, signed);
        } else if mailbox.orders.iter().any(|it| it.order == digest) {
            self.orders.insert(digest, Held::new(bytes));
        }
        for posted in mailbox.orders.iter().filter(|it| it.gate == Some(digest)) {
            if let Some(held) = self.orders.get(&posted.order) {
                self.gates.insert((posted.order, digest), held.counted(posted, bytes, look));
            }
        }
    }

    /// Those that are still to come.
    fn trust_documents(&self) -> impl Iterator<Item = Digest> {
        let named = self.mailbox.iter().flat_map(|it| it.trust.iter().chain(&it.pauses)).copied();
        let known = [&self.taken, &self.handed, &self.refused];
        named.filter(move |digest| !known.iter().any(|it| it.contains(digest)))
    }

    /// Orders that have not begun, and were not refused.
    fn open_orders(&self) -> impl Iterator<Item = &Posted> {
        self.mailbox.iter().flat_map(|it| &it.orders).filter(move |it| !self.is_over(&it.order))
    }

    fn is_over(&self, document: &Digest) -> bool {
        let stands = self.standing.values().any(|it| it.document == *document);
        stands || self.taken.contains(document) || self.told.contains(document)
    }

    /// Whether something has yet to come before an order is looked at.
    fn awaits(&self) -> bool {
        let orders = self.open_orders().map(|it| it.order).filter(|it| !self.orders.contains_key(it));
        self.trust_documents().chain(orders).any(|digest| !self.missing.contains(&digest))
    }

    /// Hands over what came, once all of it did, those first whom the others need.
    fn hand_over(&mut self, step: &mut Step) {
        let bytes: usize = self.arrived.values().map(|it| it.statement().len()).sum();
        let is_whole = self.trust_documents().all(|it| self.arrived.contains_key(&it) || self.missing.contains(&it));
        if self.arrived.is_empty() || !is_whole && bytes <= WAITING_BYTES_MAX {
            return;
        }
        let listed: Vec<Digest> = self.trust_documents().filter(|it| self.arrived.contains_key(it)).collect();
        let rank = |signed: &Signed| {
            let kind = signed.kind().ok();
            FIRST.iter().position(|first| kind == Some(*first)).unwrap_or(FIRST.len())
        };
        step.take = listed.iter().filter_map(|digest| Some((*digest, self.arrived.remove(digest)?))).collect();
        step.take.sort_by_key(|(_, signed)| rank(signed));
        self.arrived.clear();
        self.handed.extend(listed);
    }

    /// What stood before the agent was started stands again. It waits while it is not believed, and ends with its time or when the
    /// hub no longer names it: the hub may have an order end, as it may withhold it.
    fn stand(&mut self, look: Look<'_>, step: &mut Step) {
        let now = look.trust.time(look.now);
        let mut ended = Vec::new();
        for (order, standing) in &mut self.standing {
            let document = standing.document;
            let is_posted = |mailbox: &Mailbox| mailbox.orders.iter().any(|it| it.order == document);
            let is_over = standing.held.body().is_none_or(|body| now >= body.expires);
            if is_over || !self.mailbox.as_ref().is_none_or(is_posted) {
                ended.push(*order);
                continue;
            }
            let wait = match standing.held.ordered(look, &self.replays) {
                Ok(ordered) => {
                    if !standing.is_begun {
                        standing.is_begun = true;
                        let body = Box::new(ordered.given().order().clone());
                        step.begin.push(Begun { order: *order, document, body, ring: None });
                    }
                    order::waits(&ordered)
                }
                Err(against) => Some(Wait::Against(against)),
            };
            step.waiting.extend(wait.map(|wait| Waiting { order: *order, wait }));
        }
        for order in ended {
            self.standing.remove(&order);
            self.replays.done(order);
            step.keep.insert(format!("{STANDING}{}", order.hex()), None);
            step.ended.push(order);
        }
    }

    fn look_at_orders(&mut self, look: Look<'_>, step: &mut Step) {
        let mut posted: Vec<Posted> = self.open_orders().cloned().collect();
        // What a key ordered first comes first: behind a later one it would be an old one.
        posted.sort_by_key(|it| order::counter(self.orders.get(&it.order)));
        for posted in posted {
            let Some(mut held) = self.orders.remove(&posted.order) else { continue };
            match self.look_at_order(&posted, &mut held, look, step) {
                Ok(None) => {}
                Ok(Some(wait)) => step.waiting.push(Waiting { order: held.order, wait }),
                // It came again, as whatever carries messages may have it: what there was to say of it was said.
                Err(Against::NotBelieved { refusals }) if matches!(refusals.as_slice(), [Refusal::Replayed { .. }]) => {
                    self.taken.insert(posted.order);
                }
                Err(against) => self.refuse(&posted, &held, against, step),
            }
            self.orders.insert(posted.order, held);
        }
    }

    /// Whether an order begins; else what it waits for, or why it never will. Cheap things first.
    fn look_at_order(
        &mut self,
        posted: &Posted,
        held: &mut Held,
        look: Look<'_>,
        step: &mut Step,
    ) -> Result<Option<Wait>, Against> {
        let ring = held.ring(posted, look)?;
        let ordered = held.ordered(look, &self.replays)?;
        let order = held.order;
        self.replays.accept(&ordered);
        if let Some(wait) = order::waits(&ordered) {
            return Ok(Some(wait));
        }
        let shown = posted.gate.and_then(|digest| self.gates.get(&(posted.order, digest)));
        if let Some(wait) = held.gate(posted, shown, look)? {
            return Ok(Some(wait));
        }
        held.meant(look)?;
        match held.standing() {
            None => {
                self.replays.done(order);
                self.taken.insert(posted.order);
            }
            Some(_) if self.standing.len() >= STANDING_MAX => {
                return Err(Against::TooManyStanding { most: STANDING_MAX });
            }
            Some(text) => {
                step.keep.insert(format!("{STANDING}{}", order.hex()), Some(text));
                self.standing.insert(order, Standing { document: posted.order, held: held.clone(), is_begun: true });
            }
        }
        let body = Box::new(ordered.given().order().clone());
        step.begin.push(Begun { order, document: posted.order, body, ring });
        Ok(None)
    }

    /// What was accepted before is done with for ever. Of what was not, nobody is known to have signed it: it is told once while it
    /// is posted and not remembered, or anybody could fill a device.
    fn refuse(&mut self, posted: &Posted, held: &Held, against: Against, step: &mut Step) {
        if self.replays.since(held.order).is_some() {
            self.replays.done(held.order);
            self.taken.insert(posted.order);
        } else {
            self.told.insert(posted.order);
        }
        let body = held.body().cloned().map(Box::new);
        step.refused.push(Refused { order: held.order, body, against });
    }

    /// What there is to fetch, those first that others wait for.
    fn ask(&self, step: &mut Step) {
        let is_wanted = |digest: &Digest| !self.missing.contains(digest);
        let trust = self.trust_documents().filter(|it| !self.arrived.contains_key(it));
        let orders = self.open_orders().map(|it| it.order).filter(|it| !self.orders.contains_key(it));
        // A certificate is looked at with its order at hand.
        let gates = self.open_orders().filter(|it| self.orders.contains_key(&it.order));
        let gates = gates.filter_map(|it| it.gate.filter(|gate| !self.gates.contains_key(&(it.order, *gate))));
        let mut fetch: Vec<Digest> = trust.chain(orders).chain(gates).filter(is_wanted).collect();
        let mut once = BTreeSet::new();
        fetch.retain(|digest| once.insert(*digest));
        fetch.truncate(FETCH_MAX);
        step.fetch = fetch;
    }
}

#[cfg(test)]
mod tests;
