//! What a device's session and a token open: the device's own mailbox and what it names, and nothing of another client's.

use std::sync::Arc;

use bus::server::Admission as _;
use bus::{Device, Exchange as _, Replacement};
use model::Digest;

use super::{NOW_MS, World, asker, enrolment, key, make_token, session};
use crate::Post;

/// Who has a session of a device: that device, and neither a token nor a technician, for this hub alone.
#[tokio::test]
async fn a_session_of_a_device_is_that_device_s() {
    let world = World::new().await;
    let post = Post::new(Arc::clone(&world.hub));
    make_token(&world, "token-of-acme", true).await;
    let hub = world.hub.ca.digest();
    for who in ["token-of-acme", "tess", "ann", "nobody"] {
        let admitted = post.admit(&session(who, hub, 10).to_text(), NOW_MS).await;
        assert!(admitted.is_err(), "{who}");
        // Nor does the key of a token, or of a device, begin a technician's.
        if who != "tess" {
            assert!(world.hub.begin_session(&session(who, hub, 10)).is_err(), "{who}");
        }
    }
    let elsewhere = session("web", Digest::of(b"another hub"), 10);
    assert!(post.admit(&elsewhere.to_text(), NOW_MS).await.is_err());
    let admitted = post.admit(&session("web", hub, 10).to_text(), NOW_MS).await.unwrap();
    assert_eq!(admitted.device, Device::of(&key("web")), "the control");
    assert!(world.hub.begin_session(&session("web", hub, 10)).is_err());
}

/// What one device may read, another's device does not, whatever it asks for.
#[tokio::test]
async fn a_device_reads_what_its_mailbox_names_and_nothing_of_another_client_s() {
    let world = World::new().await;
    let post = Post::new(Arc::clone(&world.hub));
    let [web, db] = ["web", "db"].map(|it| Device::of(&key(it)));
    // All that there is at the hub: documents of both clients, of all, and what was only put there.
    let loose = post.put_document(bytes::Bytes::from_static(b"of nobody yet")).await.unwrap();
    let put = post.put_document(bytes::Bytes::from_static(b"of acme's device")).await.unwrap();
    let part = world.hub.put_part(b"part of acme's".to_vec(), &asker("tess", &["acme"])).await.unwrap();
    let with = |device, names| Replacement { device, expected: None, bytes: bytes::Bytes::from_static(b"{}"), names };
    let replaced = post.replace(vec![with(web, vec![put]), with(db, Vec::new())]).await.unwrap();
    assert!(replaced.iter().all(Result::is_ok));
    let files = world.hub.db.read(&crate::Scope::of_hub(), |view| view.counting(None)).unwrap();
    let mut all: Vec<Digest> = files.iter().map(|it| it.file.parse().unwrap()).collect();
    all.extend([loose, put, part]);
    let read = async |reader: &Device| post.documents(reader, &all).await.unwrap().documents;
    assert_eq!(read(&web).await, [bytes::Bytes::from_static(b"of acme's device")], "the control");
    assert!(read(&db).await.is_empty());
    assert!(read(&Device::of(&key("nobody"))).await.is_empty());
    assert!(post.mailbox(&Device::of(&key("nobody"))).await.unwrap().is_none());
}

/// A token lets in, as its client's, and tells nothing.
#[tokio::test]
async fn a_token_lets_devices_in_and_says_nothing_of_others() {
    let world = World::new().await;
    make_token(&world, "token-of-acme", true).await;
    let joined = world.hub.join(enrolment("new", "token-of-acme", &["token-of-acme", "new"])).await.unwrap();
    let of = |clients: &[&str]| {
        let (scope, name) = (asker("x", clients).scope, joined.device.clone());
        world.hub.db.read(&scope, move |view| view.device(&name)).map(|it| it.client)
    };
    assert_eq!(of(&["acme"]).unwrap(), "acme", "the control");
    assert!(of(&["globex"]).is_err());
    // Neither half of it is enough, and a token that nobody made lets nobody in.
    for (what, signed) in [
        ("without the token", enrolment("new", "token-of-acme", &["new"])),
        ("without the device", enrolment("new", "token-of-acme", &["token-of-acme"])),
        ("another device's", enrolment("db", "token-of-acme", &["token-of-acme", "new"])),
        ("nobody's token", enrolment("new", "made-up", &["made-up", "new"])),
    ] {
        assert!(world.hub.join(signed).await.is_err(), "{what}");
    }
}
