//! Sessions, lists, documents and tokens, as a technician meets them.

use model::Digest;
use trust::{Signed, Token};

use super::{World, approval, facts, key, name, root, roster, seed_of, signed};
use crate::{Client, Error, NewToken, SeenAudit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_technician_asks_in_a_session_that_is_renewed_and_nobody_else_does() {
    let world = World::new().await;
    let tess = world.client("tess");
    assert!(tess.inventory(&[]).await.unwrap().is_empty());
    // The hub forgot it, as after a restart.
    world
        .client("boss")
        .hand_over(&{
            let mut body = trust::statement::read::<trust::statement::Roster>(roster().statement()).unwrap().body;
            body.serial = 2;
            signed(&body, &["ann"])
        })
        .await
        .unwrap();
    assert!(tess.inventory(&[]).await.unwrap().is_empty(), "it is opened again");
    let nobody = world.client("mallory").inventory(&[]).await.unwrap_err();
    assert!(
        matches!(&nobody, Error::Refused { wrong, .. } if wrong[0].code.as_deref() == Some("unknown-key")),
        "{nobody}"
    );
    // Whoever shows another authority is not asked.
    let address = format!("https://{}", world.address).parse().unwrap();
    let way = bus::dial::Way::new(&address, &[Digest::of(b"another")], None).unwrap();
    let signer = trust::Signer::from_seed(&seed_of("tess"));
    let other = Client::new(way, signer, std::sync::Arc::new(model::SystemClock), Box::new(|_| ())).unwrap();
    assert!(matches!(other.inventory(&[]).await, Err(Error::Line(bus::Trouble::Stranger { .. }))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_too_often_waits_for_the_hub() {
    let world = World::new().await;
    let tess = world.client("tess");
    // Fifty at once and twenty a second are let through: the others wait as long as they are told, and none is refused.
    for _ in 0..60 {
        tess.tokens().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_hub_has_is_believed_where_it_was_signed() {
    let world = World::new().await;
    let boss = world.client("boss");
    boss.hand_over(&approval(&["acme"], &[("device", &[])])).await.unwrap();
    let trust = world.believes(&boss).await;
    assert_eq!((trust.roster().unwrap().serial, trust.approvals().count()), (1, 1));
    // One who pins another root believes nothing of it.
    let mut body = trust::statement::read::<trust::statement::Root>(root().statement()).unwrap().body;
    body.keys[0].key = key("mallory");
    let other = signed(&body, &["mallory"]);
    let mut trust = trust::Trust::pinned(Digest::of(other.statement()), &other).unwrap();
    let synced = boss.sync(&mut trust, &std::collections::BTreeSet::new()).await.unwrap();
    assert!(synced.taken.is_empty() && !synced.refused.is_empty());
    assert!(trust.roster().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_whole_though_they_come_in_pages() {
    let world = World::new().await;
    let boss = world.client("boss");
    for (device, client) in [("web", "acme"), ("mail", "acme"), ("db", "globex")] {
        world.device(device, client, &[], &facts(device, "debian")).await;
    }
    let by_one: Vec<crate::Listed> = boss.list_by("/v1/inventory", &[], 1).await.unwrap();
    assert_eq!(by_one, boss.inventory(&[]).await.unwrap());
    assert_eq!(by_one.len(), 3);
    assert_eq!(boss.inventory(&[name("acme")]).await.unwrap().len(), 2);
    assert_eq!(world.client("tess").inventory(&[]).await.unwrap().len(), 2, "of another client nothing is seen");
    assert!(world.client("tess").inventory(&[name("globex")]).await.unwrap().is_empty());
    let hex = fleet::Device::of(&key("web")).hex();
    for named in ["web", &hex, &hex[..8], &key("web").fingerprint()] {
        assert_eq!(boss.device(named).await.unwrap().device.device, hex, "{named}");
    }
    assert!(boss.device("nowhere").await.unwrap_err().is_missing());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_in_whom_its_rule_says() {
    let world = World::new().await;
    let tess = world.client("tess");
    let token = Token::new(world.believes(&tess).await.pin(), tess.authority(), &crate::seed());
    let new = NewToken {
        key: token.key(),
        client: name("acme"),
        site: name("berlin"),
        tags: vec![name("server")],
        uses: 2,
        hours: 24,
        needs_accept: false,
    };
    let of_another = NewToken { client: name("globex"), ..new.clone() };
    let rule = |new: &NewToken| signed(&new.admission(model::Clock::now_ms(&model::SystemClock)), &["tess"]);
    assert!(tess.make_token(&of_another, Some(&rule(&of_another))).await.is_err());
    let made = tess.make_token(&new, Some(&rule(&new))).await.unwrap();
    assert_eq!((made.uses_max, made.used, made.needs_accept), (2, 0, false));
    let enrolment = trust::statement::Enrolment { tenant: token.root, token: token.key(), device: key("newcomer") };
    let mut joining = signed(&enrolment, &["newcomer"]);
    joining.sign(&mut token.signer()).unwrap();
    let joined = join(&tess, &joining).await;
    assert_eq!(joined["state"], "member", "{joined}");
    assert_eq!(tess.inventory(&[]).await.unwrap()[0].device.tags, ["server"]);
    assert_eq!(tess.tokens().await.unwrap()[0].used, 1);
    tess.take_token_away(&made.token[..12]).await.unwrap();
    assert!(tess.tokens().await.unwrap().is_empty());
    assert!(tess.take_token_away(&made.token).await.unwrap_err().is_missing());
}

async fn join(client: &Client, signed: &Signed) -> serde_json::Value {
    let body = serde_json::json!({ "signed": String::from_utf8(signed.to_text()).unwrap() });
    client.post("/v1/enrolments", &body).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hub_s_own_chain_is_walked_with_its_details() {
    let world = World::new().await;
    let boss = world.client("boss");
    let (walked, seen) = boss.walk_audit(&SeenAudit::default()).await.unwrap();
    assert_eq!((&walked.broken, walked.entries == walked.details), (&None, true), "{walked:?}");
    boss.hand_over(&approval(&["acme"], &[("device", &[])])).await.unwrap();
    let (grown, after) = boss.walk_audit(&seen).await.unwrap();
    assert_eq!((grown.broken, grown.known, grown.entries), (None, walked.entries, walked.entries + 1));
    // Another hub in its place: whole in itself, and not the one that was seen.
    let other = World::new().await;
    let (broken, kept) = other.client("boss").walk_audit(&after).await.unwrap();
    assert!(broken.broken.unwrap().contains("entry 1 is not the one that was seen before"));
    assert_eq!(kept, after);
}
