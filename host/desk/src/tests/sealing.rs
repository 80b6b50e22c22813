//! Secrets on their way out: to whom one is sealed, though the hub says otherwise.

use trust::statement::Secret;
use trust::{Signed, Signer};

use super::{World, facts, key, name, now, seed_of, signed};
use crate::Seen;

async fn seen(world: &World) -> Vec<Seen> {
    let listed = world.client("boss").inventory(&[]).await.unwrap();
    let mut seen: Vec<Seen> = listed.into_iter().filter_map(|it| it.seen()).collect();
    seen.sort_by_key(|it| it.facts.hostname.clone());
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_nobody_signed_is_vouched_for_by_nobody() {
    let world = World::new().await;
    world.device("mail", "globex", &[], &facts("mail-1", "debian")).await;
    world.device("web", "acme", &[], &facts("web-1", "debian")).await;
    let boss = world.client("boss");
    let mut vouched = boss.vouched(&world.believes(&boss).await).await.unwrap();
    let [mail, web] = <[Seen; 2]>::try_from(seen(&world).await).unwrap();
    let place = vouched.place(&web, &boss).await.unwrap().unwrap();
    assert_eq!(place.client, name("acme"), "the control");
    // A hub that is owned says that the device has another key, which the hub has: with the device's own assignment, or another's.
    let swapped = Seen { key: key("the hub's"), ..web.clone() };
    let refused = vouched.place(&swapped, &boss).await.unwrap().unwrap_err();
    assert_eq!(refused.first().map(trust::Refusal::code), Some("no-assignment"), "{refused:?}");
    let borrowed = Seen { key: key("the hub's"), listed: mail.listed.clone(), ..web.clone() };
    assert!(vouched.place(&borrowed, &boss).await.unwrap().is_err());
    // It says so of a device that was asked for by its name: that is its key's.
    let mut named = web.listed.clone();
    assert!(named.clone().seen().is_some(), "the control");
    named.device.key = mail.listed.device.key.clone();
    assert!(named.seen().is_none());
    // It says that another client's device is this one's: whose it is says who signed it.
    let moved = Seen { place: web.place.clone(), ..mail };
    assert_eq!(vouched.place(&moved, &boss).await.unwrap().unwrap().client, name("globex"));
    // And it says nothing: what was seen before counts, for the key that was signed.
    let mut silent = web.clone();
    silent.listed.device.assignment = None;
    assert!(vouched.place(&silent, &boss).await.unwrap().is_ok());
    let mut anew = boss.vouched(&world.believes(&boss).await).await.unwrap();
    assert!(anew.place(&silent, &boss).await.unwrap().is_err(), "withheld, it is no member's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sealed_reaches_its_device_and_only_that_opens_it() {
    let world = World::new().await;
    world.device("web", "acme", &[], &facts("web-1", "debian")).await;
    world.device("db", "acme", &[], &facts("db-1", "debian")).await;
    let tess = world.client("tess");
    let trust = world.believes(&tess).await;
    let body = Secret {
        serial: 1,
        expires: now().plus_days(30),
        client: name("acme"),
        device: key("web"),
        name: name("halo-token"),
        places: vec!["http:api.example.com".to_owned()],
        sealed: String::new(),
    };
    let sealed: Signed = signed(&body.seal(trust.pin(), b"tok-0123456789").unwrap(), &["tess"]);
    tess.put_secrets(std::slice::from_ref(&sealed)).await.unwrap();
    let rows = tess.secrets(&[name("acme")], Some("halo-token")).await.unwrap();
    assert_eq!((rows.len(), rows[0].serial, rows[0].held_serial), (1, 1, None), "{rows:?}");
    assert!(world.client("gus").secrets(&[], None).await.unwrap().is_empty(), "another client's");
    let read = trust::statement::read::<Secret>(sealed.statement()).unwrap().body;
    let open = |who: &str| read.open(trust.pin(), &Signer::from_seed(&seed_of(who)));
    assert_eq!(open("web").unwrap().as_slice(), b"tok-0123456789");
    assert!(open("db").is_err(), "a neighbour that was handed it");
}
