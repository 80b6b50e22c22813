//! Orders go on their way: to those that were signed, ring by ring, and come back counted.

mod fold;
mod kills;
mod scene;

use std::collections::HashSet;
use std::time::Duration;

use bus::{Beat, Exchange as _, Has};
use fleet::{Device, Mailbox, Question, Tree};
use model::{Digest, Outcome, Verdict};

use super::{NOW_MS, asker, key, name};
use crate::db::{RingStands, RolloutState};
use crate::rollout::Wish;
use crate::{Error, Scope};
use scene::{Scene, tess};

const MINUTE_MS: u64 = 60_000;

fn wish(rings: &[&[Device]]) -> Wish {
    let rings = rings.iter().map(|ring| ring.iter().map(Device::hex).collect()).collect();
    Wish { rings, parcel: None, replaces: Vec::new() }
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_rollout_is_told_at_once() {
    let scene = Scene::new(4).await;
    let devices = scene.devices();
    let (first, second) = (Tree::new(&devices[..1]), Tree::new(&devices[1..]));
    let order = scene.give("1", &[&first, &second]).await;
    let good = wish(&[&devices[..1], &devices[1..]]);
    let db = Device::of(&key("db"));
    let bad = Wish {
        rings: vec![
            vec![devices[0].hex(), devices[0].hex(), "none".to_owned()],
            vec![db.hex(), Device::of(&key("nobody")).hex()],
            Vec::new(),
        ],
        parcel: Some(Digest::of(b"no part").to_string()),
        replaces: vec![order.clone()],
    };
    let Err(Error::Invalid(told)) = scene.hub().put_rollout(&order, bad, &asker("boss", &["*"])).await else {
        panic!("it is refused")
    };
    for what in [
        "3 lists of devices, and the order has 2",
        "`rings[0]`: the device",
        "`none` is no device",
        "`rings[0]`: these 3 devices are not the 1",
        "the order is not for the client",
        "`rings[1]`: there is no device",
        "`rings[2]`: nobody is in it",
        "`parcel`: there is no such part",
        "`replaces`: no other order",
    ] {
        assert!(told.iter().any(|it| it.contains(what)), "{what}: {told:#?}");
    }
    // One thing wrong at a time, each refused; and the control.
    let swapped = [devices[2], devices[1], devices[3]];
    for (what, wish) in [
        ("another order of the same devices", wish(&[&devices[..1], &swapped])),
        ("one too few", wish(&[&devices[..1], &devices[2..]])),
        ("rings the wrong way round", wish(&[&devices[1..], &devices[..1]])),
    ] {
        let put = scene.hub().put_rollout(&order, wish, &tess()).await;
        assert!(matches!(put, Err(Error::Invalid(_))), "{what}: {put:?}");
    }
    let gus = scene.hub().put_rollout(&order, good.clone(), &asker("gus", &["globex"])).await;
    assert!(matches!(gus, Err(Error::Missing { what: "order" })));
    assert!(scene.rollout(&order).is_none(), "nothing of it was kept");
    scene.hub().put_rollout(&order, good.clone(), &tess()).await.unwrap();
    let before = scene.rollout(&order).unwrap();
    scene.hub().put_rollout(&order, good.clone(), &tess()).await.unwrap();
    assert_eq!(scene.rollout(&order).unwrap(), before, "again is the same");
    assert_eq!(scene.audited("rollout-put"), 1);
    // Taken back, it stays so.
    scene.hub().withdraw_rollout(&order, &tess()).await.unwrap();
    scene.hub().withdraw_rollout(&order, &tess()).await.unwrap();
    assert_eq!(scene.audited("rollout-withdrawn"), 1);
    assert_eq!(scene.rollout(&order).unwrap().state, RolloutState::Withdrawn);
    let again = scene.hub().put_rollout(&order, good, &tess()).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn a_mailbox_has_what_is_for_its_device_and_only_what_changes_is_written() {
    let scene = Scene::new(3).await;
    let devices = scene.devices();
    // These, `web` and `db`.
    assert_eq!(scene.step(NOW_MS).await.filled, 5);
    assert_eq!(scene.step(NOW_MS).await.filled, 0, "nothing changed");
    let part = scene.hub().put_part(b"the plugin".to_vec(), &tess()).await.unwrap();
    let (parcel, _) = fleet::Parcel::of(b"the plugin", Vec::new()).unwrap();
    assert_eq!(parcel.parts, [part]);
    let list = scene.hub().put_part(parcel.write(), &tess()).await.unwrap();
    let tree = Tree::new(&devices);
    let order = scene.give("1", &[&tree]).await;
    let wish = Wish { parcel: Some(list.to_string()), ..wish(&[&devices]) };
    scene.hub().put_rollout(&order, wish, &tess()).await.unwrap();
    assert_eq!(scene.step(NOW_MS).await.filled, 3, "those of the order");
    let mailbox = scene.mailbox(&devices[1]).await;
    let [posted] = mailbox.orders.as_slice() else { panic!("{mailbox:?}") };
    let seat = posted.ring.as_ref().unwrap();
    assert!(seat.proof.holds(&devices[1], 3, tree.root()));
    // All that it names is to be had by it, and nobody else gets what the plugin is made of.
    let of_order = [posted.order, list, part];
    let wanted: Vec<Digest> = mailbox.trust.iter().chain(&of_order).copied().collect();
    let found = scene.post.documents(&devices[1], &wanted).await.unwrap();
    assert_eq!((found.documents.len(), found.missing.as_slice()), (wanted.len(), &[][..]));
    let other = scene.post.documents(&Device::of(&key("db")), &of_order).await.unwrap();
    assert_eq!(other.missing, of_order);
    // Another's mailbox has no word of it, and its own assignment.
    let db = scene.mailbox(&Device::of(&key("db"))).await;
    assert!(db.orders.is_empty() && db.trust.len() == 3, "root, roster and its place: {db:?}");
    assert!(!db.trust.iter().all(|it| mailbox.trust.contains(it)));
    // A stop of acme's is for acme's devices.
    scene.put(scene::pause("tess", &["acme"])).await;
    assert_eq!(scene.step(NOW_MS).await.filled, 4, "and `web`");
    assert_eq!(scene.mailbox(&devices[0]).await.pauses.len(), 1);
    assert!(scene.mailbox(&Device::of(&key("db"))).await.pauses.is_empty());
    // What is taken back is in no mailbox, and its parts are out of reach.
    scene.hub().withdraw_rollout(&order, &tess()).await.unwrap();
    assert_eq!(scene.step(NOW_MS).await.filled, 3);
    assert!(scene.mailbox(&devices[1]).await.orders.is_empty());
    assert_eq!(scene.post.documents(&devices[1], &of_order).await.unwrap().missing, of_order);
}

#[tokio::test]
async fn what_lists_a_plugin_s_parts_comes_beside_the_mailbox_and_all_of_a_small_one() {
    let scene = Scene::new(3).await;
    let devices = scene.devices();
    let none = HashSet::new();
    let beside = async |device: &Device, mailbox: Option<Digest>, known: &HashSet<Digest>| {
        let has = Has { mailbox, documents: known };
        let found = scene.post.mailbox_beside(device, has, 1 << 20).await.unwrap().unwrap();
        let documents: HashSet<Digest> = found.documents.iter().map(|it| Digest::of(it)).collect();
        (found, documents)
    };
    // What was signed about a plugin travels as its parts do.
    for (number, bytes) in [(1, 1_000), (2, 9_000)] {
        let (plugin, attached) = (b"the plugin".to_vec(), vec![7; bytes]);
        let (parcel, _) = fleet::Parcel::of(&plugin, vec![Digest::of(&attached)]).unwrap();
        let mut parts = Vec::new();
        for part in [plugin, attached] {
            parts.push(scene.hub().put_part(part, &tess()).await.unwrap());
        }
        let list = scene.hub().put_part(parcel.write(), &tess()).await.unwrap();
        let order = scene.give(&number.to_string(), &[&Tree::new(&devices[..2])]).await;
        let wish = Wish { parcel: Some(list.to_string()), ..wish(&[&devices[..2]]) };
        scene.hub().put_rollout(&order, wish, &tess()).await.unwrap();
        scene.step(NOW_MS).await;
        let (found, documents) = beside(&devices[0], None, &none).await;
        let has: Vec<bool> = parts.iter().map(|it| documents.contains(it)).collect();
        assert_eq!((documents.contains(&list), has), (true, vec![bytes < 8_192; 2]), "{bytes}");
        // Each is asked for what it is known not to have, and nobody who was ordered nothing gets any of it.
        let known: HashSet<Digest> = found.names.iter().copied().collect();
        assert!(documents.is_subset(&known) && beside(&devices[0], None, &known).await.1.is_empty());
        let mailbox = Some(Digest::of(&found.mailbox.bytes));
        assert!(beside(&devices[0], mailbox, &none).await.1.is_empty(), "it has this one");
        let (other, _) = beside(&devices[2], None, &none).await;
        assert!(!other.names.contains(&list) && !other.names.contains(&parts[0]));
        // Whoever has answered needs it no more; the other one still does.
        scene.report(0, &order, Outcome::Completed, Verdict::Compliant, number).await;
        assert!(!beside(&devices[0], None, &none).await.1.contains(&list));
        assert!(beside(&devices[1], None, &none).await.1.contains(&list));
    }
}

#[tokio::test]
async fn a_ring_opens_when_the_one_before_met_its_gate_and_a_device_can_see_it() {
    let scene = Scene::new(6).await;
    let devices = scene.devices();
    let (first, second) = (Tree::new(&devices[..2]), Tree::new(&devices[2..]));
    let order = scene.give("1", &[&first, &second]).await;
    scene.hub().put_rollout(&order, wish(&[&devices[..2], &devices[2..]]), &tess()).await.unwrap();
    scene.step(NOW_MS).await;
    let stands = || scene.rollout(&order).unwrap().rings.iter().map(|it| it.state).collect::<Vec<_>>();
    assert_eq!(stands(), [RingStands::Open, RingStands::Waiting]);
    assert!(scene.mailbox(&devices[3]).await.orders[0].gate.is_none());
    scene.report(0, &order, Outcome::Completed, Verdict::Compliant, 1).await;
    assert_eq!(scene.step(NOW_MS + MINUTE_MS).await.opened, 0, "one is missing");
    scene.report(1, &order, Outcome::Completed, Verdict::Compliant, 1).await;
    let early = scene.step(NOW_MS + 10_000).await;
    assert_eq!((early.opened, early.due_ms), (0, Some(NOW_MS + MINUTE_MS + 10_000)), "it is watched for a minute");
    // One of them is heard no more: it did not come back.
    let hour = Duration::from_secs(3_600);
    *scene.post.passed.lock().unwrap() += hour;
    let beat = |at: usize| {
        let beat = Beat { at_ms: NOW_MS, mailbox: None, waiting: 0, agent: "test".to_owned() };
        let (post, device) = (scene.post.clone(), devices[at]);
        async move { post.beat(&device, beat).await.unwrap() }
    };
    beat(0).await;
    let later = NOW_MS + 2 * MINUTE_MS;
    assert_eq!(scene.step(later).await.opened, 0, "one of two is away");
    beat(1).await;
    let stepped = scene.step(later + MINUTE_MS).await;
    assert_eq!((stepped.opened, stepped.filled), (1, 4), "the second ring's mailboxes alone");
    assert_eq!(stands(), [RingStands::Done, RingStands::Open]);
    // A device looks at it by itself.
    let posted = scene.mailbox(&devices[3]).await.orders[0].clone();
    let gate = posted.gate.unwrap();
    let found = scene.post.documents(&devices[3], &[gate]).await.unwrap().documents;
    let signed = super::order("1", &["acme"], "tess", &[&first, &second]);
    let body = trust::statement::read::<trust::statement::Order>(signed.statement()).unwrap();
    {
        let trust = scene.hub().trust();
        let question = Question { trust: &trust, order: body.digest, body: &body.body, ring: 0 };
        assert_eq!(question.answered(&found[0], trust::Time::from_ms(later)), Ok(()));
    }
    // Once all have answered it is over, and in no mailbox.
    for at in 2..6 {
        scene.report(at, &order, Outcome::Completed, Verdict::Compliant, 1).await;
    }
    assert_eq!(scene.step(later + MINUTE_MS).await.ended, 1);
    assert_eq!(scene.rollout(&order).unwrap().state, RolloutState::Done);
    assert!(scene.mailbox(&devices[3]).await.orders.is_empty());
    scene.check_counters(&order, 2);
}

#[tokio::test]
async fn a_failure_holds_the_next_ring_until_what_is_missing_no_longer_counts_or_for_ever() {
    let scene = Scene::new(4).await;
    let devices = scene.devices();
    let (first, second) = (Tree::new(&devices[..2]), Tree::new(&devices[2..]));
    let order = scene.give("1", &[&first, &second]).await;
    scene.hub().put_rollout(&order, wish(&[&devices[..2], &devices[2..]]), &tess()).await.unwrap();
    scene.report(0, &order, Outcome::Completed, Verdict::Failed, 1).await;
    scene.report(1, &order, Outcome::Completed, Verdict::Compliant, 1).await;
    let day = 24 * 60 * MINUTE_MS;
    assert_eq!(scene.step(NOW_MS + 2 * day).await.opened, 0, "one of two failed, and one of four may");
    // It is run again, and goes well: the control.
    scene.report(0, &order, Outcome::Completed, Verdict::Fixed, 2).await;
    assert_eq!(scene.step(NOW_MS + 2 * day).await.opened, 1);
    // And an order ends with its time.
    let ended = scene.step(NOW_MS + 8 * day).await;
    assert_eq!((ended.ended, ended.filled), (1, 4));
    assert_eq!(scene.rollout(&order).unwrap().state, RolloutState::Expired);
    scene.check_counters(&order, 2);
}

#[tokio::test]
async fn one_order_takes_the_place_of_another() {
    let scene = Scene::new(2).await;
    let devices = scene.devices();
    let (old, new) = (scene.give("1", &[]).await, scene.give("2", &[]).await);
    scene.hub().put_rollout(&old, wish(&[&devices]), &tess()).await.unwrap();
    scene.step(NOW_MS).await;
    // Of one without rings, others may be meant.
    scene.hub().put_rollout(&old, wish(&[&devices[1..]]), &tess()).await.unwrap();
    assert_eq!(scene.step(NOW_MS).await.filled, 1);
    assert!(scene.mailbox(&devices[0]).await.orders.is_empty());
    let wish = Wish { replaces: vec![old.clone()], ..wish(&[&devices[..1]]) };
    scene.hub().put_rollout(&new, wish, &tess()).await.unwrap();
    assert_eq!(scene.rollout(&old).unwrap().state, RolloutState::Superseded);
    scene.step(NOW_MS).await;
    assert_eq!([0, 1].map(|at| orders_of(&scene, devices[at])), [1, 0]);
}

/// How many orders a mailbox has.
fn orders_of(scene: &Scene, device: Device) -> usize {
    let name = device.hex();
    let found = scene.hub().db.read(&Scope::of_hub(), |view| view.mailbox(&name)).unwrap();
    Mailbox::read(&found.unwrap().bytes).unwrap().orders.len()
}

#[tokio::test]
async fn parts_are_kept_for_who_handed_them_over_and_those_of_nobody_go() {
    let scene = Scene::new(1).await;
    let one = scene.hub().put_part(b"one".to_vec(), &tess()).await.unwrap();
    assert_eq!(scene.hub().put_part(b"one".to_vec(), &tess()).await.unwrap(), one, "again is the same");
    assert!(scene.hub().put_part(Vec::new(), &tess()).await.is_err());
    let most = fleet::PART_BYTES_MAX;
    assert!(scene.hub().put_part(vec![0; most + 1], &tess()).await.is_err());
    assert!(scene.hub().put_part(vec![0; most], &tess()).await.is_ok());
    let has = |clients: &[&str], part: Digest| {
        scene.hub().db.read(&asker("x", clients).scope, |view| view.part(&part.to_string())).unwrap().is_some()
    };
    assert!(has(&["acme"], one) && !has(&["globex"], one));
    scene.hub().put_part(b"one".to_vec(), &asker("gus", &["globex"])).await.unwrap();
    assert!(has(&["globex"], one));
    // A day later those that an order names are there, and the others are not.
    let plugin = scene.hub().put_part(b"the plugin".to_vec(), &tess()).await.unwrap();
    let list = fleet::Parcel::of(b"the plugin", Vec::new()).unwrap().0.write();
    let list = scene.hub().put_part(list, &tess()).await.unwrap();
    let order = scene.give("1", &[]).await;
    let wish = Wish { parcel: Some(list.to_string()), ..wish(&[&scene.devices()]) };
    scene.hub().put_rollout(&order, wish, &tess()).await.unwrap();
    scene.world.clock.advance(25 * 60 * MINUTE_MS);
    scene.hub().do_chores().await;
    assert!(has(&["acme"], plugin) && has(&["acme"], list) && !has(&["*"], one));
    // Somebody of the same clients, who takes back what the order did, has them for a month; and no other.
    scene.hub().withdraw_rollout(&order, &tess()).await.unwrap();
    scene.world.clock.advance(29 * 24 * 60 * MINUTE_MS);
    scene.hub().do_chores().await;
    assert!(has(&["acme"], plugin) && has(&["acme"], list) && !has(&["globex"], plugin));
    scene.world.clock.advance(25 * 60 * MINUTE_MS);
    scene.hub().do_chores().await;
    assert!(!has(&["*"], plugin));
    // What is beyond the quota is refused, and says so.
    let all = move |change: &crate::db::Change<'_>| {
        let held = i64::try_from(crate::db::PARTS_BYTES_MAX).unwrap();
        change.pretend_part("acme", held, u64::MAX >> 1)
    };
    scene.hub().db.write(all).await.unwrap();
    let full = scene.hub().put_part(b"more".to_vec(), &tess()).await.unwrap_err();
    assert!(matches!(&full, Error::Conflict(why) if why.contains("acme have")), "{full}");
    assert!(scene.hub().put_part(b"more".to_vec(), &asker("gus", &["globex"])).await.is_ok(), "another is not meant");
}

#[tokio::test]
async fn what_an_order_is_made_of_is_seen_by_who_sees_the_order_and_gives_way_when_it_is_over() {
    let scene = Scene::new(1).await;
    let boss = asker("boss", &["*"]);
    let plugin = scene.hub().put_part(b"the plugin".to_vec(), &boss).await.unwrap();
    let list = fleet::Parcel::of(b"the plugin", Vec::new()).unwrap().0.write();
    let list = scene.hub().put_part(list, &boss).await.unwrap();
    let read = |clients: &[&str]| {
        let read = |view: &crate::db::View<'_>| view.ordered_part(&plugin.to_string());
        scene.hub().db.read(&asker("x", clients).scope, read)
    };
    assert!(read(&["*"]).is_err(), "no order names it");
    let order = scene.give("1", &[]).await;
    let wish = Wish { parcel: Some(list.to_string()), ..wish(&[&scene.devices()]) };
    scene.hub().put_rollout(&order, wish, &boss).await.unwrap();
    assert_eq!(read(&["acme"]).unwrap(), b"the plugin", "whoever handed it over");
    assert!(read(&["globex"]).is_err());
    // Where there is no room left, what is over makes some, and what is on its way makes none.
    let (held, now_ms) = (i64::try_from(crate::db::PARTS_BYTES_MAX).unwrap(), NOW_MS + 25 * 60 * MINUTE_MS);
    scene.hub().db.write(move |change| change.pretend_part("*", held - 1_000, now_ms)).await.unwrap();
    scene.world.clock.advance(25 * 60 * MINUTE_MS);
    let more = || scene.hub().put_part(vec![7; 950], &boss);
    assert!(matches!(more().await, Err(Error::Conflict(_))));
    assert!(read(&["acme"]).is_ok());
    scene.hub().withdraw_rollout(&order, &boss).await.unwrap();
    assert!(read(&["acme"]).is_ok() && more().await.is_ok());
    assert!(read(&["acme"]).is_err(), "it gave way");
}

#[tokio::test]
async fn a_stop_outlives_its_signer_s_seat_and_a_restart() {
    let scene = Scene::new(1).await;
    scene.put(scene::pause("tess", &["acme"])).await;
    scene.put(scene::roster_without_tess()).await;
    let again = scene.world.reopened().await;
    assert_eq!(again.trust().pauses().count(), 1);
    assert!(again.trust().roster().unwrap().technicians.iter().all(|it| it.holder != name("tess")));
}

#[tokio::test]
async fn who_watches_hears_of_a_change_when_it_comes() {
    let scene = Scene::new(1).await;
    let order = scene.give("1", &[]).await;
    scene.hub().put_rollout(&order, wish(&[&scene.devices()]), &tess()).await.unwrap();
    let version = scene.rollout(&order).unwrap().version;
    let mut watching = scene.hub().stirs.watch(&order);
    scene.report(0, &order, Outcome::Completed, Verdict::Compliant, 1).await;
    tokio::time::timeout(Duration::from_secs(5), watching.changed()).await.unwrap();
    assert!(scene.rollout(&order).unwrap().version > version);
}

#[tokio::test]
async fn one_technician_alone_reaches_ten_devices_until_somebody_had_the_time_to_see_it() {
    let scene = Scene::new(14).await;
    let devices = scene.devices();
    let give = async |word: &str, by: &[&str], class: contract::Class| {
        let order = super::order(word, &["acme"], "tess", &[]);
        let mut body = trust::statement::read::<trust::statement::Order>(order.statement()).unwrap().body;
        if class > contract::Class::L1 {
            (body.mode, body.class_max) = (model::Mode::Enforce, class);
        }
        let order = super::signed("2026-11-22T12:00:00Z", &body, by);
        let (digest, document) = (Digest::of(order.statement()).to_string(), Digest::of(&order.to_text()));
        scene.put(order).await;
        scene.hub().put_rollout(&digest, wish(&[&devices]), &tess()).await.unwrap();
        scene.step(NOW_MS).await;
        (digest, document)
    };
    let shown = async |document: &Digest| {
        let mut shown = Vec::new();
        for device in &devices {
            let mailbox = scene.mailbox(device).await;
            shown.extend(mailbox.orders.iter().any(|it| it.order == *document).then_some(*device));
        }
        shown
    };
    let (_, looks) = give("1", &["tess"], contract::Class::L1).await;
    assert_eq!(shown(&looks).await.len(), 14, "what only looks is not bounded");
    let (_, two) = give("2", &["tess", "boss"], contract::Class::L2).await;
    assert_eq!(shown(&two).await.len(), 14, "two people meant it");
    let (first, alone) = give("3", &["tess"], contract::Class::L2).await;
    let ten = shown(&alone).await;
    assert_eq!(ten.len(), 10);
    let (_, more) = give("4", &["tess"], contract::Class::L2).await;
    assert_eq!(shown(&more).await, ten, "all orders of that key together");
    scene.hub().withdraw_rollout(&first, &tess()).await.unwrap();
    scene.step(NOW_MS + MINUTE_MS).await;
    let (_, again) = give("5", &["tess"], contract::Class::L2).await;
    assert_eq!(shown(&again).await, ten, "what was taken back was shown all the same");
    scene.step(NOW_MS + 59 * MINUTE_MS).await;
    assert_eq!(shown(&more).await, ten);
    scene.step(NOW_MS + 60 * MINUTE_MS).await;
    assert_eq!(shown(&more).await.len(), 14, "by then everybody could see it");
}
