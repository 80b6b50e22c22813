use model::OrderId;

use super::{Attack, as_it_is, revocation};
use crate::statement::{End, Pause};
use crate::tests::samples;
use crate::tests::scene::{CREATED, Scene};
use crate::tests::world::{NOW, key, names, signed, time};

const BEFORE: &str = "2026-11-22T10:00:00Z";
const LATER: &str = "2026-11-22T11:30:00Z";

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack<Scene>] = &[
    ("an order that was stopped", |it| stop(it, "tess", |_| ()), &["paused"], |it| stop(it, "tess", |it| it.orders = vec![another(0)])),
    ("an order of a client that was stopped", |it| stop(it, "tess", |it| it.orders.clear()), &["paused"], |it| { stop(it, "gus", |it| { it.orders.clear(); it.clients = names(&["globex"]); }); }),
    ("a stop whose time is over", |it| it.taken.push((paused(CREATED, &["tess"], |it| it.expires = time(LATER)), CREATED)), &["paused"], |it| { stop(it, "tess", |it| it.expires = time("2026-11-23T00:00:00Z")); resume(it, LATER, &["tess", "tom"]); }),
    ("a stop that comes after its time", |it| stop(it, "tess", |it| it.expires = time(LATER)), &["too-late"], as_it_is),
    ("a stop of a stranger", |it| stop(it, "stranger", |_| ()), &["unknown-key"], as_it_is),
    ("a stop of another client's technician", |it| stop(it, "gus", |_| ()), &["out-of-scope"], as_it_is),
    ("a stop of everything by a client's technician", |it| stop(it, "tess", |it| it.clients = names(&["*"])), &["out-of-scope"], as_it_is),
    ("somebody who lets it go on alone", |it| { stop(it, "tess", |_| ()); resume(it, LATER, &["tess"]); }, &["too-few-technicians"], |it| { stop(it, "tess", |_| ()); resume(it, LATER, &["tess", "tom"]); }),
    ("somebody who lets it go on with two keys", |it| { stop(it, "tess", |_| ()); resume(it, LATER, &["tom", "tom-2"]); }, &["too-few-technicians"], |it| { stop(it, "tess", |_| ()); resume(it, LATER, &["tom-2", "tina"]); }),
    ("an old word to go on", |it| { stop(it, "tess", |_| ()); resume(it, BEFORE, &["tess", "tom"]); }, &["resumed-before"], |it| { stop(it, "tess", |_| ()); resume(it, LATER, &["tess", "tom"]); }),
    ("a stop that was ended, again", |it| { stop(it, "tess", |_| ()); resume(it, LATER, &["tess", "tom"]); stop(it, "tess", |_| ()); }, &["rolled-back"], |it| { stop(it, "tess", |_| ()); resume(it, LATER, &["tess", "tom"]); }),
    ("a stop by a key that was stolen since", stopped_by_a_thief, &["paused"], |it| { stopped_by_a_thief(it); resume(it, LATER, &["tom", "tina"]); }),
    ("a thief who stops more than anybody", |it| stop_many(it, 65), &["too-many-pauses"], |it| stop_many(it, 64)),
];

pub(super) fn paused(created: &str, by: &[&str], change: impl FnOnce(&mut Pause)) -> crate::Signed {
    let mut body = samples::pause();
    change(&mut body);
    signed(created, &body, by)
}

fn stop(scene: &mut Scene, by: &str, change: impl FnOnce(&mut Pause)) {
    scene.take(paused(CREATED, &[by], change));
}

fn resume(scene: &mut Scene, created: &str, by: &[&str]) {
    scene.take(paused(created, by, |it| (it.serial, it.is_paused) = (2, false)));
}

/// Of somebody else, who orders.
fn stopped_by_a_thief(scene: &mut Scene) {
    (scene.order.body.by, scene.order.by) = (key("tina"), vec!["tina"]);
    scene.taken.push((paused(CREATED, &["tess"], |it| it.serial = 1), CREATED));
    scene.taken.push((revocation(End::Compromised, LATER, &["rob"], |it| it.keys.push(key("tess"))), NOW));
}

fn stop_many(scene: &mut Scene, number: usize) {
    (0..number).for_each(|at| stop(scene, "tess", |it| it.orders = vec![another(at)]));
}

fn another(at: usize) -> OrderId {
    format!("order_01KB3P3M00E5V8CXJ6ZV{at:06}").parse().unwrap()
}

#[test]
fn a_stolen_key_s_highest_number_stops_nothing_for_ever() {
    let mut scene = Scene::new();
    stopped_by_a_thief(&mut scene);
    scene.taken[1].0 = paused(CREATED, &["tess"], |it| it.serial = (1 << 53) - 1);
    assert_eq!(scene.outcome().unwrap_err().into_iter().collect::<Vec<_>>(), ["paused"]);
    resume(&mut scene, LATER, &["tom", "tina"]);
    assert!(scene.outcome().is_ok());
}

#[test]
fn what_is_stopped_is_told_by_its_scope() {
    let mut scene = Scene::new();
    stop(&mut scene, "tess", |it| it.orders.clear());
    stop(&mut scene, "tess", |_| ());
    let trust = scene.trust().unwrap();
    let client = &"acme".parse().unwrap();
    assert_eq!(trust.pauses().count(), 2);
    assert_eq!(trust.stops(client, &scene.order.body.id).count(), 2);
    assert_eq!(trust.stops(client, &another(1)).count(), 1);
    assert_eq!(trust.stops(&"globex".parse().unwrap(), &another(1)).count(), 0);
}
