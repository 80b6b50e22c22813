use model::{Digest, Mode};

use super::{Attack, as_it_is, next_roster, revocation};
use crate::statement::{Assignment, End, Root, RootKey};
use crate::tests::world::{World, grants, key, name, signed, time};
use crate::{Name, Signed};

const LATE: &str = "2026-09-01T00:00:00Z";
const TOMORROW: &str = "2026-11-23T12:00:00Z";
const YESTERDAY: &str = "2026-11-21T12:00:00Z";

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack] = &[
    ("another root", |it| it.pin = Some(Digest::of(b"another")), &["not-the-root"], as_it_is),
    ("a root that its people did not sign", |it| it.root.by = vec!["ben"], &["too-few-keys"], as_it_is),
    ("a roster that one of two signed", |it| it.roster.by = vec!["ann"], &["too-few-keys"], as_it_is),
    ("one key that signs twice", |it| it.roster.by = vec!["ann", "ann"], &["too-few-keys"], as_it_is),
    ("one person's two keys", |it| it.roster.by = vec!["ann", "ann-2"], &["too-few-people"], |it| it.roster.by = vec!["ann-2", "ben"]),
    ("a roster that the reviewer signed", |it| it.roster.by = vec!["rob"], &["too-few-keys"], as_it_is),
    ("no roster", |it| it.has_roster = false, &["no-roster"], as_it_is),
    ("a roster rolled back", |it| { next_roster(it, LATE, |_| ()); it.later.push(it.roster.signed()); }, &["rolled-back"], |it| next_roster(it, LATE, |_| ())),
    ("two rosters of one number", |it| next_roster(it, LATE, |it| it.serial -= 1), &["forked"], |it| it.later.push(it.roster.signed())),
    ("an approval rolled back", |it| { it.approval.body.serial = 4; it.later.push(it.approval.signed()); it.approval.body.serial = 5; }, &["rolled-back"], |it| it.later.push(it.approval.signed())),
    ("a reviewer of less who takes an approval away", |it| next_approval(it, "rita"), &["out-of-scope"], |it| next_approval(it, "rob")),
    ("a policy rolled back", |it| { it.policy.body.serial = 0; it.later.push(it.policy.signed()); it.policy.body.serial = 1; }, &["rolled-back"], as_it_is),
    ("a root rolled back", |it| { next_root(it, 2, ROOT, |_| ()); next_root(it, 0, ROOT, |_| ()); }, &["rolled-back"], |it| next_root(it, 2, ROOT, |_| ())),
    ("a root that leaves one out", |it| next_root(it, 3, ROOT, |_| ()), &["root-gap"], |it| next_root(it, 2, ROOT, |_| ())),
    ("a root that the last one did not sign", |it| next_root(it, 2, &["mallory", "mary"], mallory), &["too-few-keys"], |it| next_root(it, 2, &["ann", "ben", "mallory", "mary"], mallory_later)),
    ("a root that does not sign itself", |it| next_root(it, 2, ROOT, mallory), &["too-few-keys"], as_it_is),
    ("a roster of people who left the root", |it| next_root(it, 2, &["ann", "ann-2", "ben", "mary"], without_ann), &["too-few-keys"], |it| next_root(it, 2, ROOT, |_| ())),
    ("a statement of tomorrow", |it| it.said.created = TOMORROW, &["not-yet-valid"], |it| it.said.created = YESTERDAY),
    ("an approval of tomorrow", |it| it.approval.created = TOMORROW, &["not-yet-valid"], |it| it.approval.created = YESTERDAY),
    ("an expired approval", |it| it.approval.body.expires = time(YESTERDAY), &["expired"], |it| it.approval.body.expires = time(TOMORROW)),
    ("an expired roster", |it| it.roster.body.expires = time(YESTERDAY), &["expired"], |it| { it.roster.body.expires = time(YESTERDAY); it.mode = Mode::DryRun; }),
    ("an expired policy", |it| it.policy.body.expires = time(YESTERDAY), &["expired"], |it| { it.policy.body.expires = time(YESTERDAY); it.mode = Mode::Detect; }),
    ("an expired root", |it| it.root.body.expires = time(YESTERDAY), &["expired"], |it| { it.root.body.expires = time(YESTERDAY); it.wishes.clone_from(&grants(&[("device", &[])])); }),
    ("an approval that was revoked", |it| { let digest = Digest::of(it.approval.signed().statement()); end_statement(it, digest); }, &["revoked"], |it| end_statement(it, Digest::of(b"another"))),
    ("a device of nobody", |it| it.device = Some(key("device")), &["no-assignment"], |it| assign(it, "tess", "acme")),
    ("a device that says whose it is", |it| assign(it, "device", "acme"), &["unknown-key"], |it| assign(it, "tess", "acme")),
    ("a technician of another client", |it| assign(it, "tess", "globex"), &["out-of-scope"], |it| assign(it, "tess", "acme")),
    ("a client of another client", |it| it.policy.body.client = name("globex"), &["out-of-scope"], as_it_is),
    ("a policy of a technician", |it| it.policy.by = vec!["tess"], &["other-role"], |it| it.policy.by = ROOT.to_vec()),
    ("a plugin's statement as a document", |it| it.later.push(it.said.signed()), &["wrong-content"], as_it_is),
];

const ROOT: &[&str] = &["ann", "ben"];

fn next_root(world: &mut World, serial: u64, by: &[&str], change: impl FnOnce(&mut Root)) {
    let mut next = Root { serial, ..world.root.body.clone() };
    change(&mut next);
    world.later.push(signed(LATE, &next, by));
}

fn keys(of: &[&str]) -> Vec<RootKey> {
    of.iter().map(|it| RootKey { person: name(it), key: key(it) }).collect()
}

fn mallory(root: &mut Root) {
    root.keys = keys(&["mallory", "mary"]);
}

/// Two come, and those who signed the roster stay.
fn mallory_later(root: &mut Root) {
    root.keys.extend(keys(&["mallory", "mary"]));
}

fn without_ann(root: &mut Root) {
    root.keys = keys(&["ben", "mary"]);
}

/// One of the same name that grants next to nothing: the plugin asks for no more either.
fn next_approval(world: &mut World, by: &'static str) {
    let mut next = world.approval.clone();
    (next.body.serial, next.by, next.created) = (6, vec![by], LATE);
    next.body.grants = grants(&[("device", &[])]);
    world.wishes = next.body.grants.clone();
    world.later.push(next.signed());
}

#[test]
fn a_stolen_key_holds_no_number() {
    // Whoever had the client's key named the highest number there is. The root says so, and the client begins anew.
    let policy = |world: &World, serial, by: &[&'static str]| {
        let mut next = world.policy.clone();
        (next.body.serial, next.by, next.created) = (serial, by.to_vec(), LATE);
        next.signed()
    };
    let mut world = World::new();
    world.later.push(policy(&world, (1 << 53) - 1, &["cleo"]));
    world.outcome().unwrap();
    world.later.push(policy(&world, 2, ROOT));
    assert_eq!(world.outcome().unwrap_err().into_iter().collect::<Vec<_>>(), ["rolled-back"]);
    let last = world.later.pop().unwrap();
    super::end_key(&mut world, End::Compromised, LATE, ROOT, "cleo");
    assert_eq!(world.outcome().unwrap_err().into_iter().collect::<Vec<_>>(), ["key-compromised"]);
    world.later.push(last);
    world.outcome().unwrap();
}

fn end_statement(world: &mut World, digest: Digest) {
    world.later.push(revocation(End::Retired, LATE, &["rob"], |it| it.statements.push(digest)));
}

fn assign(world: &mut World, by: &'static str, client: &str) {
    let tags: Vec<Name> = vec![name("server")];
    let (device, expires) = (key("device"), time(TOMORROW));
    let body = Assignment { serial: 1, expires, device: device.clone(), client: name(client), site: name("hq"), tags };
    let document: Signed = signed(LATE, &body, &[by]);
    world.later.push(document);
    world.device = Some(device);
}
