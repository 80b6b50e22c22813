//! What the hub does with orders by itself: it fills mailboxes, rings bells, opens rings, and ends what is over.
//!
//! What is to be done follows from the database alone, and each thing that is done is one transaction: a hub that dies begins where it
//! was. What goes by signals is only how soon.

mod filling;
mod known;
mod mailbox;
mod opening;
mod reach;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::Device;
use model::Digest;
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout};

use crate::db::{Actor, RingStands, Rollout, RolloutState, Whose};
use crate::rollout::note;
use crate::{Error, Post, Scope, fail};
use known::Known;

/// So much comes together between two looks: a thousand results that come at once are looked at once.
const TOGETHER: Duration = Duration::from_millis(100);

/// The longest between two looks, whatever is due.
const REST_MAX: Duration = Duration::from_secs(60);

/// After what went wrong, such as a full disk.
const AGAIN_MS: u64 = 5_000;

/// Carries orders to devices.
pub struct Delivery {
    post: Arc<Post>,
    /// Orders that run, and when each is to be looked at again where nothing comes of it before.
    due: BTreeMap<String, u64>,
    /// What was read of them.
    known: BTreeMap<String, Arc<Known>>,
    /// Certificates that did not show enough, by order: with which results of the sample, and until when that is not tried again.
    tried: BTreeMap<String, (Digest, u64)>,
    /// Orders that were watched, and are no more: their devices were all looked at since.
    freed: BTreeSet<String>,
    has_begun: bool,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stepped {
    /// How many mailboxes are other ones now.
    pub filled: usize,
    /// How many rings were opened.
    pub opened: usize,
    /// How many orders ended.
    pub ended: usize,
    /// When to look again at the latest, in milliseconds since 1970.
    pub due_ms: Option<u64>,
}

impl Delivery {
    /// Over a post. It reads what there is to do with its first step.
    pub fn new(post: Arc<Post>) -> Self {
        let (due, known, tried) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { post, due, known, tried, freed: BTreeSet::new(), has_begun: false }
    }

    /// Does all there is to do at this time. It blocks.
    pub fn step(&mut self, now_ms: u64) -> Result<Stepped, Error> {
        let mut stepped = Stepped::default();
        self.note_orders()?;
        let orders: Vec<String> = self.due.iter().filter(|(_, due)| **due <= now_ms).map(|it| it.0.clone()).collect();
        for order in orders {
            // What goes wrong with one keeps no other from its way.
            match self.look_at(&order, now_ms, &mut stepped) {
                Ok(Some(due_ms)) => drop(self.due.insert(order, due_ms)),
                Ok(None) => self.forget(&order),
                Err(_) => drop(self.due.insert(order, now_ms + AGAIN_MS)),
            }
        }
        stepped.filled = self.fill(now_ms)?;
        stepped.due_ms = self.due.values().min().copied();
        Ok(stepped)
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        loop {
            let (began, hub) = (Instant::now(), Arc::clone(&self.post.hub));
            let now_ms = hub.clock.now_ms();
            let done = tokio::task::spawn_blocking(move || {
                let stepped = self.step(now_ms);
                (self, stepped)
            });
            // What panics there is a defect that the next start reads anew.
            let Ok((me, stepped)) = done.await else { return };
            self = me;
            let rest = match stepped {
                Ok(stepped) => {
                    let due = stepped.due_ms.map(|due_ms| Duration::from_millis(due_ms.saturating_sub(now_ms)));
                    due.unwrap_or(REST_MAX).min(REST_MAX)
                }
                Err(_) => {
                    self.has_begun = false;
                    Duration::from_millis(AGAIN_MS)
                }
            };
            let _ = timeout(rest, hub.stirs.stirred()).await;
            sleep_until(began + TOGETHER).await;
        }
    }

    /// Which orders something came of; with the first step, all that run.
    fn note_orders(&mut self) -> Result<(), Error> {
        let orders = self.post.hub.stirs.take_orders();
        if orders.is_all || !self.has_begun {
            let running = self.post.hub.db.read(&Scope::of_hub(), |view| view.running())?;
            self.due.extend(running.into_iter().map(|it| (it.order, 0)));
            self.tried.clear();
            self.has_begun = true;
        }
        self.due.extend(orders.these.into_iter().map(|order| (order, 0)));
        Ok(())
    }

    fn forget(&mut self, order: &str) {
        self.due.remove(order);
        self.known.remove(order);
        self.tried.remove(order);
        self.freed.remove(order);
    }

    /// Ends an order that is over, and opens its next ring where that may go. When to look again; nothing, where it does not run.
    fn look_at(&mut self, order: &str, now_ms: u64, stepped: &mut Stepped) -> Result<Option<u64>, Error> {
        let hub = Arc::clone(&self.post.hub);
        let found = hub.db.read(&Scope::of_hub(), |view| view.rollout(order))?;
        let Some(mut rollout) = found.filter(|it| it.state == RolloutState::Running) else { return Ok(None) };
        let known = self.known(order)?;
        if let Some(state) = ends(&rollout, &known, now_ms) {
            let (clients, name) = (known.body.clients.clone(), order.to_owned());
            let ended = hub.db.write_now(move |change| {
                let is_new = change.end_rollout(&name, state, now_ms)?;
                let body = json!({ "order": name, "state": crate::word(&state) });
                if is_new {
                    note(change, now_ms, Actor::Hub, "rollout-ended", &clients, body)?;
                }
                Ok(is_new)
            })?;
            stepped.ended += usize::from(ended);
            fail::point("delivery.ended");
            hub.stirs.tell_watchers(order);
            return Ok(None);
        }
        let mut due_ms = crate::ms(known.body.expires);
        match self.watched_until(order, now_ms)? {
            Some(until_ms) if now_ms < until_ms => due_ms = due_ms.min(until_ms),
            // Whoever was not shown it in its first hour is now.
            Some(_) if self.freed.insert(order.to_owned()) => {
                let name = order.to_owned();
                hub.db.write_now(move |change| change.stale(Whose::Rollout(&name)))?;
            }
            _ => {}
        }
        while let Some(ring) = next_ring(&rollout) {
            let opened = self.open(order, &known, &rollout, ring, now_ms)?;
            let Err(again_ms) = opened else {
                stepped.opened += 1;
                hub.stirs.tell_watchers(order);
                let found = hub.db.read(&Scope::of_hub(), |view| view.rollout(order))?;
                let Some(found) = found else { return Ok(None) };
                rollout = found;
                continue;
            };
            due_ms = again_ms.map_or(due_ms, |again_ms| due_ms.min(again_ms));
            break;
        }
        Ok(Some(due_ms))
    }
}

/// Whether an order is over.
fn ends(rollout: &Rollout, known: &Known, now_ms: u64) -> Option<RolloutState> {
    let is_done = rollout.rings.iter().all(|ring| ring.silent + ring.suspended == 0);
    match () {
        () if now_ms >= crate::ms(known.body.expires) => Some(RolloutState::Expired),
        // One that stands goes on.
        () if is_done && known.body.standing.is_none() => Some(RolloutState::Done),
        () => None,
    }
}

/// The first ring that waits, where the one before it goes.
fn next_ring(rollout: &Rollout) -> Option<u32> {
    rollout.rings.iter().find(|ring| ring.state == RingStands::Waiting).map(|ring| ring.ring)
}

fn device(hex_of: &str) -> Option<Device> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex_of, &mut bytes).ok()?;
    Some(Device::from(bytes))
}
