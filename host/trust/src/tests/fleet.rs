//! What is kept of a fleet, and what a device remembers of its orders.

use model::Digest;

use super::attacks::revocation;
use super::samples;
use super::scene::{CREATED, Scene, assignment};
use super::world::{NOW, key, signed, time};
use crate::statement::{End, Hub, Order};
use crate::{Folder, Ordered, Refusal, Replays, Signed, Trust};

fn hub(serial: u64, address: &str, by: &[&str]) -> Signed {
    let hub = Hub { serial, addresses: vec![address.to_owned()], ..samples::hub() };
    signed("2026-11-20T00:00:00Z", &hub, by)
}

fn codes<T: std::fmt::Debug>(result: Result<T, Vec<Refusal>>) -> Vec<&'static str> {
    result.unwrap_err().iter().map(Refusal::code).collect()
}

#[test]
fn only_the_root_moves_the_hub_and_never_back() {
    let root = &["ann", "ben"];
    let mut trust = Scene::new().trust().unwrap();
    assert_eq!(trust.hub(), None);
    trust.take(&hub(1, "https://a.example", root), time(NOW)).unwrap();
    for (document, code) in [
        (hub(2, "https://evil.example", &["ann"]), "too-few-keys"),
        (hub(2, "https://evil.example", &["tess", "rob"]), "too-few-keys"),
        (hub(0, "https://b.example", root), "rolled-back"),
        (hub(1, "https://b.example", root), "forked"),
    ] {
        assert_eq!(codes(trust.take(&document, time(NOW))), [code]);
        assert_eq!(trust.hub().unwrap().addresses, ["https://a.example"]);
    }
    trust.take(&hub(2, "https://b.example", root), time(NOW)).unwrap();
    assert_eq!(trust.hub().unwrap().addresses, ["https://b.example"]);
}

#[test]
fn what_is_only_looked_at_is_not_kept() {
    let (scene, tenant) = (Scene::new(), Digest::of(b"the root"));
    let mut trust = scene.trust().unwrap();
    for document in [
        scene.order.signed(),
        signed(CREATED, &samples::session(), &["tess"]),
        signed(CREATED, &samples::report(tenant, tenant), &["device"]),
    ] {
        assert_eq!(codes(trust.take(&document, time(NOW))), ["wrong-content"]);
    }
}

#[test]
fn who_may_not_order_it_is_told_before_they_sign() {
    let scene = Scene::new();
    let trust = scene.trust().unwrap();
    let order = scene.order.body.clone();
    let told = |by: &str, order: &Order, now: &str| {
        let refusals = trust.may_order(&key(by), order, time(now));
        refusals.iter().map(Refusal::code).collect::<Vec<_>>()
    };
    assert_eq!(told("tess", &order, NOW), Vec::<&str>::new(), "the control");
    let of_globex = Order { clients: super::world::names(&["globex"]), ..order.clone() };
    let l4 = Order { class_max: contract::Class::L4, ..of_globex.clone() };
    assert_eq!(told("tess", &of_globex, NOW).len(), 1);
    assert_eq!(told("tess", &l4, NOW).len(), 2, "both at once");
    assert_eq!(told("device", &order, NOW), ["unknown-key"]);
    assert!(!told("tess", &order, "2049-01-01T00:00:00Z").is_empty(), "the seat is over");
}

#[test]
fn a_folder_says_what_it_has() {
    let (scene, folder) = (Scene::new(), tempfile::tempdir().unwrap());
    let (mut trust, roster) = (scene.trust().unwrap(), scene.world.roster.signed());
    let folder = Folder::new(folder.path().to_owned());
    folder.pin(&trust, &scene.world.root.signed()).unwrap();
    assert_eq!(folder.digests(&[crate::Kind::Roster]).unwrap().len(), 0);
    let taken = trust.take(&roster, time(NOW)).unwrap();
    folder.keep(&taken, &roster, &trust).unwrap();
    let digests = folder.digests(&[crate::Kind::Roster, crate::Kind::Root]).unwrap();
    assert!(digests.len() == 2 && digests.contains(&Digest::of(roster.statement())), "{digests:?}");
    assert_eq!(folder.documents(crate::Kind::Roster).unwrap(), [roster]);
}

/// A device that joined, is stopped, and knows its hub.
fn documents(scene: &Scene) -> Vec<Signed> {
    let before = "2026-11-20T00:00:00Z";
    vec![
        scene.world.roster.signed(),
        signed(before, &samples::admission(), &["tom"]),
        signed(before, &samples::enrolment(scene.tenant), &["token", "device"]),
        signed(before, &samples::pause(), &["tess"]),
        hub(1, "https://a.example", &["ann", "ben"]),
    ]
}

fn is_believed(trust: &Trust) {
    let place = trust.place(&key("device"), time(NOW)).unwrap();
    assert_eq!(place.client.as_str(), "acme");
    assert_eq!(trust.pauses().count(), 1);
    assert!(trust.hub().is_some());
}

#[test]
fn what_a_fleet_says_is_kept_and_believed_again() {
    let scene = Scene::new();
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::new(place.path().join("trust"));
    std::fs::create_dir(place.path().join("trust")).unwrap();
    let root = scene.world.root.signed();
    let mut trust = Trust::pinned(Digest::of(root.statement()), &root).unwrap();
    folder.pin(&trust, &root).unwrap();
    for document in &documents(&scene) {
        let taken = trust.take(document, time("2026-11-20T12:00:00Z")).unwrap();
        assert!(taken.is_new && !trust.take(document, time("2026-11-20T12:00:00Z")).unwrap().is_new);
        folder.keep(&taken, document, &trust).unwrap();
    }
    // A stop outlives its signer's key, also over a restart.
    let stolen = revocation(End::Compromised, CREATED, &["rob"], |it| it.keys.push(key("tess")));
    folder.keep(&trust.take(&stolen, time(NOW)).unwrap(), &stolen, &trust).unwrap();
    for _ in 0..2 {
        let loaded = folder.load().unwrap().unwrap();
        assert_eq!(loaded.left_out, []);
        is_believed(&loaded.trust);
    }
    let kinds: Vec<_> = folder.folders().iter().filter_map(|it| Some(it.file_name()?.to_str()?.to_owned())).collect();
    for (kind, is_watched) in [("pause", true), ("hub", true), ("order", false), ("result", false), ("plugin", false)] {
        assert_eq!(kinds.iter().any(|it| it == kind), is_watched, "{kind}");
    }
}

#[test]
fn what_was_kept_elsewhere_is_taken_back() {
    let scene = Scene::new();
    let root = scene.world.root.signed();
    let mut trust = Trust::pinned(Digest::of(root.statement()), &root).unwrap();
    let mut kept = documents(&scene);
    kept.push(revocation(End::Compromised, CREATED, &["rob"], |it| it.keys.push(key("tess"))));
    kept.push(scene.order.signed());
    let left_out = trust.take_back(&kept);
    assert_eq!(left_out.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [6], "an order is no document");
    is_believed(&trust);
    assert_eq!(codes(trust.given(&scene.order.signed(), time(NOW))), ["key-compromised"], "what follows is worked out");
}

fn accepted(scene: &Scene, change: impl FnOnce(&mut Order)) -> Ordered {
    let mut order = scene.order.clone();
    change(&mut order.body);
    let other = Scene { order, ..Scene::new() };
    other.ordered(&scene.trust().unwrap()).unwrap()
}

#[test]
fn what_is_forgotten_is_still_an_old_order() {
    let scene = Scene::new();
    let mut replays = Replays::default();
    let ordered: Vec<Ordered> = (1..=3).map(|counter| accepted(&scene, |it| it.counter = counter)).collect();
    for it in &ordered {
        assert!(replays.accept(it));
        assert!(!replays.accept(it), "it is known");
    }
    assert_eq!(replays.open().count(), 3);
    assert_eq!(replays.since(ordered[0].given().digest()), Some(time(NOW)));
    replays.done(ordered[0].given().digest());
    assert_eq!(replays.open().count(), 2);
    // As it is kept, and read again.
    let kept = serde_json::to_string(&replays).unwrap();
    assert_eq!(serde_json::from_str::<Replays>(&kept).unwrap(), replays);
    let mut again = Scene::new();
    again.order.body.counter = 1;
    again.replays = replays.clone();
    assert_eq!(codes(again.ordered(&again.trust().unwrap())), ["replayed"]);
    replays.forget(&again.trust().unwrap(), time("2026-11-29T11:00:00Z"));
    assert_eq!(replays.open().count(), 0, "they expired");
    again.replays = replays;
    assert_eq!(codes(again.ordered(&again.trust().unwrap())), ["counter-used"], "and their numbers stay");
    again.order.body.counter = 4;
    assert!(again.ordered(&again.trust().unwrap()).is_ok());
}

#[test]
fn a_thief_s_orders_are_forgotten_and_leave_room() {
    let scene = Scene::new();
    let mut replays = Replays::default();
    assert!(replays.accept(&accepted(&scene, |_| ())));
    let mut later = Scene::new();
    later.take(revocation(End::Compromised, CREATED, &["rob"], |it| it.keys.push(key("tina"))));
    replays.forget(&later.trust().unwrap(), time(NOW));
    assert_eq!(replays.open().count(), 1, "of somebody else");
    later.take(revocation(End::Compromised, CREATED, &["rob"], |it| it.keys.push(key("tess"))));
    replays.forget(&later.trust().unwrap(), time(NOW));
    assert_eq!(replays.open().count(), 0);
}

#[test]
fn what_is_done_is_remembered_up_to_a_number() {
    let scene = Scene::new();
    let mut replays = Replays::default();
    let first = accepted(&scene, |it| it.counter = 1);
    assert!(replays.accept(&first));
    let entry = |at: usize| {
        let (by, digest) = (key("tom"), Digest::of(&at.to_le_bytes()).to_string());
        let order = serde_json::json!({ "by": by, "counter": at, "since": time(CREATED), "expires": time("2026-12-22T11:00:00Z"), "is-done": true });
        (digest, order)
    };
    let mut kept = serde_json::to_value(&replays).unwrap();
    kept["orders"].as_object_mut().unwrap().extend((0..1_024).map(entry));
    let mut replays: Replays = serde_json::from_value(kept).unwrap();
    replays.done(first.given().digest());
    let kept = serde_json::to_value(&replays).unwrap();
    assert_eq!(kept["orders"].as_object().unwrap().len(), 1_024);
    assert!(replays.since(first.given().digest()).is_some(), "the oldest is forgotten");
}

#[test]
fn anybody_sees_who_gave_an_order_and_only_a_device_carries_it_out() {
    let mut scene = Scene::new();
    scene.order.by = vec!["tina", "tess", "tom"];
    // Of nobody's device: the hub has no place, and asks only who may order.
    scene.taken = vec![(assignment("globex", "gus"), NOW)];
    let trust = scene.trust().unwrap();
    let given = trust.given(&scene.order.signed(), time(NOW)).unwrap();
    let people: Vec<&str> = given.technicians().iter().map(crate::Name::as_str).collect();
    assert_eq!(people[0], "tess", "whose it is comes first");
    assert_eq!((people.len(), given.order()), (3, &scene.order.body));
    assert_eq!(given.digest(), Digest::of(scene.order.signed().statement()));
    assert_eq!(codes(scene.ordered(&trust)), ["not-for-client"]);
    scene.order.by = vec!["gus"];
    assert_eq!(codes(trust.given(&scene.order.signed(), time(NOW))), ["out-of-scope", "not-signed-by"]);
}

#[test]
fn an_order_that_waits_is_accepted_and_grants_nothing_yet() {
    let mut scene = Scene::new();
    scene.order.body.from = time("2026-11-23T12:00:00Z");
    scene.take(signed(CREATED, &samples::pause(), &["tess"]));
    let ordered = scene.ordered(&scene.trust().unwrap()).unwrap();
    assert_eq!(ordered.waits().iter().map(Refusal::code).collect::<Vec<_>>(), ["not-yet-due", "paused"]);
    assert!(Replays::default().accept(&ordered));
    assert!(scene.outcome().is_err());
}
