use contract::Class;
use model::{Digest, Mode};
use serde_json::json;

use super::{Attack, as_it_is, end_key, next_roster, revocation};
use crate::Kind;
use crate::statement::{End, Order, Seat};
use crate::tests::samples;
use crate::tests::scene::{CREATED, Said, Scene, assignment, sign_as};
use crate::tests::world::{NOW, key, names, seat, signed, time};

const HALF_PAST: &str = "2026-11-22T11:30:00Z";
const TOMORROW: &str = "2026-11-23T12:00:00Z";

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack<Scene>] = &[
    ("an order of another MSP", |it| it.order.body.tenant = Digest::of(b"another"), &["other-tenant"], as_it_is),
    ("an order for others' devices", |it| ordered_by(it, &["gus"], |it| it.clients = names(&["globex"])), &["not-for-client"], as_it_is),
    ("an order for a device that moved on", |it| it.taken[0].0 = assignment("globex", "gus"), &["not-for-client"], as_it_is),
    ("an order for a device of nobody", |it| it.taken.clear(), &["no-assignment"], as_it_is),
    ("an order for a device that was stolen", |it| end_key(&mut it.world, End::Compromised, CREATED, &["rob"], "device"), &["key-compromised"], |it| end_key(&mut it.world, End::Compromised, CREATED, &["rob"], "device-2")),
    ("a session as an order", |it| it.carry = Box::new(|_| signed(CREATED, &samples::session(), &["tess"])), &["other-kind"], as_it_is),
    ("a signature for a session on an order", |it| it.carry = Box::new(|it| sign_as(Kind::Session, &it, "tess")), &["other-namespace", "not-signed-by"], |it| it.carry = Box::new(|it| sign_as(Kind::Order, &it, "tess"))),
    ("an order that was changed on its way", |it| it.carry = Box::new(changed), &["bad-signature", "not-signed-by"], as_it_is),
    ("an order that expired", |it| it.order.body.expires = time("2026-11-22T11:59:59Z"), &["too-late"], |it| it.order.body.expires = time("2026-11-22T12:00:01Z")),
    ("an order that expired before the clock was set back", |it| it.seen = Some("2026-11-30T00:00:00Z"), &["too-late"], |it| it.seen = Some("2026-11-28T00:00:00Z")),
    ("an order of tomorrow", |it| { it.order.created = TOMORROW; it.order.body.from = time(TOMORROW); }, &["not-yet-valid"], as_it_is),
    ("an order that began before it was made", |it| it.order.body.from = time("2026-11-22T10:59:59Z"), &["too-soon"], as_it_is),
    ("an order that is not due", |it| it.order.body.from = time(TOMORROW), &["not-yet-due"], |it| it.order.body.from = time(NOW)),
    ("an order to change, on a device that nobody heard of for long", |it| it.seen = Some("2027-05-01T00:00:00Z"), &["too-late", "expired"], as_it_is),
    ("an order that was revoked", |it| { let digest = it.order.signed(); revoke(it, Digest::of(digest.statement())); }, &["revoked"], |it| revoke(it, Digest::of(b"another"))),
    ("an order again", |it| it.before = vec![(it.order.clone(), CREATED, true)], &["replayed"], |it| it.before = vec![(it.order.clone(), CREATED, false)]),
    ("an order that was held back", |it| before(it, 8), &["counter-used"], |it| before(it, 6)),
    ("two orders of one number", |it| before(it, 7), &["counter-used"], as_it_is),
    ("more orders than a device keeps", |it| it.replays = waiting(512), &["too-many-orders"], |it| it.replays = waiting(511)),
    ("an order of a stranger", |it| ordered_by(it, &["stranger"], |_| ()), &["unknown-key"], |it| ordered_by(it, &["tom"], |_| ())),
    ("an order of the device itself", |it| ordered_by(it, &["device"], |_| ()), &["unknown-key"], as_it_is),
    ("an order by a session's key", |it| ordered_by(it, &["ephemeral"], |_| ()), &["unknown-key"], as_it_is),
    ("an order of a publisher", |it| ordered_by(it, &["remit"], |_| ()), &["other-role"], as_it_is),
    ("an order in a colleague's name", |it| it.order.by = vec!["tom"], &["not-signed-by"], |it| it.order.by = vec!["tom", "tess"]),
    ("an order that nobody signed", |it| it.order.by.clear(), &["no-signature", "not-signed-by"], as_it_is),
    ("an order of a stolen key", |it| end_key(&mut it.world, End::Compromised, CREATED, &["rob"], "tess"), &["key-compromised"], |it| end_key(&mut it.world, End::Compromised, CREATED, &["rob"], "tina")),
    ("an order of a leaver, under an old date", |it| end_key(&mut it.world, End::Retired, HALF_PAST, &["rob"], "tess"), &["key-retired"], |it| end_key(&mut it.world, End::Retired, HALF_PAST, &["rob"], "tina")),
    ("an order of one whose seat ended", |it| it.world.roster.body.technicians[0].until = time(HALF_PAST), &["key-expired"], |it| it.world.roster.body.technicians[0].until = time(TOMORROW)),
    ("an order of one whose seat is smaller now", |it| smaller_seat(it, "globex"), &["out-of-scope"], |it| smaller_seat(it, "acme")),
    ("an order of one who is no longer in the roster", |it| next_roster(&mut it.world, CREATED, |it| drop(it.technicians.remove(0))), &["unknown-key"], |it| next_roster(&mut it.world, CREATED, |_| ())),
    ("an order for other clients too", |it| it.order.body.clients = names(&["acme", "globex"]), &["out-of-scope"], |it| { it.order.body.clients = names(&["acme", "globex"]); it.world.roster.body.technicians[0] = seat("tess", "tess", &["*"], Class::L3); }),
    ("an order for everybody", |it| it.order.body.clients = names(&["*"]), &["out-of-scope"], as_it_is),
    ("an order above a technician's class", |it| it.world.roster.body.technicians[0].class_max = Class::L1, &["out-of-scope"], |it| it.world.roster.body.technicians[0].class_max = Class::L2),
    ("a destructive order of one", |it| destructive(it, &["tom"], HALF_PAST), &["too-few-technicians"], |it| destructive(it, &["tom", "tina"], HALF_PAST)),
    ("a destructive order of one person with two keys", |it| destructive(it, &["tom", "tom-2"], HALF_PAST), &["too-few-technicians"], |it| destructive(it, &["tom-2", "tina"], HALF_PAST)),
    ("a destructive order of one who may and one who may not", |it| destructive(it, &["tom", "tess"], HALF_PAST), &["out-of-scope", "too-few-technicians"], |it| destructive(it, &["tom", "tess", "tina"], HALF_PAST)),
    ("a destructive order that nobody can stop", |it| destructive(it, &["tom", "tina"], CREATED), &["too-soon"], |it| destructive(it, &["tom", "tina"], HALF_PAST)),
    ("a destructive order under an old date", |it| { destructive(it, &["tom", "tina"], HALF_PAST); it.before.clear(); }, &["not-yet-due"], |it| destructive(it, &["tom", "tina"], HALF_PAST)),
    ("a destructive order that came ten minutes ago", |it| { destructive(it, &["tom", "tina"], HALF_PAST); it.before[0].1 = "2026-11-22T11:50:00Z"; }, &["not-yet-due"], |it| { destructive(it, &["tom", "tina"], HALF_PAST); it.before[0].1 = HALF_PAST; }),
    ("another plugin than was ordered", |it| it.order.body.plugin.digest = Digest::of(b"another"), &["not-as-ordered"], as_it_is),
    ("another mode than was ordered", |it| it.order.body.mode = Mode::DryRun, &["not-as-ordered"], |it| { it.order.body.mode = Mode::DryRun; it.world.mode = Mode::DryRun; }),
    ("an order of what nobody approved", |it| it.order.body.allow.push("files-write [logs]".parse().unwrap()), &["not-granted"], as_it_is),
    ("a plugin that does more than was ordered", |it| { it.order.body.class_max = Class::L1; it.order.body.allow.clear(); }, &["beyond-order"], |it| it.order.body.allow.clear()),
];

/// These order, the first of them with their counter.
fn ordered_by(scene: &mut Scene, by: &[&'static str], change: impl FnOnce(&mut Order)) {
    scene.order.body.by = key(by[0]);
    scene.order.by = by.to_vec();
    change(&mut scene.order.body);
}

/// Up to L4, and known to the device for as long as it takes.
fn destructive(scene: &mut Scene, by: &[&'static str], from: &str) {
    ordered_by(scene, by, |it| (it.class_max, it.from) = (Class::L4, time(from)));
    let known = Said { by: vec![by[0], "tina"], ..scene.order.clone() };
    if known.body.from == time(HALF_PAST) {
        scene.before = vec![(known, CREATED, false)];
    }
}

/// One for everybody until half an hour ago, and since then one for a client.
fn smaller_seat(scene: &mut Scene, client: &str) {
    let technicians = &mut scene.world.roster.body.technicians;
    technicians[0] = Seat { until: time(HALF_PAST), ..seat("tess", "tess", &["*"], Class::L3) };
    technicians.push(Seat { from: time(HALF_PAST), ..seat("tess", "tess", &[client], Class::L3) });
}

fn before(scene: &mut Scene, counter: u64) {
    let mut other = scene.order.clone();
    other.body.id = "order_01KB3P3M00E5V8CXJ6ZV8Y4R5V".parse().unwrap();
    other.body.counter = counter;
    scene.before = vec![(other, CREATED, false)];
}

fn revoke(scene: &mut Scene, digest: Digest) {
    let document = revocation(End::Compromised, CREATED, &["rob"], |it| it.statements.push(digest));
    scene.world.later.push(document);
}

/// So many orders of somebody else wait.
fn waiting(number: usize) -> crate::Replays {
    let (by, since, expires) = (key("tom"), time(CREATED), time(TOMORROW));
    let one = |at: usize| {
        let accepted = json!({ "by": by, "counter": at, "since": since, "expires": expires, "is-done": false });
        (Digest::of(&at.to_le_bytes()).to_string(), accepted)
    };
    let orders: serde_json::Map<_, _> = (0..number).map(one).collect();
    serde_json::from_value(json!({ "counters": {}, "orders": orders })).unwrap()
}

fn changed(it: crate::Signed) -> crate::Signed {
    let text = std::str::from_utf8(it.statement()).unwrap().replace("the disks", "all disks");
    crate::Signed::new(text.into_bytes(), it.signatures().to_vec())
}
