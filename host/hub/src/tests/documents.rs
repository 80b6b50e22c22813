//! The hub keeps what verifies against its root, and nothing else.

use trust::Signed;
use trust::statement::{Policy, Session};

use super::{World, asker, assignment, key, name, roster, signed, time};
use crate::db::{Page, State};
use crate::{Error, device_id};

fn codes(error: Error) -> Vec<&'static str> {
    match error {
        Error::Refused(refusals) => refusals.iter().map(trust::Refusal::code).collect(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_does_not_verify_is_not_kept() {
    let world = World::new().await;
    let boss = asker("boss", &["*"]);
    let put = async |signed: Signed| world.hub.put_document(signed, &boss).await;
    for (what, document, expected) in [
        ("nobody signed it", Signed::new(roster(2).statement().to_vec(), Vec::new()), "no-signature"),
        ("a technician of another client", assignment(2, "web", "acme", "gus"), "out-of-scope"),
        ("a stranger", assignment(2, "web", "acme", "mallory"), "unknown-key"),
        ("an older one", assignment(1, "web", "globex", "boss"), "forked"),
    ] {
        let refused = codes(put(document.clone()).await.unwrap_err());
        assert!(refused.contains(&expected), "{what}: {refused:?}");
        let digest = model::Digest::of(document.statement()).to_string();
        assert!(world.hub.db.read(&boss.scope, move |view| view.document(&digest)).is_err(), "{what}");
    }
    // The control.
    let done = put(assignment(2, "web", "acme", "tess")).await.unwrap();
    assert!(done.is_new);
    assert!(!put(assignment(2, "web", "acme", "tess")).await.unwrap().is_new);
    let session = Session {
        hub: model::Digest::of(b"hub"),
        key: key("session"),
        from: time("2026-11-22T12:00:00Z"),
        until: time("2026-11-22T12:10:00Z"),
        machine: None,
        process: None,
    };
    let not_kept = put(signed("2026-11-22T12:00:00Z", &session, &["tess"])).await;
    assert!(matches!(not_kept, Err(Error::Invalid(_))), "what is no document is kept nowhere");
}

#[tokio::test]
async fn a_document_of_another_client_is_not_handed_over() {
    let world = World::new().await;
    let policy = Policy {
        serial: 1,
        expires: time("2027-01-01T00:00:00Z"),
        client: name("acme"),
        class_max: contract::Class::L1,
        modes: vec![model::Mode::Detect],
        publishers: super::names(&["*"]),
        never: Vec::new(),
        people: trust::statement::People::Masked,
    };
    let policy = signed("2026-11-01T00:00:00Z", &policy, &["ann"]);
    let of_globex = world.hub.put_document(policy.clone(), &asker("gus", &["globex"])).await;
    assert!(matches!(of_globex, Err(Error::Denied(_))));
    assert!(world.hub.put_document(policy, &asker("tess", &["acme"])).await.unwrap().is_new);
}

#[tokio::test]
async fn tags_are_those_of_the_signed_assignment_also_after_a_restart() {
    let world = World::new().await;
    let tess = asker("tess", &["acme"]);
    let devices = world.hub.db.read(&tess.scope, |view| view.devices(None, &Page::default())).unwrap().items;
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].device.clone(), devices[0].state), (device_id(&key("web")), State::Member));
    assert_eq!(devices[0].tags, ["server"]);
    // A newer roster came after what was signed by those in it.
    world.hub.put_document(roster(2), &asker("boss", &["*"])).await.unwrap();
    let again = world.reopened().await;
    let place = again.trust().place(&key("web"), again.now()).unwrap();
    assert_eq!((place.client, place.tags), (name("acme"), vec![name("server")]));
    assert_eq!(again.trust().roster().unwrap().serial, 2);
    assert_eq!(again.trust().pin(), world.hub.trust().pin());
}
