//! Where attacks are tried: devices that know whom to believe, and a hub that is whoever plays it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bus::{Ack, Beat, Found, Line, Message, Pulled, Taken, Trouble, Woken};
use bytes::Bytes;
use fleet::{Mailbox, Posted, Seat, Tree};
use model::Digest;
use trust::statement::Order;
use trust::{Device as Name, Signed, Time, Trust};

use crate::device::{Born, Device};
use crate::msp::{self, Msp, Shipped};
use crate::nature::Nature;
use crate::plugin::Shelf;

/// When everything begins: 2026-11-22T12:00:00Z.
pub(crate) const NOW_MS: u64 = 1_795_348_800_000;

const MINUTE_MS: u64 = 60_000;
pub(crate) const DAY_MS: u64 = 86_400_000;

/// In so many steps an hour goes by, each of which has all devices look.
const STEPS: u64 = 6;

/// Devices that joined three days ago, and what they know by now.
pub(crate) struct Base {
    nature: Arc<Nature>,
    shelf: Arc<Shelf>,
    devices: Vec<Device>,
    pub(crate) approved: Shipped,
    pub(crate) destroys: Shipped,
    documents: Documents,
}

type Documents = BTreeMap<Digest, Bytes>;

/// One attempt, on devices of its own.
pub(crate) struct Range {
    pub(crate) msp: Msp,
    pub(crate) devices: Vec<Device>,
    pub(crate) stage: Stage,
    pub(crate) approved: Shipped,
    pub(crate) destroys: Shipped,
    pub(crate) now_ms: u64,
    marks: Vec<(u64, u64)>,
}

/// What lies at the hub, and what devices said there. Whoever plays the hub writes into it.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) documents: Documents,
    /// What every device's mailbox has.
    pub(crate) common: Mailbox,
    /// What one device's has beside.
    pub(crate) own: BTreeMap<Name, Mailbox>,
    pub(crate) heard: Vec<(Name, Message)>,
}

impl Base {
    /// So many devices, three of five of the first client.
    pub(crate) async fn new(count: u32) -> anyhow::Result<Self> {
        let (nature, shelf) = (Arc::new(Nature::default()), Arc::new(Shelf::default()));
        let msp = Msp::new(Time::from_ms(NOW_MS));
        let approved = msp.ship("tidy", "1.0.0", &["files-write [scratch]"], "remit");
        let destroys = msp.ship("wipe", "1.0.0", &["files-erase [scratch]"], "remit");
        let mut devices = Vec::new();
        let mut stage = Stage::default();
        let roster = msp.roster(1, msp.now.plus_days(200));
        let policies = msp::CLIENTS.map(|client| msp.policy(client, 1, contract::Class::L4));
        for signed in [&msp.root, &roster, &msp.approval(&[&approved, &destroys])].into_iter().chain(&policies) {
            stage.believe(signed);
        }
        for number in 0..count {
            let born = Born::new(&nature, number)?;
            let client = if number % 5 < 3 { "acme" } else { "globex" };
            let digest = stage.put(msp.assignment(born.key(), client).to_text());
            let trust = Trust::pinned(msp.pin(), &msp.root).map_err(|_| anyhow::anyhow!("the root does not hold"))?;
            let device = born.join(trust, Arc::clone(&nature), Arc::clone(&shelf));
            stage.own.entry(device.name()).or_default().trust.push(digest);
            devices.push(device);
        }
        let stage = Mutex::new(stage);
        for device in &mut devices {
            let line = Wire { stage: &stage, device: device.name() };
            device.visit(&line, NOW_MS - 3 * DAY_MS).await?;
            let place = device.member().trust().place(device.member().device(), Time::from_ms(NOW_MS));
            anyhow::ensure!(place.is_ok(), "a device does not know whose it is");
        }
        let stage = stage.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { nature, shelf, devices, approved, destroys, documents: stage.documents })
    }

    /// These devices, as they are.
    pub(crate) fn range(&self) -> anyhow::Result<Range> {
        let devices: Result<Vec<Device>, _> =
            self.devices.iter().map(|it| it.fork(Arc::clone(&self.nature), Arc::clone(&self.shelf))).collect();
        let devices = devices?;
        Ok(Range {
            msp: Msp::new(Time::from_ms(NOW_MS)),
            marks: vec![(0, 0); devices.len()],
            devices,
            stage: Stage { documents: self.documents.clone(), ..Stage::default() },
            approved: self.approved.clone(),
            destroys: self.destroys.clone(),
            now_ms: NOW_MS,
        })
    }
}

impl Stage {
    /// Puts a document where whoever knows its digest finds it.
    pub(crate) fn put(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.documents.insert(digest, bytes.into());
        digest
    }

    /// Shows a document to everybody.
    pub(crate) fn believe(&mut self, signed: &Signed) {
        let digest = self.put(signed.to_text());
        self.common.trust.push(digest);
    }

    pub(crate) fn ship(&mut self, shipped: &Shipped) -> Digest {
        for document in &shipped.documents {
            self.put(document.clone());
        }
        shipped.list
    }

    /// Shows an order without rings to everybody.
    pub(crate) fn post(&mut self, order: &Signed, shipped: &Shipped) {
        let (order, list) = (self.put(order.to_text()), self.ship(shipped));
        self.common.orders.push(Posted { order, ring: None, gate: None, parcel: Some(list) });
    }

    /// Shows an order to one device, with its place and what opens its ring.
    pub(crate) fn post_to(
        &mut self,
        device: Name,
        (order, shipped): (&Signed, &Shipped),
        ring: Option<Seat>,
        gate: Option<Digest>,
    ) {
        let (order, list) = (self.put(order.to_text()), self.ship(shipped));
        let posted = Posted { order, ring, gate, parcel: Some(list) };
        self.own.entry(device).or_default().orders.push(posted);
    }

    /// Shows an order with rings to all of these.
    pub(crate) fn post_ring(
        &mut self,
        posted: (&Signed, &Shipped),
        (ring, devices): (u32, &[Name]),
        gate: Option<Digest>,
    ) {
        let tree = Tree::new(devices);
        for (leaf, device) in (0..).zip(devices) {
            let seat = tree.prove(leaf).map(|proof| Seat { ring, proof });
            self.post_to(*device, posted, seat, gate);
        }
    }

    fn mailbox(&self, device: &Name) -> Vec<u8> {
        let mut mailbox = self.common.clone();
        if let Some(own) = self.own.get(device) {
            mailbox.trust.extend(&own.trust);
            mailbox.orders.extend(own.orders.iter().cloned());
            mailbox.pauses.extend(&own.pauses);
        }
        mailbox.write().unwrap_or_default()
    }
}

impl Range {
    /// What these devices are called, in their order.
    pub(crate) fn names(&self) -> Vec<Name> {
        self.devices.iter().map(Device::name).collect()
    }

    /// Those of a client: whose it is, is in the number.
    pub(crate) fn of_client(&self, client: &str) -> usize {
        (0..self.devices.len()).filter(|at| (at % 5 < 3) == (client == "acme")).count()
    }

    /// Signs an order as these people.
    pub(crate) fn sign(&self, order: &Order, holders: &[&str]) -> Signed {
        msp::signed(Time::from_ms(self.now_ms), order, holders)
    }

    /// What happened so far is not counted.
    pub(crate) fn mark(&mut self) {
        self.marks = self.devices.iter().map(|it| (it.machine().mutations(), it.machine().destroyed())).collect();
    }

    fn count(&self, rose: impl Fn(&Device, &(u64, u64)) -> bool) -> usize {
        self.devices.iter().zip(&self.marks).filter(|(device, mark)| rose(device, mark)).count()
    }

    /// Devices that something was changed on.
    pub(crate) fn mutated(&self) -> usize {
        self.count(|device, mark| device.machine().mutations() > mark.0)
    }

    /// Those on which it cannot be taken back.
    pub(crate) fn destroyed(&self) -> usize {
        self.count(|device, mark| device.machine().destroyed() > mark.1)
    }

    /// Devices of a client that something was changed on.
    pub(crate) fn mutated_of(&self, client: &str) -> usize {
        let all = self.devices.iter().zip(&self.marks).enumerate();
        let of = all.filter(|(at, _)| (at % 5 < 3) == (client == "acme"));
        of.filter(|(_, (device, mark))| device.machine().mutations() > mark.0).count()
    }

    /// Everybody looks once.
    pub(crate) async fn look(&mut self) {
        let stage = Mutex::new(std::mem::take(&mut self.stage));
        for device in &mut self.devices {
            let line = Wire { stage: &stage, device: device.name() };
            // Whatever they play may end a visit: the device comes again.
            let _ = device.visit(&line, self.now_ms).await;
        }
        self.stage = stage.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// An hour goes by.
    pub(crate) async fn hour(&mut self) {
        self.look().await;
        for _ in 0..STEPS {
            self.now_ms += 60 / STEPS * MINUTE_MS;
            self.look().await;
        }
    }

    /// What devices told of results so far, the last of each.
    pub(crate) fn results(&self) -> BTreeMap<Name, Signed> {
        let results = self.stage.heard.iter().filter(|(_, message)| message.kind.as_str() == "result");
        results.filter_map(|(device, message)| Some((*device, Signed::from_text(&message.body).ok()?))).collect()
    }
}

/// A line to whoever plays the hub: it may be shown anything.
pub(crate) struct Wire<'a> {
    pub(crate) stage: &'a Mutex<Stage>,
    pub(crate) device: Name,
}

impl Wire<'_> {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Line for Wire<'_> {
    async fn wait(&self, _: Option<Digest>, _: Duration) -> Result<Woken, Trouble> {
        Ok(Woken::Quiet)
    }

    async fn mailbox(&self, has: Option<Digest>) -> Result<Pulled, Trouble> {
        let bytes = self.stage().mailbox(&self.device);
        Ok(if has == Some(Digest::of(&bytes)) { Pulled::Same } else { Pulled::New(bytes.into()) })
    }

    async fn documents(&self, wanted: &[Digest]) -> Result<Found, Trouble> {
        let stage = self.stage();
        let mut found = Found::default();
        for digest in wanted.iter().collect::<BTreeSet<_>>() {
            match stage.documents.get(digest) {
                Some(document) => found.documents.push(document.clone()),
                None => found.missing.push(*digest),
            }
        }
        Ok(found)
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<Ack>, Trouble> {
        let mut stage = self.stage();
        let ack = |it: &Message| Ack { spool: it.spool, sequence: it.sequence, taken: Taken::New };
        stage.heard.extend(messages.iter().map(|it| (self.device, it.clone())));
        Ok(messages.iter().map(ack).collect())
    }

    async fn beat(&self, _: &Beat) -> Result<(), Trouble> {
        Ok(())
    }
}
