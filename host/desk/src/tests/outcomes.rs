//! What devices signed is counted, and what the hub says beyond that is told: each forgery beside what it is a forgery of.

use std::collections::{BTreeMap, BTreeSet};

use fleet::{Device, Drawn, Tree};
use model::{Digest, Mode, OrderId, Outcome as Ended, Verdict};
use trust::statement::{Gate, Order, OrderedPlugin, Report, Ring};
use trust::{Names, Signed, Trust};

use super::{PLUGIN, key, name, now, root, roster, signed};
use crate::{About, Outcome, Parcelled, ResultRow};

const DEVICES: [&str; 3] = ["web", "mail", "db"];

fn trust() -> Trust {
    let pin = root();
    let mut trust = Trust::pinned(Digest::of(pin.statement()), &pin).unwrap();
    trust.take(&roster(), now()).unwrap();
    trust
}

fn order() -> (Order, Vec<Vec<Device>>) {
    let id = OrderId::new();
    let devices: Vec<Device> = DEVICES.iter().map(|device| Device::of(&key(device))).collect();
    let drawn = Drawn::new(&"1,100%".parse().unwrap(), &id.to_string(), &devices);
    let rings = drawn.trees().iter().map(|it| Ring { devices: it.devices(), root: it.root() }).collect();
    let order = Order {
        tenant: Digest::of(root().statement()),
        id,
        by: key("boss"),
        counter: 1,
        from: now().plus_seconds(-60),
        expires: now().plus_days(7),
        clients: Names::All,
        r#where: String::new(),
        rings,
        gate: Some(Gate { soak_seconds: 60, failures_max_ppm: 0, absent_after_seconds: 3_600 }),
        plugin: OrderedPlugin {
            name: name("disk-cleanup"),
            version: semver::Version::new(1, 2, 0),
            digest: Digest::of(PLUGIN),
        },
        parameters: "{}".to_owned(),
        mode: Mode::Enforce,
        plan: None,
        allow: Vec::new(),
        class_max: contract::Class::L2,
        windows: None,
        standing: None,
        undoes: None,
        upgrade: None,
        comment: String::new(),
    };
    (order, drawn.rings)
}

fn report(order: Digest, device: &str, outcome: Ended, sequence: u64) -> Report {
    Report {
        tenant: Digest::of(root().statement()),
        order,
        device: key(device),
        run: Some(model::RunId::new()),
        attempt: 1,
        outcome,
        verdict: if outcome == Ended::Completed { Verdict::Fixed } else { Verdict::Unknown },
        refused: (outcome == Ended::Refused).then(|| name("no-approval")),
        mode: Mode::Enforce,
        ended: now().plus_seconds(-30),
        plan: None,
        record: Digest::of(b"record"),
        sequence,
        previous: (sequence > 1).then(|| Digest::of(b"the one before")),
    }
}

fn row(device: &str, signed: &Signed) -> ResultRow {
    let device = Device::of(&key(device)).hex();
    ResultRow { number: 1, client: "acme".to_owned(), device, signed: String::from_utf8(signed.to_text()).unwrap() }
}

#[test]
fn what_a_device_signed_counts_and_nothing_else() {
    let (trust, (order, rings)) = (trust(), order());
    let digest = Digest::of(b"the signed order");
    let about = About { trust: &trust, digest, order: &order, rings: Some(&rings), now: now() };
    let good = |device: &str| row(device, &signed(&report(digest, device, Ended::Completed, 1), &[device]));
    let other_order = report(Digest::of(b"another"), "web", Ended::Completed, 1);
    let looked = Report { mode: Mode::Detect, ..report(digest, "web", Ended::Completed, 1) };
    let other_tenant = Report { tenant: Digest::of(b"another"), ..report(digest, "web", Ended::Completed, 1) };
    for (what, forged) in [
        ("another's signature", row("web", &signed(&report(digest, "web", Ended::Completed, 1), &["db"]))),
        ("another device", row("mail", &signed(&report(digest, "web", Ended::Completed, 1), &["web"]))),
        ("another order", row("web", &signed(&other_order, &["web"]))),
        ("another mode", row("web", &signed(&looked, &["web"]))),
        ("another MSP", row("web", &signed(&other_tenant, &["web"]))),
        ("of no ring", good("stranger")),
        ("rubbish", ResultRow { signed: "rubbish".to_owned(), ..good("web") }),
    ] {
        let mut outcome = Outcome::default();
        outcome.count(&about, &[forged]);
        assert!(outcome.latest.is_empty() && outcome.claimed.len() == 1, "{what}: {outcome:?}");
    }
    let mut outcome = Outcome::default();
    let failed = row("mail", &signed(&report(digest, "mail", Ended::Trap, 1), &["mail"]));
    let refused = row("db", &signed(&report(digest, "db", Ended::Refused, 1), &["db"]));
    outcome.count(&about, &[good("web"), failed, refused]);
    assert!(outcome.claimed.is_empty(), "the control: {:?}", outcome.claimed);
    let counted = outcome.counters(&rings);
    assert_eq!((counted[0].well + counted[1].well, counted[0].badly + counted[1].badly), (1, 2));
    let reasons: BTreeMap<String, usize> =
        outcome.failures(Device::hex).into_iter().map(|it| (it.reason, it.devices)).collect();
    assert_eq!(reasons, BTreeMap::from([("refused: no-approval".to_owned(), 1), ("trap, unknown".to_owned(), 1)]));
    assert_eq!(outcome.failed().len(), 2);
    let both = BTreeSet::from([Device::of(&key("web")), Device::of(&key("mail"))]);
    assert_eq!(outcome.done(), both, "what failed half way changed something too");
    // The latest counts, whatever comes when; and two with one number are no device's.
    outcome.count(&about, &[row("mail", &signed(&report(digest, "mail", Ended::Completed, 2), &["mail"]))]);
    outcome.count(&about, &[row("mail", &signed(&report(digest, "mail", Ended::Trap, 1), &["mail"]))]);
    assert_eq!(outcome.failed().into_iter().collect::<Vec<_>>(), [Device::of(&key("db"))]);
    assert!(outcome.claimed[0].why.contains("cloned"), "{:?}", outcome.claimed);
}

#[test]
fn an_order_in_a_file_is_the_same_when_others_have_signed_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wipe.order");
    let (order, rings) = order();
    let attachments = vec![signed(&super::about(), &["remit"])];
    let parcelled =
        Parcelled { signed: signed(&order, &["boss"]), rings: rings.clone(), plugin: PLUGIN.to_vec(), attachments };
    parcelled.write(&path).unwrap();
    let mut statement = trust::file::read(&path).unwrap();
    statement.sign(&mut trust::Signer::from_seed(&super::seed_of("chief"))).unwrap();
    trust::file::write(&path, &statement).unwrap();
    let read = Parcelled::read(&path).unwrap();
    assert_eq!(read.signed.signatures().len(), 2);
    assert_eq!((read.rings, read.plugin, read.attachments), (rings, PLUGIN.to_vec(), parcelled.attachments));
}

#[test]
fn the_devices_of_an_order_are_those_of_its_rings() {
    let (order, rings) = order();
    let holds = |rings: &[Vec<Device>]| crate::hand::check_rings(&order, rings).is_ok();
    assert!(holds(&rings), "the control");
    let mut swapped = rings.clone();
    swapped[1].reverse();
    let mut other = rings.clone();
    other[0][0] = Device::of(&key("stranger"));
    for wrong in [vec![rings.concat()], swapped, other, rings[..1].to_vec()] {
        assert!(!holds(&wrong), "{wrong:?}");
    }
    let without = Order { rings: Vec::new(), gate: None, ..order.clone() };
    assert!(crate::hand::check_rings(&without, &[rings.concat()]).is_ok());
    assert_eq!(Tree::new(&rings[0]).root(), order.rings[0].root);
}
