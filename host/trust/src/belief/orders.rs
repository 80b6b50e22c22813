//! Who may order what, and what a device makes of it.

use contract::Class;
use model::{Digest, Grants, Mode, policy};

use super::authority::{Act, above, for_clients, out_of_scope};
use super::{Approved, Document, Place, Replays, Trust, in_time};
use crate::statement::{Order, Seat};
use crate::{Key, Name, Refusal, Signed, Time};

/// How long whoever sees an order of class L4 has to stop it.
const DELAY_SECONDS: i64 = 1_800;

/// What a device asks of an order that it was given.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The order.
    pub order: &'a Signed,
    /// The device's own key.
    pub device: &'a Key,
    /// What it remembers of other orders.
    pub replays: &'a Replays,
    /// When.
    pub now: Time,
}

/// An order that those signed who may. Only [`Trust::given`] makes one. Whether it is this device's, and for now, nobody asked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    order: Order,
    digest: Digest,
    created: Time,
    technicians: Vec<Name>,
}

/// An order that is this device's to carry out. Only [`Trust::order`] makes one; what it may do, only [`Ordered::grants`] says.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered {
    given: Given,
    place: Place,
    waits: Vec<Refusal>,
    /// When that was looked at.
    pub(super) at: Time,
}

impl Given {
    /// What was ordered.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// Which statement that is.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// When it was made, as its maker says.
    pub fn created(&self) -> Time {
        self.created
    }

    /// Who signed it that may: different people, the one who orders first.
    pub fn technicians(&self) -> &[Name] {
        &self.technicians
    }
}

impl Ordered {
    /// The order, and who gave it.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// Whose device this is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Why it does not begin now, though nothing is wrong with it: it is not due, or it was stopped. Ask again later, from the
    /// beginning.
    pub fn waits(&self) -> &[Refusal] {
        &self.waits
    }

    /// What a run of it may use: of what was approved, what the order lists, up to its class. The plugin is the one that was
    /// ordered, in the mode that was ordered, and nothing keeps it waiting.
    ///
    /// What a run risks can be more than its interfaces say, where host policy says so of a command: that is held against
    /// `class_max` by whoever knows.
    pub fn grants(&self, approved: &Approved) -> Result<Grants, Vec<Refusal>> {
        let order = &self.given.order;
        let mut refusals = self.waits.clone();
        let (plugin, wanted) = (approved.plugin(), &order.plugin);
        let mut compare = |field, found: String, wanted: String| {
            if found != wanted {
                refusals.push(Refusal::NotAsOrdered { field, found, wanted });
            }
        };
        compare("digest", plugin.digest.to_string(), wanted.digest.to_string());
        compare("name", plugin.name.to_string(), wanted.name.to_string());
        compare("version", plugin.version.to_string(), wanted.version.to_string());
        compare("mode", approved.mode().word().to_owned(), order.mode.word().to_owned());
        let by = approved.approval().to_string();
        let missing = |capability| Refusal::NotGranted { capability, by: by.clone() };
        match policy::narrow(approved.grants(), &order.allow) {
            Err(capabilities) => refusals.extend(capabilities.into_iter().map(missing)),
            Ok(grants) => match above(&grants, order.class_max).filter(|_| order.mode == Mode::Enforce) {
                Some((interface, class)) => {
                    let interface = interface.to_owned();
                    refusals.push(Refusal::BeyondOrder { interface, class, most: order.class_max });
                }
                None if refusals.is_empty() => return Ok(grants),
                None => {}
            },
        }
        Err(refusals)
    }
}

impl Trust {
    /// What anybody makes of an order who is no device of it: the hub before it keeps it, a technician before they add their name.
    /// What is cheap is looked at first; where that holds, all that needs a signature.
    pub fn given(&self, order: &Signed, now: Time) -> Result<Given, Vec<Refusal>> {
        let document = Document::<Order>::open(order).map_err(|refusal| vec![refusal])?;
        let now = self.time(now);
        match self.at_a_glance(&document, now) {
            refusals if refusals.is_empty() => self.look_at_orderers(&document, now),
            refusals => Err(refusals),
        }
    }

    /// What would speak against this key's holder giving such an order now: before anybody signs it. That there are two of them,
    /// where it takes two, is asked of what they signed.
    pub fn may_order(&self, by: &Key, order: &Order, now: Time) -> Vec<Refusal> {
        let now = self.time(now);
        let seat = self.roster_counts().and_then(|_| self.technician(by, now, now, |seat| may_order(seat, order)));
        seat.err().unwrap_or_default()
    }

    /// What a device makes of an order that came from anywhere. Of those that hold, it keeps that they were here
    /// ([`Replays::accept`]) before it does anything else about them.
    ///
    /// Where the order has rings, that this device is of one, and that the gate before it is open, is asked elsewhere.
    pub fn order(&self, asked: &Asked) -> Result<Ordered, Vec<Refusal>> {
        let document = Document::<Order>::open(asked.order).map_err(|refusal| vec![refusal])?;
        let now = self.time(asked.now);
        let order = &document.read.body;
        let mut refusals = self.at_a_glance(&document, now);
        let place = self.place(asked.device, now);
        refusals.extend(place.as_ref().err().into_iter().flatten().cloned());
        if let Ok(place) = &place {
            refusals.extend(not_of(place, order, now));
        }
        refusals.extend(asked.replays.check(&document.read).err());
        let place = match (place, refusals.is_empty()) {
            (Ok(place), true) => place,
            _ => return Err(refusals),
        };
        let given = self.look_at_orderers(&document, now)?;
        let mut waits = Vec::new();
        let first_here = asked.replays.since(given.digest).unwrap_or(now);
        // A date is soon written: that it could be stopped for so long, only this device's own clock knows.
        let due = order.from.max(first_here.plus_seconds(delay(order)));
        if now < due {
            waits.push(Refusal::NotYetDue { due });
        }
        let stops = self.stops(&place.client, &order.id);
        waits.extend(stops.map(|it| Refusal::Paused { serial: it.serial, reason: it.reason.clone() }));
        Ok(Ordered { given, place, waits, at: now })
    }

    /// What can be seen of an order without looking at a signature.
    fn at_a_glance(&self, document: &Document<Order>, now: Time) -> Vec<Refusal> {
        let (order, created) = (&document.read.body, document.read.created);
        let mut refusals = Vec::new();
        if order.tenant != self.pin {
            refusals.push(Refusal::OtherTenant { found: order.tenant, pinned: self.pin });
        }
        refusals.extend(in_time("the order", document, now).err());
        if now >= order.expires {
            refusals.push(Refusal::TooLate { what: "the order".to_owned(), until: order.expires });
        }
        let earliest = created.plus_seconds(delay(order));
        if order.from < earliest {
            refusals.push(Refusal::TooSoon { from: order.from, earliest });
        }
        refusals.extend(self.ended.check_statement("the order", document.read.digest).err());
        refusals.extend(self.ended.check_compromised(&order.by).err());
        refusals
    }

    /// Who signed may order that, and is who says to order; where it may be of class L4, two people are.
    fn look_at_orderers(&self, document: &Document<Order>, now: Time) -> Result<Given, Vec<Refusal>> {
        let order = &document.read.body;
        let wanted = if order.risks() == Class::L4 { 2 } else { 1 };
        let act = Act { by: Some(&order.by), people: wanted, now };
        let technicians = self.by_technicians(document, &act, |seat| may_order(seat, order))?;
        Ok(Given {
            order: order.clone(),
            digest: document.read.digest,
            created: document.read.created,
            technicians: technicians.into_iter().map(|seat| seat.holder.clone()).collect(),
        })
    }
}

/// How long it is until an order may begin at the earliest, in seconds.
fn delay(order: &Order) -> i64 {
    if order.risks() == Class::L4 { DELAY_SECONDS } else { 0 }
}

/// Why an order is not for a device of this place.
fn not_of(place: &Place, order: &Order, now: Time) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if !order.clients.has(Some(&place.client)) {
        let (clients, client) = (order.clients.to_string(), place.client.clone());
        refusals.push(Refusal::NotForClient { clients, client });
    }
    let class = order.risks();
    if now >= place.until && class > Class::L1 {
        let (what, beyond) = ("what says whose this device is".to_owned(), "the order".to_owned());
        refusals.push(Refusal::Expired { what, until: place.until, beyond, class });
    }
    refusals
}

/// Whether an order is within what a technician decides.
fn may_order(seat: &Seat, order: &Order) -> Vec<Refusal> {
    let class = order.risks();
    let beyond = format!("the order is up to {class}, and the seat ends at {}", seat.class_max);
    let beyond = (class > seat.class_max).then(|| out_of_scope(seat, beyond));
    for_clients(seat, &order.clients).err().into_iter().chain(beyond).collect()
}
