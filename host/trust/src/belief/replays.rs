//! What a device remembers of the orders that it was given.

use std::collections::BTreeMap;

use model::Digest;
use serde::{Deserialize, Serialize};

use super::{Ordered, Trust};
use crate::statement::Order;
use crate::{Key, Read, Refusal, Time};

/// The most orders that wait, are under way or stand: a mailbox names fewer.
const OPEN_MAX: usize = 512;
/// The most that are done and remembered by name. Of one that is forgotten, the counter says that it is an old one.
const DONE_MAX: usize = 1_024;
/// The most keys that ever ordered here: the root seated each of them.
const KEYS_MAX: usize = 4_096;

/// The orders that a device accepted, and how far each key has counted. It is the device's to keep, durable before it acts.
///
/// Orders of one key are to be accepted in the order of their counters: one that comes after a higher one was held back by
/// somebody, and would undo what was ordered since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Replays {
    /// The highest counter, by the digest of the key.
    counters: BTreeMap<Digest, u64>,
    /// Orders, by the digest of their statement.
    orders: BTreeMap<Digest, Accepted>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Accepted {
    by: Key,
    counter: u64,
    /// When it was first here, by this device's clock.
    since: Time,
    expires: Time,
    is_done: bool,
}

impl Replays {
    /// Accepts an order: from now on it is known, and no older one of its key is accepted. Whether it was new; a known one changes
    /// nothing.
    pub fn accept(&mut self, ordered: &Ordered) -> bool {
        let (order, digest) = (ordered.given().order(), ordered.given().digest());
        if self.orders.contains_key(&digest) {
            return false;
        }
        let counter = self.counters.entry(order.by.digest()).or_default();
        *counter = order.counter.max(*counter);
        let (by, counter, expires) = (order.by.clone(), order.counter, order.expires);
        self.orders.insert(digest, Accepted { by, counter, since: ordered.at, expires, is_done: false });
        true
    }

    /// That order ran, or never will: it is not accepted again. A standing one is never done.
    pub fn done(&mut self, order: Digest) {
        if let Some(accepted) = self.orders.get_mut(&order) {
            accepted.is_done = true;
        }
        let done = || self.orders.iter().filter(|(_, it)| it.is_done);
        if done().count() > DONE_MAX {
            let oldest = done().min_by_key(|(_, it)| it.since).map(|(digest, _)| *digest);
            oldest.map(|oldest| self.orders.remove(&oldest));
        }
    }

    /// The same, for whoever asks once more about an order that begins: as if it were not done, and first here when it was.
    #[must_use]
    pub fn reopened(&self, order: Digest) -> Self {
        let mut replays = self.clone();
        if let Some(accepted) = replays.orders.get_mut(&order) {
            accepted.is_done = false;
        }
        replays
    }

    /// Forgets orders that no longer count, whatever comes: expired, or of a key that was stolen since. Counters stay.
    pub fn forget(&mut self, trust: &Trust, now: Time) {
        let now = trust.time(now);
        self.orders.retain(|_, it| now < it.expires && trust.ended.check_compromised(&it.by).is_ok());
    }

    /// The orders that are not done.
    pub fn open(&self) -> impl Iterator<Item = Digest> {
        self.orders.iter().filter(|(_, it)| !it.is_done).map(|(digest, _)| *digest)
    }

    /// When an order was first here.
    pub fn since(&self, order: Digest) -> Option<Time> {
        self.orders.get(&order).map(|it| it.since)
    }

    /// Whether an order is new, or known and not done.
    pub(super) fn check(&self, order: &Read<Order>) -> Result<(), Refusal> {
        match self.orders.get(&order.digest) {
            Some(known) if known.is_done => return Err(Refusal::Replayed { since: known.since }),
            Some(_) => return Ok(()),
            None => {}
        }
        let (by, found) = (&order.body.by, order.body.counter);
        let counter = self.counters.get(&by.digest());
        if let Some(kept) = counter.copied().filter(|kept| found <= *kept) {
            return Err(Refusal::CounterUsed { key: by.fingerprint(), kept, found });
        }
        match self.open().count() >= OPEN_MAX || (counter.is_none() && self.counters.len() >= KEYS_MAX) {
            true => Err(Refusal::TooManyOrders { most: OPEN_MAX }),
            false => Ok(()),
        }
    }
}
