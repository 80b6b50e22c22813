use super::{Attack, as_it_is, end_key, next_roster, revocation, sign_with};
use crate::statement::{End, Rotation};
use crate::tests::hardware;
use crate::tests::world::{World, key, seat, signed, time};
use contract::Class;

const EARLY: &str = "2026-06-15T00:00:00Z";
const LATE: &str = "2026-09-01T00:00:00Z";
const ROOT: &[&str] = &["ann", "ben"];

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack] = &[
    ("a hardware key that nobody touched", |it| with_hardware(it, 0), &["no-touch"], |it| with_hardware(it, 1)),
    ("a touched byte about touching", |it| with_hardware(it, 0x80), &["bad-signature"], |it| with_hardware(it, 1)),
    ("somebody else's signature", |it| it.said.by = vec!["nobody"], &["unknown-key"], as_it_is),
    ("a reviewer's signature on a plugin", |it| it.said.by = vec!["rob"], &["other-role"], as_it_is),
    ("a publisher's signature on an approval", |it| it.approval.by = vec!["remit"], &["other-role"], as_it_is),
    ("another publisher's key", |it| it.said.by = vec!["other"], &["other-publisher"], |it| it.said.by = vec!["other", "remit"]),
    ("a key before its time", |it| it.said.created = "2025-12-31T23:59:59Z", &["key-not-yet-valid"], |it| it.said.created = "2026-01-01T00:00:00Z"),
    ("a key after its time", |it| it.roster.body.publishers[0].until = time(EARLY), &["key-expired"], |it| it.roster.body.publishers[0].until = time(LATE)),
    ("a publisher's key retired before", |it| end_key(it, End::Retired, EARLY, ROOT, "remit"), &["key-retired"], |it| end_key(it, End::Retired, LATE, ROOT, "remit")),
    ("a publisher's key that was stolen", |it| end_key(it, End::Compromised, LATE, &["rob"], "remit"), &["key-compromised"], |it| end_key(it, End::Compromised, LATE, &["rob"], "other")),
    ("one that its publisher says was stolen", |it| end_key(it, End::Compromised, LATE, &["remit"], "remit"), &["key-compromised"], as_it_is),
    ("a reviewer's key that was stolen", |it| end_key(it, End::Compromised, LATE, ROOT, "rob"), &["key-compromised"], |it| end_key(it, End::Compromised, LATE, ROOT, "rita")),
    ("a client's key that was stolen", |it| end_key(it, End::Compromised, LATE, ROOT, "cleo"), &["key-compromised"], as_it_is),
    ("a publisher that ends another's key", |it| end_key(it, End::Compromised, LATE, &["other"], "remit"), &["out-of-scope"], |it| end_key(it, End::Compromised, LATE, &["other"], "other")),
    ("somebody who ends the root", |it| end_key(it, End::Compromised, LATE, &["rob"], "ann"), &["wrong-content"], as_it_is),
    ("a technician who revokes", |it| end_key(it, End::Retired, LATE, &["tess"], "remit"), &["other-role"], |it| end_key(it, End::Retired, LATE, &["rob"], "remit")),
    ("a revocation of nothing", |it| it.later.push(crate::Signed::new(NOTHING.as_bytes().to_vec(), vec![])), &["wrong-content"], as_it_is),
    ("a key that was replaced", |it| it.later.push(rotation(EARLY, &["remit", "remit-2"])), &["key-retired"], |it| it.later.push(rotation(LATE, &["remit", "remit-2"]))),
    ("a replacement that the old key did not sign", |it| it.later.push(rotation(LATE, &["remit-2"])), &["rotation-half-signed"], |it| it.later.push(rotation(LATE, &["remit", "remit-2"]))),
    ("the new key before it came", |it| new_key(it, LATE, "2026-08-15T00:00:00Z"), &["key-not-yet-valid"], |it| new_key(it, LATE, "2026-09-01T00:00:00Z")),
    ("the new key past its time", |it| new_key(it, "2026-06-15T00:00:00Z", "2026-11-02T00:00:00Z"), &["key-expired"], |it| new_key(it, EARLY, "2026-11-01T00:00:00Z")),
    ("a thief's new key", |it| { new_key(it, EARLY, LATE); end_key(it, End::Compromised, LATE, ROOT, "remit"); }, &["key-compromised"], |it| new_key(it, EARLY, LATE)),
    ("a reviewer who left", |it| next_roster(it, LATE, |it| it.reviewers.clear()), &["unknown-key"], |it| next_roster(it, LATE, |_| ())),
    ("a reviewer of one client for all", |it| { it.approval.by = vec!["rita"]; it.approval.body.clients = crate::Names::All; }, &["out-of-scope"], for_rita),
    ("a reviewer beyond their class", |it| it.approval.by = vec!["rita"], &["out-of-scope"], for_rita),
    ("a publisher beyond their class", |it| it.roster.body.publishers[0].class_max = Class::L1, &["out-of-scope"], |it| it.roster.body.publishers[0].class_max = Class::L2),
    ("a publisher of other clients", |it| it.roster.body.publishers[0] = seat("remit", "remit", &["globex"], Class::L4), &["out-of-scope"], |it| it.roster.body.publishers[0] = seat("remit", "remit", &["acme"], Class::L4)),
];

const NOTHING: &str =
    r#"{"created":"2026-09-01T00:00:00Z","end":"retired","format":1,"kind":"revocation","reason":"none"}"#;

/// The publisher has a hardware key, which puts these flags into its signatures. What it signed about is always that it was
/// touched, or was not; with the highest bit, somebody else changes that.
fn with_hardware(world: &mut World, flags: u8) {
    world.roster.body.publishers[0].key = hardware::key();
    sign_with(world, move |it| hardware::sign(crate::Kind::Plugin, it, flags & 1, flags | flags >> 7));
}

fn rotation(created: &str, by: &[&str]) -> crate::Signed {
    let expires = time("2026-11-01T00:00:01Z");
    signed(created, &Rotation { serial: 1, expires, old: key("remit"), new: key("remit-2") }, by)
}

/// The key was replaced on this day, and the new one signs on that.
fn new_key(world: &mut World, replaced: &str, created: &'static str) {
    world.later.push(rotation(replaced, &["remit", "remit-2"]));
    world.said.by = vec!["remit-2"];
    world.said.created = created;
}

/// What a reviewer for one client and up to L1 may approve.
fn for_rita(world: &mut World) {
    world.approval.by = vec!["rita"];
    world.wishes = crate::tests::world::grants(&[("device", &[])]);
    world.approval.body.grants = world.wishes.clone();
}

#[test]
fn a_stolen_reviewer_s_key_takes_nobody_s_word_away() {
    let mut world = World::new();
    end_key(&mut world, End::Compromised, LATE, &["rita"], "rob");
    assert!(world.outcome().is_err(), "the control: rita may say so");
    end_key(&mut world, End::Compromised, LATE, ROOT, "rita");
    assert!(world.outcome().is_ok(), "and no longer, once the root has said what became of that key");
}

#[test]
fn a_publisher_ends_its_own_plugins_and_no_others() {
    for (publisher, is_over) in [("remit", true), ("other", false)] {
        let mut world = World::new();
        let digest = world.plugin.digest;
        world.later.push(revocation(End::Compromised, LATE, &[publisher], |it| it.plugins.push(digest)));
        assert_eq!(world.outcome().is_err(), is_over, "{publisher}");
    }
}
