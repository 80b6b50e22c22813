//! What is written to disk and carried about: old reader and new data, new reader and old data.

use model::Digest;

use super::indexes::index;
use super::samples;
use super::world::{World, key, name, names, signed, time};
use crate::statement::{
    self, Admission, AgentRelease, Approval, Assignment, End, Enrolment, Hub, Index, Order, Pause, Plugin, Policy,
    Report, Revocation, Root, Roster, Rotation, Secret, Session,
};
use crate::{Kind, Refusal, Signed, Statement, json};

/// What format 1 looked like when it was made. These stay as they are; a format 2 comes beside them.
const OLD: [(Kind, &[u8]); 18] = [
    (Kind::Root, include_bytes!("golden/root.signed")),
    (Kind::Roster, include_bytes!("golden/roster.signed")),
    (Kind::Policy, include_bytes!("golden/policy.signed")),
    (Kind::Assignment, include_bytes!("golden/assignment.signed")),
    (Kind::Key, include_bytes!("golden/key.signed")),
    (Kind::Approval, include_bytes!("golden/approval.signed")),
    (Kind::Plugin, include_bytes!("golden/plugin.signed")),
    (Kind::Revocation, include_bytes!("golden/revocation.signed")),
    (Kind::Index, include_bytes!("golden/index.signed")),
    (Kind::Order, include_bytes!("golden/order.signed")),
    (Kind::Pause, include_bytes!("golden/pause.signed")),
    (Kind::Admission, include_bytes!("golden/admission.signed")),
    (Kind::Enrolment, include_bytes!("golden/enrolment.signed")),
    (Kind::Session, include_bytes!("golden/session.signed")),
    (Kind::Result, include_bytes!("golden/result.signed")),
    (Kind::Hub, include_bytes!("golden/hub.signed")),
    (Kind::Release, include_bytes!("golden/release.signed")),
    (Kind::Secret, include_bytes!("golden/secret.signed")),
];

/// One of every kind, as it is written now.
fn new() -> [(Kind, Signed); 18] {
    let mut world = World::new();
    world.plugin.contract = Some(semver::Version::new(0, 1, 0));
    world.said.body.contract = world.plugin.contract.clone();
    world.approval.body.downgrade = true;
    world.approval.body.clients = names(&["*"]);
    world.policy.body.never = vec!["power".to_owned()];
    let (expires, created) = (time("2026-12-31T00:00:00Z"), "2026-09-01T00:00:00Z");
    let (device, client, site) = (key("device"), name("acme"), name("hq"));
    let assignment = Assignment { serial: 1, expires, device, client, site, tags: vec![name("server")] };
    let rotation = Rotation { serial: 1, expires, old: key("remit"), new: key("remit-2") };
    let revocation = Revocation {
        end: End::Compromised,
        plugins: vec![Digest::of(b"a plugin")],
        keys: vec![key("other")],
        statements: vec![Digest::of(b"a statement")],
        reason: "a laptop was stolen".to_owned(),
    };
    let (pin, today) = (Digest::of(world.root.signed().statement()), "2026-11-22T11:00:00Z");
    [
        (Kind::Root, world.root.signed()),
        (Kind::Roster, world.roster.signed()),
        (Kind::Policy, world.policy.signed()),
        (Kind::Assignment, signed(created, &assignment, &["tess"])),
        (Kind::Key, signed(created, &rotation, &["remit", "remit-2"])),
        (Kind::Approval, world.approval.signed()),
        (Kind::Plugin, world.said.signed()),
        (Kind::Revocation, signed(created, &revocation, &["rob"])),
        (Kind::Index, signed(created, &index(), &["remit"])),
        (Kind::Order, signed(today, &samples::order(pin), &["tess"])),
        (Kind::Pause, signed(today, &samples::pause(), &["tess"])),
        (Kind::Admission, signed(today, &samples::admission(), &["tess"])),
        (Kind::Enrolment, signed(today, &samples::enrolment(pin), &["token", "device"])),
        (Kind::Session, signed(today, &samples::session(), &["device"])),
        (Kind::Result, signed(today, &samples::report(pin, Digest::of(b"the order")), &["device"])),
        (Kind::Hub, signed(today, &samples::hub(), &["ann", "ben"])),
        (Kind::Release, signed(today, &samples::release(), &["ray"])),
        (Kind::Secret, signed(today, &samples::secret(), &["tess"])),
    ]
}

fn reads(kind: Kind, bytes: &[u8]) -> Result<(), Refusal> {
    fn only<T: Statement>(bytes: &[u8]) -> Result<(), Refusal> {
        statement::read::<T>(bytes).map(|_| ())
    }
    match kind {
        Kind::Root => only::<Root>(bytes),
        Kind::Roster => only::<Roster>(bytes),
        Kind::Policy => only::<Policy>(bytes),
        Kind::Assignment => only::<Assignment>(bytes),
        Kind::Key => only::<Rotation>(bytes),
        Kind::Approval => only::<Approval>(bytes),
        Kind::Plugin => only::<Plugin>(bytes),
        Kind::Revocation => only::<Revocation>(bytes),
        Kind::Index => only::<Index>(bytes),
        Kind::Order => only::<Order>(bytes),
        Kind::Pause => only::<Pause>(bytes),
        Kind::Admission => only::<Admission>(bytes),
        Kind::Enrolment => only::<Enrolment>(bytes),
        Kind::Session => only::<Session>(bytes),
        Kind::Result => only::<Report>(bytes),
        Kind::Hub => only::<Hub>(bytes),
        Kind::Release => only::<AgentRelease>(bytes),
        Kind::Secret => only::<Secret>(bytes),
    }
}

#[test]
fn a_new_reader_reads_old_data() {
    for (kind, bytes) in OLD {
        let signed = Signed::from_text(bytes).unwrap();
        reads(kind, signed.statement()).unwrap_or_else(|refusal| panic!("{kind}: {refusal}"));
        assert_eq!(signed.kind().unwrap(), kind);
        let signers = signed.signers(kind);
        assert!(!signers.keys.is_empty() && signers.refused.is_empty(), "{kind}: {signers:?}");
    }
}

#[test]
fn what_is_written_now_is_what_was_written_then() {
    for ((kind, old), (_, new)) in OLD.into_iter().zip(new()) {
        assert_eq!(String::from_utf8_lossy(old), String::from_utf8_lossy(&new.to_text()), "{kind}");
    }
}

#[test]
fn an_order_that_takes_something_back_stays_as_it_is() {
    let pin = Digest::of(World::new().root.signed().statement());
    let undo = Order { undoes: Some(Digest::of(b"an order")), rings: Vec::new(), gate: None, ..samples::order(pin) };
    let now = signed("2026-11-22T11:00:00Z", &undo, &["tess"]).to_text();
    let old = include_bytes!("golden/order-undo.signed");
    assert_eq!(String::from_utf8_lossy(old), String::from_utf8_lossy(&now));
    reads(Kind::Order, Signed::from_text(old).unwrap().statement()).unwrap();
}

#[test]
fn an_old_reader_says_of_new_data_that_it_is_new() {
    for (kind, bytes) in OLD {
        let statement = Signed::from_text(bytes).unwrap().statement().to_vec();
        let mut value = json::read(&statement).unwrap();
        value["format"] = 2.into();
        value["created"] = "in a way to come".into();
        value["a-field"] = serde_json::json!({ "to": "come" });
        let refusal = reads(kind, &json::write(&value)).unwrap_err();
        assert_eq!(refusal, Refusal::UnsupportedVersion { kind, found: 2, known: 1 });
    }
}

#[test]
fn what_has_two_spellings_is_read_in_one() {
    let approval = World::new().approval.signed().statement().to_vec();
    let check = |field: &str, spelling: serde_json::Value| {
        let mut value = json::read(&approval).unwrap();
        value[field] = spelling;
        reads(Kind::Approval, &json::write(&value)).map_err(|refusal| refusal.code())
    };
    assert_eq!(check("expires", "2026-12-31T00:00:00Z".into()), Ok(()), "the control");
    for (field, spelling) in [
        ("expires", "2026-12-31T01:00:00+01:00".into()),
        ("expires", "2026-12-31T00:00:00.0Z".into()),
        ("downgrade", false.into()),
        ("serial", "5".into()),
        ("modes", serde_json::json!(["detect", "detect"])),
        ("plugins", serde_json::json!([])),
    ] {
        assert_eq!(check(field, spelling.clone()), Err("wrong-content"), "{field}: {spelling}");
    }
    let mut nested = json::read(World::new().roster.signed().statement()).unwrap();
    nested["reviewers"][0]["zone"] = 1.into();
    let refusal = reads(Kind::Roster, &json::write(&nested)).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownField { kind: Kind::Roster, field: "reviewers.0.zone".into() });
}

#[test]
fn a_decision_reads_the_same_to_programs() {
    let world = World::new();
    let decision = world.decide(&world.trust().unwrap(), None, &world.tags);
    let told = serde_json::to_value(&decision).unwrap();
    assert_eq!(told["ok"], false);
    let approval = told["checks"].as_array().unwrap().iter().find(|check| check["name"] == "approval").unwrap();
    assert_eq!(approval["refusals"][0]["code"], "other-client");
    assert!(approval["found"].as_str().unwrap().contains("acme"));
    let names: Vec<&str> = decision.checks.iter().map(|check| check.name).collect();
    let all = ["statement", "publisher", "bytes", "label", "contract", "root", "roster", "revocations", "version"];
    assert_eq!(names, [&all[..], &["approval", "policy"]].concat());
}
