//! The hub's side of the bus is a backend like any other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::bus::{Device, Direct, Exchange, Line, Message, Spool, Taken, conformance};
use async_trait::async_trait;
use trust::statement::Report;

use super::{World, asker, key, signed, time};
use crate::db::Page;
use crate::{Hub, Post};

struct OverHub {
    world: World,
    post: Mutex<Arc<Post>>,
}

#[async_trait]
impl conformance::World for OverHub {
    fn exchange(&self) -> Arc<dyn Exchange> {
        self.post.lock().unwrap().clone()
    }

    async fn line(&self, number: u8) -> (Device, Arc<dyn Line>) {
        let device = key(&format!("device {number}"));
        let (name, text) = (crate::device_id(&device), device.to_string());
        let held = crate::Scope::of_hub().hold(&"acme".parse().unwrap()).unwrap();
        let hub = self.world.hub.clone();
        hub.db.write(move |change| change.join(&held, &name, &text, "berlin", 1)).await.unwrap();
        let device = Device::of(&device);
        (device, Arc::new(Direct::new(self.exchange(), device)))
    }

    fn pass(&self, time: Duration) {
        *self.post.lock().unwrap().passed.lock().unwrap() += time;
    }

    async fn restart(&self) {
        let hub: Hub = self.world.reopened().await;
        *self.post.lock().unwrap() = Arc::new(Post::new(Arc::new(hub)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hub_conforms() {
    let make = async || {
        let world = World::new().await;
        let post = Mutex::new(Arc::new(Post::new(Arc::clone(&world.hub))));
        Box::new(OverHub { world, post }) as Box<dyn conformance::World>
    };
    assert_eq!(conformance::check(make).await, []);
}

fn report(device: &str, sequence: u64, signer: &str) -> Vec<u8> {
    let report = Report {
        tenant: model::Digest::of(super::root().statement()),
        order: model::Digest::of(b"order"),
        device: key(device),
        run: None,
        attempt: 1,
        outcome: model::Outcome::Completed,
        verdict: model::Verdict::Fixed,
        refused: None,
        mode: model::Mode::Enforce,
        ended: time("2026-11-22T11:00:00Z"),
        plan: None,
        record: model::Digest::of(b"record"),
        sequence,
        previous: (sequence > 1).then(|| model::Digest::of(b"the one before")),
    };
    signed("2026-11-22T11:00:00Z", &report, &[signer]).to_text()
}

fn message(sequence: u64, kind: &str, body: Vec<u8>) -> Message {
    Message { spool: Spool(7), sequence, kind: kind.parse().unwrap(), body: body.into() }
}

#[tokio::test]
async fn what_a_device_signed_is_counted_once_and_what_another_signed_never() {
    let world = World::new().await;
    let post = Post::new(Arc::clone(&world.hub));
    let (web, tess) = (Device::of(&key("web")), asker("tess", &["acme"]));
    let order = model::Digest::of(b"order").to_string();
    let answered = || {
        let order = order.clone();
        world.hub.db.read(&tess.scope, move |view| view.counted(&order)).unwrap().outcomes
    };
    let deliver = async |messages: Vec<Message>| {
        let acks = post.deliver(&web, messages).await.unwrap();
        acks.into_iter().map(|it| it.taken).collect::<Vec<_>>()
    };
    // Of another device, by another's key, and of no form at all: kept, and counted nowhere.
    let forged = vec![
        message(1, "result", report("db", 1, "db")),
        message(2, "result", report("web", 1, "db")),
        message(3, "result", b"rubbish".to_vec()),
    ];
    assert_eq!(deliver(forged).await, [Taken::New; 3]);
    assert!(answered().is_empty());
    assert_eq!(deliver(vec![message(4, "result", report("web", 1, "web"))]).await, [Taken::New]);
    assert_eq!(answered()["completed"], 1);
    // Sent again, and again under another number.
    assert_eq!(deliver(vec![message(4, "result", report("web", 1, "web"))]).await, [Taken::Known]);
    assert_eq!(deliver(vec![message(5, "result", report("web", 1, "web"))]).await, [Taken::New]);
    assert_eq!(answered()["completed"], 1);
    // A client's technician sees what another client's device said nowhere.
    let gus = asker("gus", &["globex"]);
    assert!(world.hub.db.read(&gus.scope, |view| view.counted(&order)).unwrap().outcomes.is_empty());
    assert!(world.hub.db.read(&gus.scope, |view| view.log(0, 100)).unwrap().is_empty());
    // A device that nobody knows is not heard.
    let stranger = Device::of(&key("stranger"));
    assert!(post.deliver(&stranger, vec![message(1, "note", b"x".to_vec())]).await.is_err());
}

#[tokio::test]
async fn a_ticket_is_one_however_often_it_is_sent() {
    let world = World::new().await;
    let post = Post::new(Arc::clone(&world.hub));
    let (web, tess) = (Device::of(&key("web")), asker("tess", &["acme"]));
    let ticket = |revision: u64, times: u64| {
        let body = serde_json::json!({
            "id": "tkt_1", "key": "disks/full", "title": "disk full", "body": "9 % left", "revision": revision, "times": times,
            "is-open": true, "severity": "warning", "priority": 2,
        });
        body.to_string().into_bytes()
    };
    let told = br#"{"key":"k","body":"b"}"#.to_vec();
    let tickets = || {
        let which = crate::db::WhichTickets::default();
        world.hub.db.read(&tess.scope, |view| view.tickets(&which, &Page::default())).unwrap().items
    };
    for _ in 0..3 {
        let both = vec![message(1, "ticket", ticket(1, 1)), message(2, "notification", told.clone())];
        post.deliver(&web, both).await.unwrap();
    }
    let all = tickets();
    assert_eq!((all.len(), all[0].times, all[0].title.as_str()), (1, 1, "disk full"));
    let told = world.hub.db.read(&tess.scope, |view| view.notifications(&Page::default())).unwrap().items;
    assert_eq!(told.len(), 1);
    // Under another number, as a device says it that came back out of a copy, it says nothing new either.
    post.deliver(&web, vec![message(3, "ticket", ticket(1, 1))]).await.unwrap();
    assert_eq!(tickets()[0].times, 1);
    // Said once more by the plugin, it is the same ticket; under another device's line it is another's.
    post.deliver(&web, vec![message(4, "ticket", ticket(2, 2))]).await.unwrap();
    post.deliver(&Device::of(&key("db")), vec![message(1, "ticket", ticket(9, 9))]).await.unwrap();
    let all = tickets();
    assert_eq!((all.len(), all[0].times), (1, 2));
}
