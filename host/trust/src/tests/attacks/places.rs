use contract::Class;
use model::{Digest, Mode};

use super::{Attack, as_it_is, revocation};
use crate::statement::{Admission, Assignment, End, Enrolment};
use crate::tests::samples;
use crate::tests::scene::{CREATED, Scene, assignment};
use crate::tests::world::{NOW, key, signed, time};
use crate::{Refusal, Signed};

const ADMITTED: &str = "2026-11-20T00:00:00Z";
const JOINED: &str = "2026-11-21T00:00:00Z";

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack<Scene>] = &[
    ("a device that nobody let in", |it| { it.taken = vec![(joined(it), JOINED)]; }, &["no-admission"], joins),
    ("a device that joined without the token", |it| joins_as(it, |_| (), |_| (), &["device"]), &["not-signed-by"], joins),
    ("a token that joined for a device", |it| joins_as(it, |_| (), |_| (), &["token"]), &["not-signed-by"], joins),
    ("a device of another MSP", |it| joins_as(it, |_| (), |it| it.tenant = Digest::of(b"another"), BOTH), &["other-tenant"], joins),
    ("a token whose time is over", |it| joins_as(it, |it| it.joins_until = time(JOINED), |_| (), BOTH), &["too-late"], |it| joins_as(it, |it| it.joins_until = time("2026-11-21T00:00:01Z"), |_| (), BOTH)),
    ("a token whose time is over, under an old date", |it| { joins(it); it.taken[1].1 = "2026-11-25T00:00:00Z"; }, &["too-late"], joins),
    ("a token that was used up", |it| { used_by_another(it, 1); }, &["admission-used-up"], |it| used_by_another(it, 2)),
    ("a token that somebody found", |it| { joins(it); it.take(revocation(End::Compromised, CREATED, &["rob"], |it| it.keys.push(key("token")))); }, &["key-compromised"], |it| { joins(it); it.take(revocation(End::Retired, CREATED, &["rob"], |it| it.keys.push(key("token")))); }),
    ("an admission of another client's technician", |it| { joins(it); it.taken[0].0 = admission("gus", |_| ()); }, &["out-of-scope"], joins),
    ("an admission of a stolen key", |it| { joins(it); it.take(revocation(End::Compromised, CREATED, &["rob"], |it| it.keys.push(key("tom")))); }, &["key-compromised"], |it| { joins(it); it.take(revocation(End::Retired, CREATED, &["rob"], |it| it.keys.push(key("tom")))); }),
    ("a leaver who lets devices in", |it| { joins(it); it.taken.insert(1, (revocation(End::Retired, "2026-11-20T12:00:00Z", &["rob"], |it| it.keys.push(key("tom"))), JOINED)); }, &["key-retired"], joins),
    ("an admission that was revoked", |it| { joins(it); let digest = Digest::of(it.taken[0].0.statement()); it.take(revocation(End::Retired, CREATED, &["rob"], |it| it.statements.push(digest))); }, &["revoked"], joins),
    ("an admission rolled back", |it| { joins(it); it.take(admission("tom", |it| it.serial = 0)); }, &["rolled-back"], joins),
    ("an admission that expired", |it| joins_as(it, |it| (it.joins_until, it.expires) = (time(CREATED), time(CREATED)), |_| (), BOTH), &["expired"], |it| { joins_as(it, |it| (it.joins_until, it.expires) = (time(CREATED), time(CREATED)), |_| (), BOTH); look_only(it); }),
    ("the token of before, on a device that moved on", |it| { joins(it); it.taken.push((assignment("globex", "gus"), NOW)); }, &["not-for-client"], |it| { joins(it); it.taken.push((assignment("acme", "tom"), NOW)); }),
    ("the token of before, once nobody says where the device moved", |it| { joins(it); it.taken.push((assignment("globex", "gus"), NOW)); it.take(revocation(End::Compromised, CREATED, &["rob"], |it| it.keys.push(key("gus")))); }, &["key-compromised"], joins),
    ("an assignment that expired", |it| it.taken = vec![(expired(), NOW)], &["expired"], |it| { it.taken = vec![(expired(), NOW)]; look_only(it); }),
    ("an assignment that was revoked", |it| { let digest = Digest::of(it.taken[0].0.statement()); it.take(revocation(End::Retired, CREATED, &["rob"], |it| it.statements.push(digest))); }, &["revoked"], as_it_is),
];

const BOTH: &[&str] = &["token", "device"];

fn admission(by: &str, change: impl FnOnce(&mut Admission)) -> Signed {
    let mut body = samples::admission();
    change(&mut body);
    signed(ADMITTED, &body, &[by])
}

fn joined(scene: &Scene) -> Signed {
    signed(JOINED, &samples::enrolment(scene.tenant), BOTH)
}

/// The device has no assignment, and joined with a token.
fn joins(scene: &mut Scene) {
    joins_as(scene, |_| (), |_| (), BOTH);
}

fn joins_as(
    scene: &mut Scene,
    admitted: impl FnOnce(&mut Admission),
    enrolled: impl FnOnce(&mut Enrolment),
    by: &[&str],
) {
    let mut body = samples::enrolment(scene.tenant);
    enrolled(&mut body);
    scene.taken = vec![(admission("tom", admitted), ADMITTED), (signed(JOINED, &body, by), JOINED)];
}

/// Another device joined first, and so many may.
fn used_by_another(scene: &mut Scene, uses: u32) {
    joins_as(scene, |it| it.uses = uses, |_| (), BOTH);
    let other = Enrolment { device: key("device-2"), ..samples::enrolment(scene.tenant) };
    scene.taken.insert(1, (signed(ADMITTED, &other, &["token", "device-2"]), ADMITTED));
}

/// What reads goes on, whoever holds back the newer document.
fn look_only(scene: &mut Scene) {
    (scene.order.body.mode, scene.world.mode) = (Mode::Detect, Mode::Detect);
}

fn expired() -> Signed {
    let old = assignment("acme", "tom");
    let read = crate::statement::read::<Assignment>(old.statement()).unwrap();
    signed("2026-11-01T00:00:00Z", &Assignment { expires: time(CREATED), ..read.body }, &["tom"])
}

#[test]
fn the_hub_counts_who_joined() {
    let mut scene = Scene::new();
    joins(&mut scene);
    scene.taken.pop();
    let trust = scene.trust().unwrap();
    let admit = |others: usize| trust.admit(&joined(&scene), others, time(JOINED));
    let place = admit(2).unwrap();
    assert_eq!((place.client.as_str(), place.site.as_str(), place.until), ("acme", "hq", samples::admission().expires));
    let codes: Vec<&str> = admit(3).unwrap_err().iter().map(Refusal::code).collect();
    assert_eq!(codes, ["admission-used-up"]);
    assert_eq!(trust.place(&key("device"), time(NOW)).unwrap_err()[0].code(), "no-assignment", "nothing was kept");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut scene = Scene::new();
    scene.order.body.tenant = Digest::of(b"another");
    scene.order.body.class_max = Class::L4;
    scene.order.body.clients = crate::tests::world::names(&["globex"]);
    scene.order.body.expires = time("2026-11-22T11:30:00Z");
    let met: Vec<&str> = scene.outcome().unwrap_err().into_iter().collect();
    assert_eq!(met, ["not-for-client", "other-tenant", "too-late", "too-soon"], "what needs no signature");
    let mut scene = Scene::new();
    scene.order.by = vec!["gus", "stranger"];
    let met: Vec<&str> = scene.outcome().unwrap_err().into_iter().collect();
    assert_eq!(met, ["not-signed-by", "out-of-scope", "unknown-key"]);
}
