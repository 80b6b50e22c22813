//! Who may join, and who may have a session as a device.

use std::sync::Arc;

use ::bus::server::Admission as _;
use trust::statement::Admission;

use super::{NOW_MS, World, asker, assignment, enrolment, key, make_token, name, session, signed, time};
use crate::db::State;
use crate::{Post, device_id};

fn admission(uses: u32) -> trust::Signed {
    let admission = Admission {
        serial: 1,
        expires: time("2026-12-22T00:00:00Z"),
        joins_until: time("2026-12-01T00:00:00Z"),
        token: key("token"),
        client: name("acme"),
        site: name("hamburg"),
        tags: vec![name("laptop")],
        uses,
    };
    signed("2026-11-22T11:00:00Z", &admission, &["tess"])
}

#[tokio::test]
async fn both_keys_sign_that_a_device_joins_and_the_token_counts() {
    let world = World::new().await;
    make_token(&world, "token", true).await;
    let join = async |device: &str, token: &str, by: &[&str]| world.hub.join(enrolment(device, token, by)).await;
    for (what, joined) in [
        ("the device alone", join("a", "token", &["a"]).await),
        ("the token alone", join("a", "token", &["token"]).await),
        ("another device", join("a", "token", &["token", "b"]).await),
        ("a token that nobody made", join("a", "other", &["other", "a"]).await),
    ] {
        assert!(joined.is_err(), "{what}");
    }
    for device in ["a", "a", "b"] {
        assert_eq!(join(device, "token", &["token", device]).await.unwrap().state, State::Pending, "{device}");
    }
    assert!(join("c", "token", &["token", "c"]).await.is_err(), "two of two");
    let root = trust::Signed::from_text(join("a", "token", &["token", "a"]).await.unwrap().root.as_bytes()).unwrap();
    assert_eq!(root, super::root(), "whoever joins gets what they are to pin");
    // A technician says whose it is.
    world.hub.put_document(assignment(1, "a", "acme", "tess"), &asker("tess", &["acme"])).await.unwrap();
    let scope = asker("tess", &["acme"]).scope;
    let state = world.hub.db.read(&scope, |view| view.device(&device_id(&key("a")))).unwrap().state;
    assert_eq!(state, State::Member);
}

#[tokio::test]
async fn a_standing_rule_lets_in_without_anybody() {
    let world = World::new().await;
    make_token(&world, "token", false).await;
    let join = async || world.hub.join(enrolment("a", "token", &["token", "a"])).await;
    assert!(join().await.is_err(), "no rule was signed yet");
    world.hub.put_document(admission(1), &asker("tess", &["acme"])).await.unwrap();
    assert_eq!(join().await.unwrap().state, State::Member);
    let scope = asker("tess", &["acme"]).scope;
    let device = world.hub.db.read(&scope, |view| view.device(&device_id(&key("a")))).unwrap();
    assert_eq!((device.site.as_str(), device.tags), ("hamburg", vec!["laptop".to_owned()]));
    let other = world.hub.join(enrolment("b", "token", &["token", "b"])).await;
    assert!(other.is_err(), "the rule is for one device, whatever the hub counted");
}

#[tokio::test]
async fn a_device_has_a_session_until_it_is_retired() {
    let world = World::new().await;
    let post = Post::new(Arc::clone(&world.hub));
    let hub = world.hub.ca.digest();
    let admit = async |by: &str, hub: model::Digest| post.admit(&session(by, hub, 60).to_text(), NOW_MS).await;
    let admitted = admit("web", hub).await.unwrap();
    assert_eq!(admitted.device.hex(), device_id(&key("web")));
    assert_eq!(admitted.until_ms, NOW_MS + 3_600_000);
    assert!(admit("web", model::Digest::of(b"another hub")).await.is_err());
    assert!(admit("stranger", hub).await.is_err());
    assert!(post.admit(&session("tess", hub, 10).to_text(), NOW_MS).await.is_err(), "a technician is no device");
    assert!(post.admit(b"rubbish", NOW_MS).await.is_err());
    let held = crate::Scope::of_hub().hold(&name("acme")).unwrap();
    let web = device_id(&key("web"));
    world.hub.db.write(move |change| change.retire(&held, &web)).await.unwrap();
    assert!(admit("web", hub).await.is_err());
}

fn session_of(world: &World, machine: &str, process: &str) -> trust::Signed {
    let (hub, from, until) = (world.hub.ca.digest(), time("2026-11-22T12:00:00Z"), time("2026-11-22T18:00:00Z"));
    let digest = |text: &str| Some(model::Digest::of(text.as_bytes()));
    let (machine, process) = (digest(machine), digest(process));
    let session = trust::statement::Session { hub, key: key("ephemeral"), from, until, machine, process };
    super::signed("2026-11-22T12:00:00Z", &session, &["web"])
}

/// Whether sessions begin, and whether the others end; then since when the device is known to be cloned.
async fn asks(world: &World, sessions: &[(&str, &str)]) -> (Vec<Option<bool>>, bool) {
    let (post, mut met) = (Post::new(Arc::clone(&world.hub)), Vec::new());
    for (machine, process) in sessions {
        let admitted = post.admit(&session_of(world, machine, process).to_text(), super::NOW_MS).await;
        met.push(admitted.ok().map(|it| it.ends_others));
    }
    let (scope, web) = (asker("tess", &["acme"]).scope, crate::device_id(&key("web")));
    (met, world.hub.db.read(&scope, |view| view.device(&web)).unwrap().cloned_ms.is_some())
}

#[tokio::test]
async fn two_machines_with_one_key_are_noticed_and_one_that_was_started_anew_is_not() {
    // Started anew, and again; renewed; a backup of itself put back.
    let same = [("m", "1"), ("m", "1"), ("m", "2"), ("m", "2"), ("m", "3")];
    let met = asks(&World::new().await, &same).await;
    assert_eq!(met, (vec![Some(true), Some(false), Some(true), Some(false), Some(true)], false));
    // The same disk twice: they take turns, and are left to once that is known.
    let turns = [("m", "1"), ("m", "2"), ("m", "1"), ("m", "2"), ("m", "1")];
    let met = asks(&World::new().await, &turns).await;
    assert_eq!(met, (vec![Some(true), Some(true), Some(true), Some(false), Some(false)], true));
    // Another machine gets no session, and the one that joined goes on.
    let world = World::new().await;
    let met = asks(&world, &[("m", "1"), ("other", "2"), ("m", "1")]).await;
    assert_eq!(met, (vec![Some(true), None, Some(false)], true));
    let entries = world.hub.db.read(&asker("tess", &["acme"]).scope, |view| view.audit(&crate::db::Page::default()));
    let told = entries.unwrap().items.iter().filter(|it| it.action == "device-cloned").count();
    assert_eq!(told, 1, "once");
}

#[tokio::test]
async fn a_cloned_device_that_joins_again_is_one_again() {
    let world = World::new().await;
    make_token(&world, "token", true).await;
    assert!(asks(&world, &[("m", "1"), ("m", "2"), ("m", "1")]).await.1);
    world.hub.join(super::enrolment("web", "token", &["token", "web"])).await.unwrap();
    assert!(!asks(&world, &[("other", "9"), ("other", "10")]).await.1);
}
