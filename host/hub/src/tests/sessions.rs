//! Who may ask, and about whom, is what the roster says of the key that signed.

use super::{World, roster, session};
use crate::Error;

fn codes(begun: Result<(String, u64), Error>) -> Vec<&'static str> {
    match begun {
        Ok(_) => Vec::new(),
        Err(Error::Refused(refusals)) => refusals.iter().map(trust::Refusal::code).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_session_is_for_this_hub_of_a_technician_and_short() {
    let world = World::new().await;
    let hub = world.hub.ca.digest();
    let begin = |by: &str, hub: model::Digest, minutes: u64| world.hub.begin_session(&session(by, hub, minutes));
    let other = model::Digest::of(b"another authority");
    for (what, begun, expected) in [
        ("another hub", begin("tess", other, 10), "other-hub"),
        ("too long", begin("tess", hub, 20), "session-too-long"),
        ("nobody's", begin("mallory", hub, 10), "unknown-key"),
        ("a device", begin("web", hub, 10), "unknown-key"),
    ] {
        let found = codes(begun);
        assert!(found.contains(&expected), "{what}: {found:?}");
    }
    // The control.
    assert!(begin("tess", hub, 10).is_ok());
    world.clock.advance(11 * 60_000);
    assert!(codes(begin("tess", hub, 10)).contains(&"too-late"));
}

#[tokio::test]
async fn a_new_roster_ends_the_sessions_of_the_last_one() {
    let world = World::new().await;
    world.hub.begin_session(&session("tess", world.hub.ca.digest(), 10)).unwrap();
    assert_eq!(world.hub.sessions().count(), 1);
    world.hub.put_document(roster(2), &super::asker("boss", &["*"])).await.unwrap();
    assert_eq!(world.hub.sessions().count(), 0);
}
