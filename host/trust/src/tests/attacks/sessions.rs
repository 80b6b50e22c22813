//! Who asks the hub, and what devices tell it.

use model::{Digest, Outcome};

use super::{Attack, as_it_is, end_key};
use crate::statement::{End, Report, Session};
use crate::tests::samples;
use crate::tests::scene::{CREATED, Said, Scene};
use crate::tests::world::{key, time};

const NOON: &str = "2026-11-22T12:00:00Z";

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack<Scene>] = &[
    ("a session with another hub", |it| asks(it, "tess", |it| it.hub = Digest::of(b"another")), &["other-hub"], |it| asks(it, "tess", |_| ())),
    ("a session that is over", |it| asks_from(it, "tess", CREATED), &["too-late"], |it| asks_from(it, "tess", "2026-11-22T11:50:00Z")),
    ("a session of tomorrow", |it| asks_from(it, "tess", "2026-11-23T12:00:00Z"), &["not-yet-valid"], |it| asks_from(it, "tess", "2026-11-22T12:04:00Z")),
    ("a technician's session of a day", |it| asks(it, "tess", |it| it.until = time("2026-11-23T12:00:00Z")), &["session-too-long"], |it| asks(it, "device", |it| it.until = time("2026-11-23T12:00:00Z"))),
    ("a session for next week, signed today", |it| asks(it, "device", |it| { it.from = time("2026-11-22T12:05:00Z"); it.until = time("2026-11-23T12:05:00Z"); }), &["session-too-long"], |it| asks(it, "device", |it| it.from = time("2026-11-22T12:05:00Z"))),
    ("a session of a stranger", |it| asks(it, "stranger", |_| ()), &["unknown-key"], |it| asks(it, "device", |_| ())),
    ("a session of a reviewer", |it| asks(it, "rob", |_| ()), &["other-role"], |it| asks(it, "tom", |_| ())),
    ("a session of two", |it| { asks(it, "tess", |_| ()); said(it).by.push("device"); }, &["too-many-signatures"], |it| asks(it, "tess", |_| ())),
    ("a session of nobody", |it| { asks(it, "tess", |_| ()); said(it).by.clear(); }, &["no-signature"], |it| asks(it, "tess", |_| ())),
    ("a session with the key that orders", |it| asks(it, "tess", |it| it.key = key("tess")), &["wrong-content"], |it| asks(it, "tess", |it| it.key = key("another"))),
    ("a session of a stolen key", |it| { asks(it, "tina", |_| ()); end_key(&mut it.world, End::Compromised, CREATED, &["rob"], "tina"); }, &["key-compromised"], |it| asks(it, "tina", |_| ())),
    ("a session of a leaver, under an old date", |it| { asks_from(it, "tina", "2026-11-22T11:50:00Z"); end_key(&mut it.world, End::Retired, "2026-11-22T11:55:00Z", &["rob"], "tina"); }, &["key-retired"], |it| asks_from(it, "tina", "2026-11-22T11:50:00Z")),

    ("a result of another MSP's device", |it| tells(it, |it| it.tenant = Digest::of(b"another"), "device"), &["other-tenant"], |it| tells(it, |_| (), "device")),
    ("a result that a neighbour signed", |it| tells(it, |_| (), "device-2"), &["not-signed-by"], |it| tells(it, |it| it.device = key("device-2"), "device-2")),
    ("a result that the technician signed", |it| tells(it, |_| (), "tess"), &["not-signed-by"], |it| tells(it, |_| (), "device")),
    ("a result of tomorrow", |it| { tells(it, |_| (), "device"); it.reports[0].created = "2026-11-23T12:00:00Z"; }, &["not-yet-valid"], |it| tells(it, |_| (), "device")),
    ("a result of a stolen device", |it| { tells(it, |it| it.device = key("device-2"), "device-2"); end_key(&mut it.world, End::Compromised, CREATED, &["rob"], "device-2"); }, &["key-compromised"], |it| tells(it, |it| it.device = key("device-2"), "device-2")),
    ("a result that was taken away", |it| { tells_more(it); it.reports.remove(1); }, &["result-gap"], tells_more),
    ("a cloned device", |it| { tells_more(it); it.reports[2].body.record = Digest::of(b"another"); it.reports[2].body.sequence = 2; }, &["result-forked"], |it| { tells_more(it); it.reports[2] = it.reports[1].clone(); }),
    ("a result in another's place", |it| { tells_more(it); it.reports[1].body.record = Digest::of(b"another"); }, &["result-forked"], tells_more),
    ("a result before the first", |it| { tells_more(it); let first = it.reports[0].clone(); it.reports.push(first); }, &["result-forked"], as_it_is),
];

fn asks(scene: &mut Scene, who: &'static str, change: impl FnOnce(&mut Session)) {
    let mut body = samples::session();
    change(&mut body);
    scene.session = Some(Said { body, created: NOON, by: vec![who] });
}

/// For fifteen minutes.
fn asks_from(scene: &mut Scene, who: &'static str, from: &'static str) {
    asks(scene, who, |it| (it.from, it.until) = (time(from), time(from).plus_seconds(900)));
    said(scene).created = from;
}

fn said(scene: &mut Scene) -> &mut Said<Session> {
    scene.session.as_mut().unwrap()
}

/// The device's first result.
fn tells(scene: &mut Scene, change: impl FnOnce(&mut Report), by: &'static str) {
    let mut body = samples::report(scene.tenant, Digest::of(b"the order"));
    (body.sequence, body.previous) = (1, None);
    change(&mut body);
    scene.reports = vec![Said { body, created: CREATED, by: vec![by] }];
}

/// And two more.
fn tells_more(scene: &mut Scene) {
    tells(scene, |_| (), "device");
    for sequence in 2..=3 {
        let mut next = scene.reports.last().unwrap().clone();
        next.body.previous = Some(Digest::of(next.signed().statement()));
        next.body.sequence = sequence;
        (next.body.outcome, next.body.refused) = (Outcome::Refused, Some("paused".parse().unwrap()));
        scene.reports.push(next);
    }
}

#[test]
fn who_asks_is_a_device_or_a_technician_with_their_seat() {
    let mut scene = Scene::new();
    let mut opened = |who: &'static str| {
        asks(&mut scene, who, |_| ());
        let (trust, session) = (scene.trust().unwrap(), said(&mut scene).signed());
        trust.session(&session, crate::tests::scene::hub(), |it| *it == key("device"), time(NOON)).unwrap()
    };
    let device = opened("device");
    assert_eq!((device.key(), device.technician()), (&key("device"), None));
    let tess = opened("tess");
    assert_eq!(tess.technician().unwrap().holder.as_str(), "tess");
    assert_eq!(tess.session().key, key("ephemeral"), "which proves the requests");
}
