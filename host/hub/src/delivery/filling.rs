//! Mailboxes are filled: of those devices alone whose mailbox may be another, a batch at a time.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::{Device, Exchange as _, Whom};
use fleet::WATCHED_MS;
use model::Digest;

use super::Delivery;
use super::mailbox::{self, Shared};
use super::reach::Watched;
use crate::db::{Stale, View};
use crate::scope::Held;
use crate::{Error, Scope, fail};

/// So many mailboxes go in one transaction: others wait for it some 20 ms.
const BATCH: u32 = 256;

/// Devices that look because of a bell, in a second: each costs a request or three.
const BELLS_PER_SECOND: u64 = 4_000;

/// A mailbox for another.
struct Filled {
    stale: Stale,
    /// None where it stays as it is.
    with: Option<With>,
}

struct With {
    client: Held,
    expected: u64,
    bytes: Vec<u8>,
    names: Vec<String>,
    /// Orders of one technician alone that it is shown.
    counts: Vec<String>,
}

impl Delivery {
    /// Fills all that are stale. How many are other ones now.
    pub(super) fn fill(&mut self, now_ms: u64) -> Result<usize, Error> {
        let mut filled = 0;
        loop {
            let batch = self.batch(now_ms)?;
            if batch.is_empty() {
                return Ok(filled);
            }
            let most = batch.len();
            let (done, changed) = self.post.hub.db.write_now(move |change| {
                let (mut done, mut changed) = (0, Vec::new());
                change.forget_reached(now_ms.saturating_sub(WATCHED_MS))?;
                for it in &batch {
                    let device = &it.stale.device;
                    if let Some(with) = &it.with {
                        // Whoever moved meanwhile is stale again.
                        let is_its = change.client_served(device)?.as_deref() == Some(with.client.client());
                        let content = (with.bytes.as_slice(), with.names.as_slice());
                        let replaced = match is_its {
                            true => change.replace_mailbox(&with.client, device, with.expected, content, now_ms)?,
                            false => Err(0),
                        };
                        if replaced.is_err() {
                            continue;
                        }
                        for order in &with.counts {
                            change.reach(&with.client, order, device, now_ms)?;
                        }
                        changed.push(device.clone());
                    }
                    change.fresh(&it.stale)?;
                    done += 1;
                }
                Ok((done, changed))
            })?;
            fail::point("delivery.filled");
            filled += changed.len();
            self.ring(&changed);
            if done < most {
                // Somebody else was first: with the next step.
                self.post.hub.stirs.mailboxes();
                return Ok(filled);
            }
        }
    }

    /// What the next ones should have.
    fn batch(&mut self, now_ms: u64) -> Result<Vec<Filled>, Error> {
        let hub = Arc::clone(&self.post.hub);
        let mut shared: BTreeMap<Option<String>, Shared> = BTreeMap::new();
        let mut plugins: BTreeMap<String, Digest> = BTreeMap::new();
        let mut watched = Watched::default();
        let restored = hub.restored;
        let stale = hub.db.read(&Scope::of_hub(), |view| view.stale(BATCH))?;
        // Orders are read before: what is read of them is kept.
        for order in hub.db.read(&Scope::of_hub(), |view| seated_orders(view, &stale))? {
            let plugin = self.known(&order)?.body.plugin.digest;
            self.watch(&mut watched, &order, now_ms)?;
            plugins.insert(order, plugin);
        }
        hub.db.read(&Scope::of_hub(), |view| {
            stale
                .into_iter()
                .map(|stale| one(view, stale, (&mut shared, &mut watched), (&plugins, restored), now_ms))
                .collect()
        })
    }

    /// Rings, with so much time that those who look do not stand in each other's way.
    fn ring(&self, devices: &[String]) {
        let mut bells = Vec::with_capacity(devices.len());
        for device in devices {
            let mut bytes = [0; 32];
            if hex::decode_to_slice(device, &mut bytes).is_ok() {
                bells.push(Device::from(bytes));
            }
        }
        let count = u64::try_from(bells.len()).unwrap_or(u64::MAX);
        let within = Duration::from_millis(count.saturating_mul(1_000) / BELLS_PER_SECOND);
        self.post.bells().ring(Whom::These(&bells), within);
    }
}

fn seated_orders(view: &View<'_>, stale: &[Stale]) -> Result<BTreeSet<String>, Error> {
    let mut orders = BTreeSet::new();
    for it in stale {
        orders.extend(view.seated_orders(&it.device)?);
    }
    Ok(orders)
}

/// What one should have, held against what it has.
fn one(
    view: &View<'_>,
    stale: Stale,
    (shared, watched): (&mut BTreeMap<Option<String>, Shared>, &mut Watched),
    (plugins, restored): (&BTreeMap<String, Digest>, Option<Digest>),
    now_ms: u64,
) -> Result<Filled, Error> {
    let Some(served) = view.served(&stale.device)? else { return Ok(Filled { stale, with: None }) };
    // One whose place nobody signed yet gets what everybody does.
    let of = served.is_member.then(|| served.client.clone());
    let shared = match shared.entry(of.clone()) {
        Entry::Occupied(it) => it.into_mut(),
        Entry::Vacant(it) => it.insert(Shared::read(view, of.as_deref(), now_ms)?),
    };
    let own = mailbox::own(view, &stale.device, &served.key)?;
    let seated = if served.is_member { view.seated(&stale.device)? } else { Vec::new() };
    let (seated, counts) = watched.keep(&stale.device, seated);
    let (bytes, names) = mailbox::write(shared, &own, &seated, plugins, restored)?;
    let found = view.mailbox(&stale.device)?;
    if found.as_ref().is_some_and(|it| it.bytes == bytes) {
        return Ok(Filled { stale, with: None });
    }
    let client = served.client.parse().map_err(|error| Error::unreadable("a device")(&error))?;
    let client = Scope::of_hub().hold(&client)?;
    let expected = found.map_or(0, |it| it.revision);
    Ok(Filled { stale, with: Some(With { client, expected, bytes, names, counts }) })
}
