use std::collections::BTreeMap;

use contract::Class;
use model::Digest;
use trust::statement::{Assignment, Order, Roster, Seat};
use trust::{Names, Signed, Time, Trust};

use crate::inbox::{Inbox, Input, Look, Waiting};
use crate::tests::world::{ROOT, World, key, order, pinned, signed, time};
use crate::tests::{facts, name};
use crate::{Facts, Mailbox, Posted, Tree};

pub(super) const TECHNICIAN: u8 = 1;
pub(super) const OTHER_TECHNICIAN: u8 = 2;

/// A device, a hub that has documents and fills its mailbox, and what the device did.
pub(super) struct Bench {
    pub(super) trust: Trust,
    pub(super) hub: BTreeMap<Digest, Vec<u8>>,
    pub(super) mailbox: Mailbox,
    pub(super) inbox: Inbox,
    pub(super) kept: BTreeMap<String, String>,
    pub(super) facts: Facts,
    pub(super) world: World,
    pub(super) now: Time,
    pub(super) begun: Vec<Digest>,
    pub(super) refused: Vec<(Digest, &'static str)>,
    pub(super) ended: Vec<Digest>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) fetched: usize,
    pub(super) is_attacked: bool,
    /// Whether the agent dies before it takes what is handed over next.
    pub(super) dies: bool,
}

impl Bench {
    /// Ten devices, of which this is the last. Root, roster and assignment lie in the mailbox.
    pub(super) fn new() -> Self {
        let world = World::new(10);
        let seat = |holder: &str, number: u8| Seat {
            holder: name(holder),
            key: key(number),
            from: time("2026-01-01T00:00:00Z"),
            until: time("2028-01-01T00:00:00Z"),
            clients: Names::These(vec![name("acme")]),
            class_max: Class::L3,
        };
        let roster = Roster {
            serial: 1,
            expires: time("2028-01-01T00:00:00Z"),
            technicians: vec![seat("tess", TECHNICIAN), seat("tom", OTHER_TECHNICIAN)],
            reviewers: vec![seat("rob", 3)],
            publishers: Vec::new(),
            clients: Vec::new(),
            releases: Vec::new(),
        };
        let assignment = Assignment {
            serial: 1,
            expires: time("2028-01-01T00:00:00Z"),
            device: world.key(9),
            client: name("acme"),
            site: name("hq"),
            tags: vec![name("server")],
        };
        let (trust, _) = pinned();
        let mut bench = Self {
            trust,
            hub: BTreeMap::new(),
            mailbox: Mailbox::default(),
            inbox: Inbox::default(),
            kept: BTreeMap::new(),
            facts: facts(),
            world,
            now: time("2026-11-22T13:00:00Z"),
            begun: Vec::new(),
            refused: Vec::new(),
            ended: Vec::new(),
            waiting: Vec::new(),
            fetched: 0,
            is_attacked: false,
            dies: false,
        };
        // In an order in which they could not be taken one by one.
        bench.believe(&signed("2026-02-01T00:00:00Z", &assignment, &[TECHNICIAN]));
        bench.believe(&signed("2026-01-01T00:00:00Z", &roster, &[ROOT]));
        bench
    }

    pub(super) fn put(&mut self, document: Vec<u8>) -> Digest {
        let digest = Digest::of(&document);
        self.hub.insert(digest, document);
        digest
    }

    pub(super) fn believe(&mut self, document: &Signed) {
        let digest = self.put(document.to_text());
        self.mailbox.trust.push(digest);
    }

    /// An order of these devices' rings.
    pub(super) fn order(&self, rings: &[&Tree]) -> Order {
        Order { tenant: self.trust.pin(), clients: Names::These(vec![name("acme")]), ..order(rings) }
    }

    /// An order without rings that is posted; the digest of its statement.
    pub(super) fn post(&mut self, change: impl FnOnce(&mut Order)) -> Digest {
        let mut body = self.order(&[]);
        change(&mut body);
        self.post_signed(&body, &[TECHNICIAN])
    }

    pub(super) fn post_signed(&mut self, body: &Order, by: &[u8]) -> Digest {
        let signed = signed("2026-11-22T11:00:00Z", body, by);
        let document = self.put(signed.to_text());
        self.mailbox.orders.push(Posted { order: document, ring: None, gate: None, parcel: None });
        Digest::of(signed.statement())
    }

    /// Steps until nothing follows any more.
    pub(super) fn settle(&mut self) {
        let mailbox = self.mailbox.write().unwrap();
        self.step(Input::Mailbox(&mailbox), &mut Vec::new());
        let mut wanted = Vec::new();
        self.step(Input::Looked, &mut wanted);
        for _ in 0..50 {
            let Some(digest) = wanted.pop() else { return };
            self.fetched += 1;
            let document = self.hub.get(&digest).cloned();
            wanted.clear();
            match document {
                Some(document) => self.step(Input::Document(digest, &document), &mut wanted),
                None => self.step(Input::Missing(digest), &mut wanted),
            }
        }
        panic!("it asks for ever: {wanted:?}");
    }

    pub(super) fn step(&mut self, input: Input<'_>, wanted: &mut Vec<Digest>) {
        let device = self.world.key(9);
        let look = Look { now: self.now, trust: &self.trust, device: &device, facts: &self.facts };
        let step = self.inbox.step(input, look);
        assert!(step.bad_mailbox.is_none() || self.is_attacked);
        for (key, text) in step.keep {
            match text {
                Some(text) => drop(self.kept.insert(key, text)),
                None => drop(self.kept.remove(&key)),
            }
        }
        self.begun.extend(step.begin.iter().map(|it| it.order));
        self.refused.extend(step.refused.iter().map(|it| (it.order, it.against.code())));
        self.ended.extend(step.ended);
        self.waiting = step.waiting;
        wanted.extend(step.fetch);
        if step.take.is_empty() {
            return;
        }
        if std::mem::take(&mut self.dies) {
            return self.restart();
        }
        for (digest, document) in &step.take {
            // What stands on a document that is withheld is refused.
            let taken = self.trust.take(document, self.now);
            assert!(taken.is_ok() || self.is_attacked, "{taken:?}");
            if taken.is_err() {
                self.step(Input::NotTaken(*digest), wanted);
            }
        }
        self.step(Input::Looked, wanted);
    }

    /// The agent dies, and is started again.
    pub(super) fn restart(&mut self) {
        self.inbox = Inbox::restore(self.kept.clone()).unwrap();
    }

    pub(super) fn codes(&self) -> Vec<&'static str> {
        self.refused.iter().map(|(_, code)| *code).collect()
    }
}
