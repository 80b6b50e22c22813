//! An order, from the preview to what its devices signed, through a real hub.

use std::collections::BTreeSet;

use bus::dial::Dial;
use bus::{Line as _, Message, Spool};
use fleet::Device;
use model::{Clock as _, Digest, Mode, Outcome as Ended, RunId, SystemClock, Verdict};
use trust::statement::{self, Gate, Report};
use trust::{Signed, Signer};

use super::{PLUGIN, World, approval, facts, key, name, now, plugin, root, seed_of, signed};
use crate::{About, Composer, Outcome, Parcelled, Wanted};

async fn tell(world: &World, device: &'static str, order: Digest, outcome: Ended) {
    let report = Report {
        tenant: Digest::of(root().statement()),
        order,
        device: key(device),
        run: Some(RunId::new()),
        attempt: 1,
        outcome,
        verdict: if outcome == Ended::Completed { Verdict::Compliant } else { Verdict::Unknown },
        refused: None,
        mode: Mode::Detect,
        ended: now(),
        plan: None,
        record: Digest::of(b"record"),
        sequence: 1,
        previous: None,
    };
    let line = Dial::new(world.way(), Box::new(super::Device(device)));
    let body = signed(&report, &[device]).to_text();
    line.deliver(&[Message { spool: Spool(2), sequence: 1, kind: name("result"), body: body.into() }]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_goes_to_its_devices_and_is_counted_from_what_they_signed() {
    let world = World::new().await;
    for device in ["web", "mail"] {
        world.device(device, "acme", &[], &facts(device, "debian")).await;
    }
    world.client("boss").hand_over(&approval(&["acme"], &[("device", &[])])).await.unwrap();
    let tess = world.client("tess");
    let trust = world.believes(&tess).await;
    let wanted = Wanted {
        r#where: "os.family == 'debian'".to_owned(),
        clients: Vec::new(),
        only: None,
        rings: Some(crate::all_at_once()),
        gate: Gate { soak_seconds: 0, failures_max_ppm: 0, absent_after_seconds: 0 },
        deadline_seconds: 3_600,
        windows: None,
        mode: Mode::Detect,
        plan: None,
        allow: Vec::new(),
        class_max: None,
        parameters: "{}".to_owned(),
        standing: None,
        undoes: None,
        upgrade: None,
        comment: String::new(),
    };
    let composer = Composer { trust: &trust, by: &key("tess"), now_ms: SystemClock.now_ms() };
    let composed = composer.compose(&wanted, &plugin(&[("device", &[])]), tess.inventory(&[]).await.unwrap()).unwrap();
    let mut signed = Signed::new(statement::write(composed.created, &composed.order).unwrap(), Vec::new());
    let attachments = plugin(&[]).signed;
    let parcelled = |signed: &Signed, rings: &[Vec<Device>]| Parcelled {
        signed: signed.clone(),
        rings: rings.to_vec(),
        plugin: PLUGIN.to_vec(),
        attachments: attachments.clone(),
    };
    assert!(tess.submit(&parcelled(&signed, &composed.rings), &trust).await.is_err(), "nobody signed it");
    signed.sign(&mut Signer::from_seed(&seed_of("tess"))).unwrap();
    let others = [vec![Device::of(&key("web"))]];
    assert!(tess.submit(&parcelled(&signed, &others), &trust).await.is_err(), "other devices");
    let given = tess.submit(&parcelled(&signed, &composed.rings), &trust).await.unwrap();
    let again = tess.submit(&parcelled(&signed, &composed.rings), &trust).await.unwrap();
    assert_eq!(given.digest(), again.digest(), "it may be done again");
    assert_eq!(tess.find_order(&given.order().id.to_string()).await.unwrap(), given.digest());
    let shown = tess.shown(given.digest()).await.unwrap();
    let rollout = shown.rollout.unwrap();
    assert_eq!((rollout.is_over(), rollout.rings[0].devices), (false, 2));

    tell(&world, "web", given.digest(), Ended::Completed).await;
    tell(&world, "mail", given.digest(), Ended::Trap).await;
    let (rows, after) = tess.told(given.digest(), 0).await.unwrap();
    assert!(tess.told(given.digest(), after).await.unwrap().0.is_empty(), "what was read is not read again");
    let about = About {
        trust: &trust,
        digest: given.digest(),
        order: given.order(),
        rings: Some(&composed.rings),
        now: tess.now(),
    };
    let mut outcome = Outcome::default();
    outcome.count(&about, &rows);
    assert!(outcome.claimed.is_empty(), "{:?}", outcome.claimed);
    assert_eq!(outcome.failed(), BTreeSet::from([Device::of(&key("mail"))]));
    let counted = &outcome.counters(&composed.rings)[0];
    assert_eq!((counted.well, counted.badly, counted.missing()), (1, 1, 0));
    let watched = tess.watched(given.digest(), 0).await.unwrap().rollout.unwrap();
    assert_eq!((watched.rings[0].completed, watched.rings[0].failed), (1, 1), "the hub counts the same");
    // Another technician, who handed over nothing, has it from the hub: who was in which ring, and the plugin.
    let boss = world.client("boss");
    let order = boss.order(given.digest()).await.unwrap().1;
    assert_eq!(boss.rings(&order, given.digest()).await.unwrap(), Some(composed.rings.clone()));
    let (plugin, signed) = boss.plugin_of(given.digest()).await.unwrap();
    assert_eq!((plugin.as_slice(), signed.len()), (PLUGIN, 1));
    let gus = world.client("gus");
    assert_eq!(gus.rings(&order, given.digest()).await.unwrap(), None, "it is not theirs");
    assert!(gus.plugin_of(given.digest()).await.unwrap_err().is_missing());
    let path = format!("/v1/orders/{}/rollout", given.digest());
    let _: Option<serde_json::Value> = tess.delete(&path).await.ok();
    assert!(tess.shown(given.digest()).await.unwrap().rollout.unwrap().is_over());
    assert!(
        boss.rings(&order, given.digest()).await.unwrap().is_some() && boss.plugin_of(given.digest()).await.is_ok()
    );
    assert_eq!(tess.orders(Some(&key("tess").fingerprint())).await.unwrap().len(), 1);
    assert!(tess.orders(Some(&key("boss").fingerprint())).await.unwrap().is_empty());
}
