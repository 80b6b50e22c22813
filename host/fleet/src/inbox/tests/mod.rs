mod bench;

use model::{Digest, Mode, Outcome, Verdict};
use trust::Names;
use trust::statement::{Order, Pause};

use self::bench::{Bench, OTHER_TECHNICIAN, TECHNICIAN};
use super::*;
use crate::gate::{Certificate, Question};
use crate::tests::name;
use crate::tests::world::{key, report, revocation, signed, time};
use crate::{BadMailbox, Device, Seat, Tree};

#[test]
fn an_order_begins_once_whatever_comes_again() {
    let mut bench = Bench::new();
    let order = bench.post(|_| ());
    bench.settle();
    assert_eq!((bench.begun.as_slice(), bench.codes()), (&[order][..], vec![]));
    let fetched = bench.fetched;
    bench.settle();
    bench.restart();
    bench.settle();
    bench.now = time("2026-11-22T14:00:00Z");
    bench.settle();
    assert_eq!(bench.begun, [order], "once");
    assert_eq!(bench.fetched, fetched, "nothing is fetched twice");
    // The same statement in another document: signed by somebody else too.
    let mut bench = Bench::new();
    let body = bench.order(&[]);
    let order = bench.post_signed(&body, &[TECHNICIAN]);
    bench.settle();
    bench.mailbox.orders.clear();
    assert_eq!(bench.post_signed(&body, &[TECHNICIAN, OTHER_TECHNICIAN]), order);
    bench.settle();
    assert_eq!((bench.begun.as_slice(), bench.codes()), (&[order][..], vec![]));
    // Nothing that is not durable was done: an agent that dies before decides the same again.
    let mut bench = Bench::new();
    let order = bench.post(|_| ());
    bench.settle();
    bench.kept.clear();
    bench.restart();
    bench.settle();
    assert_eq!(bench.begun, [order, order]);
}

#[test]
fn each_refusal_has_its_code_and_its_control() {
    let refusal = |change: fn(&mut Bench)| {
        let mut bench = Bench::new();
        change(&mut bench);
        bench.settle();
        bench.settle();
        assert_eq!(bench.begun.len() + bench.refused.len(), 1, "told once");
        bench.codes().first().copied().unwrap_or("begun")
    };
    for (code, change) in [
        ("begun", (|it| _ = it.post(|_| ())) as fn(&mut Bench)),
        ("not-meant", |it| _ = it.post(|it| it.r#where = "client == 'globex'".to_owned())),
        ("begun", |it| _ = it.post(|it| it.r#where = "client == 'acme' && 'server' in tags".to_owned())),
        ("undecided", |it| _ = it.post(|it| it.r#where = "packages.updates > 0".to_owned())),
        ("bad-where", |it| _ = it.post(|it| it.r#where = "clint == 'acme'".to_owned())),
        ("bad-where", |it| _ = it.post(|it| it.r#where = "volumes.all(a, volumes.all(b, a != b))".to_owned())),
        ("not-in-ring", |it| {
            let tree = Tree::new(&it.world.devices());
            let body = it.order(&[&tree]);
            it.post_signed(&body, &[TECHNICIAN]);
        }),
        ("begun", |it| in_ring(it, 9)),
        ("not-in-ring", |it| in_ring(it, 8)),
        ("not-json", |it| {
            let document = it.put(b"hello\n".to_vec());
            it.mailbox.orders.push(Posted { order: document, ring: None, gate: None, parcel: None });
        }),
        ("other-kind", |it| {
            let document = it.mailbox.trust[0];
            it.mailbox.orders.push(Posted { order: document, ring: None, gate: None, parcel: None });
            it.mailbox.trust.swap_remove(0);
        }),
    ] {
        assert_eq!(refusal(change), code);
    }
}

/// An order to one ring of all devices, with the proof of one leaf; posted to the last of them.
fn in_ring(bench: &mut Bench, leaf: u32) {
    let tree = Tree::new(&bench.world.devices());
    let body = bench.order(&[&tree]);
    bench.post_signed(&body, &[TECHNICIAN]);
    bench.mailbox.orders[0].ring = Some(Seat { ring: 0, proof: tree.prove(leaf).unwrap() });
}

#[test]
fn what_nobody_may_order_is_refused_and_not_remembered() {
    for (body, by) in [
        ((|_| ()) as fn(&mut Order), &[55][..]),
        (|_| (), &[]),
        (|it| it.tenant = Digest::of(b"another"), &[TECHNICIAN]),
        (|it| it.clients = Names::These(vec![name("globex")]), &[TECHNICIAN]),
        (|it| it.expires = time("2026-11-22T12:59:00Z"), &[TECHNICIAN]),
    ] {
        let mut bench = Bench::new();
        let mut order = bench.order(&[]);
        body(&mut order);
        bench.post_signed(&order, by);
        bench.settle();
        bench.settle();
        assert_eq!((bench.begun.len(), bench.refused.len()), (0, 1), "{:?}", bench.codes());
        assert!(!bench.kept.contains_key(REPLAYS), "{:?}", bench.codes());
    }
}

#[test]
fn counters_count_once() {
    let mut bench = Bench::new();
    let later = bench.post(|it| it.counter = 8);
    let earlier = bench.post(|it| it.counter = 7);
    bench.settle();
    assert_eq!(bench.begun, [earlier, later], "what came together goes in the order in which it was ordered");
    let twin = bench.post(|it| it.counter = 8);
    let next = bench.post(|it| it.counter = 9);
    bench.settle();
    bench.restart();
    bench.settle();
    assert_eq!(bench.refused.first(), Some(&(twin, "counter-used")));
    assert_eq!(bench.begun, [earlier, later, next]);
}

#[test]
fn an_order_waits_for_its_time_for_its_gate_and_while_it_is_paused() {
    let mut bench = Bench::new();
    let devices = bench.world.devices();
    let (first, second) = (Tree::new(&devices[..4]), Tree::new(&devices[4..]));
    let mut body = bench.order(&[&first, &second]);
    body.from = time("2026-11-22T14:00:00Z");
    let order = bench.post_signed(&body, &[TECHNICIAN]);
    bench.mailbox.orders[0].ring = Some(Seat { ring: 1, proof: second.prove(5).unwrap() });
    bench.settle();
    assert_eq!(bench.waiting, [Waiting { order, wait: Wait::Said(Refusal::NotYetDue { due: body.from }) }]);
    bench.now = time("2026-11-22T14:00:00Z");
    bench.settle();
    assert_eq!(bench.waiting, [Waiting { order, wait: Wait::Gate }]);

    let trust = bench.trust.clone();
    let question = Question { trust: &trust, order, body: &body, ring: 0 };
    let result = |device: &Device, ended: &str| {
        let at = devices.iter().position(|it| it == device).unwrap();
        let mut report = report(order, &bench.world.key(at), Outcome::Completed, Verdict::Fixed, ended);
        report.tenant = body.tenant;
        Some(signed("2026-11-22T14:20:00Z", &report, &[100 + u8::try_from(at).unwrap()]))
    };
    let certificate =
        Certificate::make(&question, &devices[..4], |device| result(device, "2026-11-22T14:10:00Z")).unwrap();
    let mut forged = certificate.clone();
    forged.sample.swap(0, 1);
    let (good, forged) = (certificate.write(), forged.write());

    // What is made up is refused, for ever: a signal, not a delay.
    let mut victim = Bench { hub: bench.hub.clone(), mailbox: bench.mailbox.clone(), ..Bench::new() };
    victim.now = bench.now;
    victim.mailbox.orders[0].gate = Some(victim.put(forged));
    victim.settle();
    assert_eq!((victim.begun.len(), victim.codes()), (0, vec!["forged-gate"]));

    // What is true begins, once it was watched for long enough.
    let gate = bench.put(good);
    bench.mailbox.orders[0].gate = Some(gate);
    bench.now = time("2026-11-22T14:39:59Z");
    bench.settle();
    let until = time("2026-11-22T14:40:00Z");
    assert_eq!(bench.waiting, [Waiting { order, wait: Wait::Shut(Shut::TooEarly { until }) }]);

    let pause = |serial: u64, is_paused: bool| Pause {
        serial,
        expires: time("2027-01-01T00:00:00Z"),
        is_paused,
        clients: Names::These(vec![name("acme")]),
        orders: Vec::new(),
        reason: "a storm".to_owned(),
    };
    let stop = bench.put(signed("2026-11-22T14:30:00Z", &pause(1, true), &[OTHER_TECHNICIAN]).to_text());
    bench.mailbox.pauses.push(stop);
    bench.now = until;
    bench.settle();
    let stopped = Refusal::Paused { serial: 1, reason: "a storm".to_owned() };
    assert_eq!(bench.waiting, [Waiting { order, wait: Wait::Said(stopped) }]);
    let go_on = signed("2026-11-22T14:35:00Z", &pause(2, false), &[TECHNICIAN, OTHER_TECHNICIAN]).to_text();
    let go_on = bench.put(go_on);
    bench.mailbox.pauses.push(go_on);
    bench.settle();
    assert_eq!((bench.begun.as_slice(), bench.waiting.len()), (&[order][..], 0));
}

#[test]
fn what_stands_goes_on_without_a_hub_and_ends_with_it() {
    let standing = |it: &mut Order| {
        it.standing = Some(r#"{"schedule":{"cron":"0 2 * * *","zone":"UTC"}}"#.to_owned());
        it.r#where = "client == 'globex'".to_owned();
    };
    let mut bench = Bench::new();
    let order = bench.post(standing);
    bench.settle();
    assert_eq!(bench.begun, [order], "whether it means the device is asked at each run");
    bench.restart();
    bench.step(Input::Looked, &mut Vec::new());
    assert_eq!(bench.begun, [order, order], "after a start it stands again, and nobody was asked");
    bench.settle();
    assert_eq!(bench.begun.len(), 2);
    let mut stolen = Bench { kept: bench.kept.clone(), trust: bench.trust.clone(), ..Bench::new() };
    stolen.restart();
    stolen.trust.take(&revocation(key(TECHNICIAN)), stolen.now).unwrap();
    stolen.step(Input::Looked, &mut Vec::new());
    assert_eq!((stolen.begun.len(), stolen.waiting.len()), (0, 1), "its technician's key was stolen");
    assert!(matches!(&stolen.waiting[0].wait, Wait::Against(against) if against.code() == "key-compromised"));
    let mut late = Bench { kept: bench.kept.clone(), trust: bench.trust.clone(), ..Bench::new() };
    late.restart();
    late.now = time("2026-12-22T12:00:00Z");
    late.step(Input::Looked, &mut Vec::new());
    assert_eq!((late.begun.len(), late.ended.as_slice()), (0, &[order][..]), "its time is over");
    bench.mailbox.orders.clear();
    bench.settle();
    assert_eq!(bench.ended, [order], "the hub no longer has it");
    bench.restart();
    bench.settle();
    assert_eq!(bench.begun.len(), 2);
}

#[test]
fn a_hub_that_lies_about_documents_is_asked_no_more_than_once() {
    let mut bench = Bench::new();
    let order = bench.post(|_| ());
    let (digest, document) = bench.hub.pop_first().unwrap();
    bench.hub.insert(digest, b"something else".to_vec());
    bench.settle();
    let asked = bench.fetched;
    bench.step(Input::Looked, &mut Vec::new());
    assert_eq!(bench.fetched, asked);
    bench.hub.insert(digest, document);
    bench.refused.clear();
    let mut fresh = Bench { hub: bench.hub.clone(), mailbox: bench.mailbox.clone(), ..Bench::new() };
    fresh.settle();
    assert_eq!(fresh.begun, [order]);
    let look = |inbox: &mut Inbox, input: Input<'_>| {
        let look = Look { now: fresh.now, trust: &fresh.trust, device: &fresh.world.key(9), facts: &fresh.facts };
        inbox.step(input, look)
    };
    let mut inbox = Inbox::default();
    let step = look(&mut inbox, Input::Mailbox(b"{}"));
    assert!(matches!(step.bad_mailbox, Some(BadMailbox::NotRead { .. })) && step.fetch.is_empty());
    let step = look(&mut inbox, Input::Document(Digest::of(b"x"), b"x"));
    assert!(step.is_idle(), "what nobody asked for is not looked at: {step:?}");
}

#[test]
fn what_was_kept_and_cannot_be_read_is_not_begun_anew() {
    let mut bench = Bench::new();
    bench.post(|it| it.standing = Some(r#"{"schedule":{"cron":"0 2 * * *","zone":"UTC"}}"#.to_owned()));
    bench.settle();
    assert!(bench.kept.len() == 3 && Inbox::restore(bench.kept.clone()).is_ok());
    for key in bench.kept.keys() {
        let mut damaged = bench.kept.clone();
        damaged.insert(key.clone(), "{".to_owned());
        assert_eq!(Inbox::restore(damaged).map(drop), Err(Damaged(key.clone())));
    }
}

#[test]
fn what_the_hub_takes_back_is_no_longer_named() {
    let mut bench = Bench::new();
    let order = bench.post(|it| it.mode = Mode::Detect);
    bench.settle();
    assert_eq!(bench.begun, [order]);
    let document = bench.mailbox.orders[0].order;
    assert!(bench.inbox.names(&document));
    bench.restart();
    assert!(bench.inbox.names(&document), "nobody knows better");
    bench.mailbox.orders.clear();
    bench.settle();
    assert!(!bench.inbox.names(&document), "the hub took it back: a run that has not begun begins none");
}

/// Messages are lost, repeated, delayed, reordered, withheld and forged, and the agent dies now and then. The worst is delay.
#[test]
fn whatever_carries_messages_has_nothing_run_twice_or_never() {
    let rounds = if ::tests::soak!() { 2_000 } else { 25 };
    let mut dice = crate::tests::Dice(5);
    for round in 0..rounds {
        let mut bench = Bench::new();
        bench.is_attacked = true;
        let first = bench.post(|_| ());
        let second = bench.order(&[]);
        let second = Order { by: key(OTHER_TECHNICIAN), ..second };
        let second = bench.post_signed(&second, &[OTHER_TECHNICIAN]);
        let never = bench.post_signed(&Order { by: key(77), ..bench.order(&[]) }, &[77]);
        let honest = bench.mailbox.clone();
        let documents: Vec<(Digest, Vec<u8>)> = bench.hub.clone().into_iter().collect();
        for _ in 0..60 {
            let mut mailbox = honest.clone();
            mailbox.trust.retain(|_| dice.below(4) > 0);
            mailbox.orders.retain(|_| dice.below(4) > 0);
            let mut bytes = mailbox.write().unwrap();
            let (digest, document) = documents[dice.below(documents.len())].clone();
            let mut forged = document.clone();
            let at = dice.below(forged.len());
            forged[at] ^= 1 << dice.below(8);
            let sink = &mut Vec::new();
            match dice.below(10) {
                0 => bench.step(Input::Mailbox(&bytes), sink),
                1 => {
                    let at = dice.below(bytes.len());
                    bytes[at] ^= 1 << dice.below(8);
                    bench.step(Input::Mailbox(&bytes), sink);
                }
                2 => bench.step(Input::Missing(digest), sink),
                3 => bench.step(Input::Document(digest, &forged), sink),
                4 => bench.step(Input::Document(Digest::of(&forged), &forged), sink),
                5 => bench.restart(),
                6 => bench.dies = true,
                _ => bench.step(Input::Document(digest, &document), sink),
            }
        }
        bench.dies = false;
        bench.settle();
        bench.restart();
        bench.settle();
        let times = |order: Digest| bench.begun.iter().filter(|it| **it == order).count();
        assert_eq!((times(first), times(second), times(never)), (1, 1, 0), "round {round}");
    }
}
