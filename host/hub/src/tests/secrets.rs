//! Secrets on their way: the hub hands each to its device, keeps no more of them than it has to, and reads none.

use std::sync::Arc;

use bus::{Device, Exchange as _, Message};
use model::Digest;

use super::{NOW_MS, World, asker, assignment, key, secret, secret_gone};
use crate::db::{Page, Secret, WhichSecrets};
use crate::{Delivery, Error, Post};

fn listed(world: &World, client: &str) -> Vec<Secret> {
    let (scope, which) = (asker("x", &[client]).scope, WhichSecrets::default());
    world.hub.db.read(&scope, |view| view.secrets(&which, &Page::default())).unwrap().items
}

/// Whether some bytes are in the hub's file, or in anything that belongs to it.
fn holds(world: &World, bytes: &[u8]) -> bool {
    let all = std::fs::read_dir(world.path()).unwrap().map(|it| std::fs::read(it.unwrap().path()).unwrap());
    all.into_iter().any(|found| found.windows(bytes.len()).any(|window| window == bytes))
}

fn sealed(signed: &trust::Signed) -> String {
    let read = trust::statement::read::<trust::statement::Secret>(signed.statement()).unwrap();
    read.body.sealed
}

/// The documents that the device's mailbox names now.
async fn named(post: &Arc<Post>, device: &Device) -> Vec<Digest> {
    let at = Arc::clone(post);
    let step = move || Delivery::new(at).step(NOW_MS);
    tokio::task::spawn_blocking(step).await.unwrap().unwrap();
    let mailbox = post.mailbox(device).await.unwrap().unwrap();
    fleet::Mailbox::read(&mailbox.bytes).unwrap().trust
}

#[tokio::test]
async fn a_secret_goes_to_its_device_and_to_nobody_else() {
    let world = World::new().await;
    let (post, tess) = (Arc::new(Post::new(Arc::clone(&world.hub))), asker("tess", &["acme"]));
    let (web, db) = (Device::of(&key("web")), Device::of(&key("db")));
    let signed = secret("web", "acme", "tess", 5);
    let file = Digest::of(&signed.to_text());
    assert_eq!(world.hub.put_secrets(vec![signed.clone()], &tess).await.unwrap(), 1);
    assert!(named(&post, &web).await.contains(&file));
    assert!(!named(&post, &db).await.contains(&file));
    let read = post.documents(&web, &[file]).await.unwrap();
    assert_eq!(read.documents.len(), 1);
    assert_eq!(post.documents(&db, &[file]).await.unwrap().missing, [file]);
    // Handed over again it is no news, and an older one never takes its place.
    assert_eq!(world.hub.put_secrets(vec![signed], &tess).await.unwrap(), 0);
    let older = world.hub.put_secrets(vec![secret("web", "acme", "tess", 4)], &tess).await;
    assert!(matches!(older, Err(Error::Conflict(_))), "{older:?}");
    // The device says that it has it.
    let held = br#"{"held":{"halo-token":5}}"#.to_vec();
    let message = Message { spool: bus::Spool(1), sequence: 1, kind: "secrets".parse().unwrap(), body: held.into() };
    post.deliver(&web, vec![message.clone()]).await.unwrap();
    post.deliver(&db, vec![message]).await.unwrap();
    assert_eq!(listed(&world, "acme")[0].held_serial, Some(5));
    assert!(listed(&world, "globex").is_empty());
}

#[tokio::test]
async fn nobody_else_hands_one_over() {
    let world = World::new().await;
    let (tess, gus) = (asker("tess", &["acme"]), asker("gus", &["globex"]));
    for (signed, who) in [
        (secret("web", "acme", "gus", 5), &gus),
        (secret("web", "acme", "gus", 5), &tess),
        (secret("web", "acme", "tess", 5), &gus),
        // Of one's own client, for a device of another.
        (secret("web", "globex", "gus", 5), &gus),
        (secret("nobody", "acme", "tess", 5), &tess),
        (secret("web", "acme", "web", 5), &tess),
    ] {
        assert!(world.hub.put_secrets(vec![signed], who).await.is_err());
    }
    // All or none.
    let both = vec![secret("web", "acme", "tess", 5), secret("nobody", "acme", "tess", 5)];
    assert!(world.hub.put_secrets(both, &tess).await.is_err());
    assert!(listed(&world, "acme").is_empty());
    assert!(world.hub.put_document(secret("web", "acme", "tess", 5), &tess).await.is_err(), "it goes another way");
    world.hub.put_secrets(vec![secret("web", "acme", "tess", 5)], &tess).await.unwrap();
    assert_eq!(listed(&world, "acme").len(), 1, "the control");
}

#[tokio::test]
async fn what_was_sealed_goes_when_it_is_replaced_removed_expired_or_its_device_is_retired() {
    let world = World::new().await;
    let tess = asker("tess", &["acme"]);
    let put = async |signed: &trust::Signed| world.hub.put_secrets(vec![signed.clone()], &tess).await.unwrap();
    let vacuum = async || {
        let hub = Arc::clone(&world.hub);
        tokio::task::spawn_blocking(move || hub.db.vacuum().unwrap()).await.unwrap();
    };
    let (first, second) = (secret("web", "acme", "tess", 5), secret("web", "acme", "tess", 6));
    put(&first).await;
    vacuum().await;
    assert!(holds(&world, sealed(&first).as_bytes()), "the control");
    assert!(!holds(&world, b"tok-0123456789"));
    put(&second).await;
    vacuum().await;
    assert!(!holds(&world, sealed(&first).as_bytes()) && holds(&world, sealed(&second).as_bytes()));
    put(&secret_gone("web", "acme", "tess", 7)).await;
    vacuum().await;
    assert!(!holds(&world, sealed(&second).as_bytes()));
    assert!(listed(&world, "acme")[0].is_gone);
    // A device that moves on, and one that is retired.
    let third = secret("web", "acme", "tess", 8);
    put(&third).await;
    world.hub.put_document(assignment(2, "web", "globex", "gus"), &asker("boss", &["*"])).await.unwrap();
    vacuum().await;
    assert!(!holds(&world, sealed(&third).as_bytes()));
    world.hub.put_document(assignment(3, "web", "acme", "tess"), &asker("boss", &["*"])).await.unwrap();
    let fourth = secret("web", "acme", "tess", 9);
    put(&fourth).await;
    let (held, web) = (tess.scope.hold(&super::name("acme")).unwrap(), crate::device_id(&key("web")));
    world.hub.db.write(move |change| change.retire(&held, &web)).await.unwrap();
    vacuum().await;
    assert!(!holds(&world, sealed(&fourth).as_bytes()));
    assert!(listed(&world, "acme").is_empty());
}

#[tokio::test]
async fn what_has_expired_is_not_kept() {
    let world = World::new().await;
    let tess = asker("tess", &["acme"]);
    world.hub.put_secrets(vec![secret("web", "acme", "tess", 5)], &tess).await.unwrap();
    world.hub.do_chores().await;
    assert_eq!(listed(&world, "acme").len(), 1, "the control");
    world.clock.advance(crate::ms(super::time("2027-01-01T00:00:00Z")) - NOW_MS);
    world.hub.do_chores().await;
    assert!(listed(&world, "acme").is_empty());
}

#[tokio::test]
async fn a_hub_that_starts_anew_does_not_mistake_them_for_what_it_believes() {
    let world = World::new().await;
    let tess = asker("tess", &["acme"]);
    world.hub.put_secrets(vec![secret("web", "acme", "tess", 5)], &tess).await.unwrap();
    let again = world.reopened().await;
    assert!(again.trust().secrets(&key("web"), again.now()).is_empty());
    drop(again);
    assert_eq!(listed(&world, "acme").len(), 1);
}
