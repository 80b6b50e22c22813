//! Devices of acme's before a hub that carries orders to them.

use std::sync::{Arc, Mutex};

use bus::{Exchange as _, Message, Spool};
use fleet::{Device, Ended, Mailbox, Tally, Tree};
use model::{Digest, Outcome, Verdict};
use trust::statement::{Pause, Report, Roster, Seat};
use trust::{Signed, Time, statement};

use super::super::{NOW_MS, World, asker, assignment, key, name, names, order, root, signed, time};
use crate::db::Rollout;
use crate::{Asker, Delivery, Hub, Post, Scope, Stepped};

pub(super) fn tess() -> Asker {
    asker("tess", &["acme"])
}

/// A stop of all that is ordered of these clients.
pub(super) fn pause(by: &str, clients: &[&str]) -> Signed {
    let expires = time("2027-01-01T00:00:00Z");
    let (serial, clients, orders) = (1, names(clients), Vec::new());
    let pause = Pause { serial, expires, is_paused: true, clients, orders, reason: "stop".to_owned() };
    signed("2026-11-22T11:00:00Z", &pause, &[by])
}

pub(super) fn roster_without_tess() -> Signed {
    let seat = Seat {
        holder: name("boss"),
        key: key("boss"),
        from: time("2026-01-01T00:00:00Z"),
        until: time("2027-01-01T00:00:00Z"),
        clients: names(&["*"]),
        class_max: contract::Class::L3,
    };
    let roster = Roster {
        serial: 2,
        expires: time("2027-01-01T00:00:00Z"),
        technicians: vec![seat],
        reviewers: Vec::new(),
        publishers: Vec::new(),
        clients: Vec::new(),
        releases: Vec::new(),
    };
    signed("2026-11-22T11:30:00Z", &roster, &["ann"])
}

/// What a device signed about an order, with its number.
pub(super) fn report(at: usize, order: &str, (outcome, verdict): (Outcome, Verdict), sequence: u64) -> Signed {
    let device = format!("d{at}");
    let report = Report {
        tenant: Digest::of(root().statement()),
        order: order.parse().unwrap(),
        device: key(&device),
        run: None,
        attempt: 1,
        outcome,
        verdict,
        refused: (outcome == Outcome::Refused).then(|| name("not-meant")),
        mode: model::Mode::Detect,
        ended: Time::from_ms(NOW_MS + 10_000),
        plan: None,
        record: Digest::of(b"record"),
        sequence,
        previous: (sequence > 1).then(|| Digest::of(b"the one before")),
    };
    signed("2026-11-22T12:00:10Z", &report, &[&device])
}

pub(super) struct Scene {
    pub(super) world: World,
    pub(super) post: Arc<Post>,
    delivery: Mutex<Option<Delivery>>,
    count: usize,
}

impl Scene {
    pub(super) async fn new(count: usize) -> Self {
        let world = World::new().await;
        let post = Arc::new(Post::new(Arc::clone(&world.hub)));
        let delivery = Mutex::new(Some(Delivery::new(Arc::clone(&post))));
        let scene = Self { world, post, delivery, count };
        for at in 0..count {
            scene.put(assignment(1, &format!("d{at}"), "acme", "tess")).await;
        }
        scene
    }

    /// What is left when nobody works with it any more.
    pub(super) fn closed(self) -> World {
        self.world
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.world.hub
    }

    pub(super) fn devices(&self) -> Vec<Device> {
        (0..self.count).map(|at| Device::of(&key(&format!("d{at}")))).collect()
    }

    pub(super) async fn put(&self, document: Signed) {
        self.hub().put_document(document, &asker("boss", &["*"])).await.unwrap();
    }

    /// An order that is signed and handed over.
    pub(super) async fn give(&self, word: &str, rings: &[&Tree]) -> String {
        let order = order(word, &["acme"], "tess", rings);
        let digest = Digest::of(order.statement()).to_string();
        self.put(order).await;
        digest
    }

    pub(super) async fn step(&self, now_ms: u64) -> Stepped {
        let mut delivery = self.delivery.lock().unwrap().take().unwrap();
        let step = move || {
            let stepped = delivery.step(now_ms).unwrap();
            (delivery, stepped)
        };
        let (delivery, stepped) = tokio::task::spawn_blocking(step).await.unwrap();
        *self.delivery.lock().unwrap() = Some(delivery);
        stepped
    }

    pub(super) fn rollout(&self, order: &str) -> Option<Rollout> {
        self.hub().db.read(&Scope::of_hub(), |view| view.rollout(order)).unwrap()
    }

    pub(super) fn audited(&self, action: &str) -> usize {
        let page = crate::db::Page { after: None, limit: Some(500) };
        let entries = self.hub().db.read(&Scope::of_hub(), |view| view.audit(&page)).unwrap().items;
        entries.iter().filter(|it| it.action == action).count()
    }

    pub(super) async fn mailbox(&self, of: &Device) -> Mailbox {
        Mailbox::read(&self.post.mailbox(of).await.unwrap().unwrap().bytes).unwrap()
    }

    pub(super) async fn report(&self, at: usize, order: &str, outcome: Outcome, verdict: Verdict, sequence: u64) {
        let body = report(at, order, (outcome, verdict), sequence).to_text().into();
        let message = Message { spool: Spool(7), sequence, kind: "result".parse().unwrap(), body };
        self.post.deliver(&Device::of(&key(&format!("d{at}"))), vec![message]).await.unwrap();
    }

    /// What one device signed as its first result comes once more, from it or from another, under another number of the log.
    pub(super) async fn report_as(&self, from: usize, of: usize, order: &str, number: u64) {
        let body = report(of, order, (Outcome::Completed, Verdict::Failed), 1).to_text().into();
        let message = Message { spool: Spool(9), sequence: number, kind: "result".parse().unwrap(), body };
        self.post.deliver(&Device::of(&key(&format!("d{from}"))), vec![message]).await.unwrap();
    }

    pub(super) fn check_counters(&self, order: &str, rings: usize) {
        check_counters(self.hub(), order, rings);
    }
}

/// What is counted is what comes out of the log, read from its beginning.
pub(super) fn check_counters(hub: &Hub, order: &str, rings: usize) {
    let log = hub.db.read(&Scope::of_hub(), |view| view.log(0, 10_000)).unwrap();
    let ring_of = |ring: usize| {
        let at = u32::try_from(ring).unwrap();
        hub.db.read(&Scope::of_hub(), |view| view.ring_devices(order, at)).unwrap()
    };
    let places: Vec<Vec<String>> = (0..rings).map(ring_of).collect();
    let mut tally = Tally::default();
    for row in log.iter().filter(|it| it.kind == "result") {
        let Ok(signed) = Signed::from_text(&row.body) else { continue };
        let read = statement::read::<Report>(signed.statement()).unwrap();
        let Some(ring) = places.iter().position(|it| it.contains(&row.device)) else { continue };
        if read.body.order.to_string() == order {
            let device = Device::of(&read.body.device);
            tally.add(device, u32::try_from(ring).unwrap(), Ended::of(read.digest, &read.body));
        }
    }
    let sizes: Vec<u32> = places.iter().map(|it| u32::try_from(it.len()).unwrap()).collect();
    let counted = hub.db.read(&Scope::of_hub(), |view| view.rollout(order)).unwrap().unwrap().rings;
    for (folded, ring) in tally.counters(&sizes).iter().zip(&counted) {
        let counted = crate::rollout::counters(ring);
        assert_eq!(
            (counted.devices, counted.well, counted.badly, counted.aside),
            (folded.devices, folded.well, folded.badly, folded.aside),
            "ring {}",
            ring.ring
        );
        assert!(folded.last.is_none_or(|last| counted.last.is_some_and(|it| it >= last)));
    }
}
