//! A device of that MSP, and an order for it in which everything is right, for a test to make one thing wrong.

use std::collections::BTreeSet;

use contract::Class;
use model::{Digest, Grants};

use super::samples;
use super::world::{NOW, World, key, name, seat, sign, signed, time};
use crate::statement::{Assignment, Order, Report, Session};
use crate::{Asked, Chain, Key, Kind, Ordered, Refusal, Replays, Signed, Statement, Trust};

pub(super) const CREATED: &str = "2026-11-22T11:00:00Z";

/// A statement of a fleet, when it was made, and who signs it.
#[derive(Clone)]
pub(super) struct Said<T> {
    pub(super) body: T,
    pub(super) created: &'static str,
    pub(super) by: Vec<&'static str>,
}

impl<T: Statement> Said<T> {
    pub(super) fn signed(&self) -> Signed {
        signed(self.created, &self.body, &self.by)
    }
}

/// Everything that an order depends on.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) tenant: Digest,
    /// What else arrives, after all of that, and when.
    pub(super) taken: Vec<(Signed, &'static str)>,
    pub(super) device: Key,
    pub(super) order: Said<Order>,
    /// What was ordered before, when it was here first, and whether it is done.
    pub(super) before: Vec<(Said<Order>, &'static str, bool)>,
    pub(super) replays: Replays,
    /// The latest time that was seen.
    pub(super) seen: Option<&'static str>,
    /// The last word on the order.
    pub(super) carry: Box<dyn Fn(Signed) -> Signed>,
    /// Somebody asks the hub.
    pub(super) session: Option<Said<Session>>,
    /// What a device tells, in this order.
    pub(super) reports: Vec<Said<Report>>,
}

impl Scene {
    /// The device is assigned; `tess` orders up to L3.
    pub(super) fn new() -> Self {
        let mut world = World::new();
        let technicians = &mut world.roster.body.technicians;
        technicians.push(seat("tom", "tom", &["acme"], Class::L4));
        technicians.push(seat("tom", "tom-2", &["acme"], Class::L4));
        technicians.push(seat("tina", "tina", &["acme"], Class::L4));
        technicians.push(seat("gus", "gus", &["globex"], Class::L4));
        let tenant = Digest::of(world.root.signed().statement());
        let order = Said { body: samples::order(tenant), created: CREATED, by: vec!["tess"] };
        Self {
            world,
            tenant,
            taken: vec![(assignment("acme", "tom"), NOW)],
            device: key("device"),
            order,
            before: Vec::new(),
            replays: Replays::default(),
            seen: None,
            carry: Box::new(|signed| signed),
            session: None,
            reports: Vec::new(),
        }
    }

    /// It arrives now.
    pub(super) fn take(&mut self, document: Signed) {
        self.taken.push((document, NOW));
    }

    /// What the device believes, or why it took something not.
    pub(super) fn trust(&self) -> Result<Trust, Vec<Refusal>> {
        let mut trust = self.world.trust()?;
        for (document, at) in &self.taken {
            trust.take(document, time(at))?;
        }
        if let Some(seen) = self.seen {
            trust.note_time(time(seen));
        }
        Ok(trust)
    }

    /// What the device makes of the order, whether or not it is for now.
    pub(super) fn ordered(&self, trust: &Trust) -> Result<Ordered, Vec<Refusal>> {
        let mut replays = self.replays.clone();
        for (order, at, is_done) in &self.before {
            let signed = order.signed();
            let asked = Asked { order: &signed, device: &self.device, replays: &replays, now: time(at) };
            let ordered = trust.order(&asked)?;
            assert!(replays.accept(&ordered));
            if *is_done {
                replays.done(ordered.given().digest());
            }
        }
        let order = (self.carry)(self.order.signed());
        trust.order(&Asked { order: &order, device: &self.device, replays: &replays, now: time(NOW) })
    }

    fn grants(&self) -> Result<Grants, Vec<Refusal>> {
        let trust = self.trust()?;
        if let Some(session) = &self.session {
            trust.session(&session.signed(), hub(), |key| *key == self.device, time(NOW))?;
        }
        let mut chain = Chain::default();
        for report in &self.reports {
            let reported = trust.report(&report.signed(), time(NOW))?;
            chain.follow(&reported).map_err(|refusal| vec![refusal])?;
        }
        let ordered = self.ordered(&trust)?;
        let place = ordered.place();
        let decision = self.world.decide(&trust, Some(&place.client), &place.tags);
        let refusals = decision.refusals().cloned().collect();
        ordered.grants(&decision.approved.ok_or::<Vec<Refusal>>(refusals)?)
    }

    /// What becomes of it: what a run may use, or the codes of all that is wrong.
    pub(super) fn outcome(&self) -> Result<Grants, BTreeSet<&'static str>> {
        self.grants().map_err(|refusals| refusals.iter().map(Refusal::code).collect())
    }
}

/// The digest of the hub's CA certificate.
pub(super) fn hub() -> Digest {
    samples::session().hub
}

/// The device is of this client.
pub(super) fn assignment(client: &str, by: &str) -> Signed {
    let (device, expires, tags) = (key("device"), time("2027-05-01T00:00:00Z"), vec![name("server")]);
    let body = Assignment { serial: 1, expires, device, client: name(client), site: name("hq"), tags };
    signed("2026-11-01T00:00:00Z", &body, &[by])
}

/// A signature that was made for another kind.
pub(super) fn sign_as(kind: Kind, signed: &Signed, holder: &str) -> Signed {
    Signed::new(signed.statement().to_vec(), vec![sign(kind, signed.statement(), holder)])
}
