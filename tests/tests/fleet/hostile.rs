//! A hub that is against the device, and a device whose halves die: what comes of it is delay.

use tests::Chance;

use super::*;

/// A script that takes its time to look.
const SLOW: &str = r#"
import { sleep } from "msp:automation/run";
export const manifest = { name: "look", description: "Looks for long", publisher: "remit", version: "1.0.0", capabilities: {} };
export function detect() { sleep(10000); return { verdict: "compliant", summary: "all is well" }; }
"#;

/// The most that either half may grow while it is flooded, in KiB: what a look holds at once, and what a debug build takes for it.
const GROWS_KIB_MAX: u64 = 64 << 10;

/// What a half itself has written into memory. What it has read of its program, which a debug build makes large, is no part of it: the
/// kernel takes that back when it wants to.
fn anonymous_kib(half: &Half) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", half.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A mailbox as large as one may be, of documents that are rubbish, or that nobody has.
fn rubbish(chance: &mut Chance) -> (Mailbox, Vec<Vec<u8>>) {
    let mut bytes = |most: u64| -> Vec<u8> { (0..chance.below(most) + 8).map(|at| (at % 251) as u8).collect() };
    let mut documents: Vec<Vec<u8>> = (0..12_u8).map(|at| [vec![at], bytes(100_000)].concat()).collect();
    documents.push(vec![b'['; 200_000]);
    let there = documents.iter().map(|it| Digest::of(it));
    let nowhere = (0..150).map(|_| Digest::of(&chance.below(u64::MAX).to_le_bytes()));
    let all: Vec<Digest> = there.chain(nowhere).collect();
    let posted = |digest: &Digest| Posted { order: *digest, ring: None, gate: None, parcel: Some(*digest) };
    let mailbox = Mailbox {
        trust: all.clone(),
        orders: all.iter().take(30).map(posted).collect(),
        pauses: all.iter().take(100).copied().collect(),
        restored: Some(Digest::of(&chance.below(u64::MAX).to_le_bytes())),
    };
    (mailbox, documents)
}

#[test]
fn a_hub_that_floods_a_device_takes_little_of_it_and_nothing_from_others() {
    let times = if tests::soak!() { 600 } else { 25 };
    let mut chance = Chance::new(tests::seed());
    let mut site = Site::new();
    let parcel = travels(&mut site);
    site.join(&site.token).expect(0);
    site.assign();
    let halves = site.start();
    let (_, signed) = site.order(&parcel.about, |_| ());
    site.post(&[&signed], &parcel, &[]);
    site.results(1);
    let before = halves.each_ref().map(anonymous_kib);
    let script = site.machine.folder("scripts").join("own.js");
    fs::write(&script, tests::msp::look("0.1.0", NOTHING)).unwrap();
    let mut most = before;
    for at in 0..times {
        let (mailbox, documents) = rubbish(&mut chance);
        site.hub.post(&site.device(), &mailbox, &documents);
        if at % 12 == 0 {
            // What the machine's owner asks of the agent, and what they run, is in nobody's way.
            assert!(site.status().is_some(), "{}", site.log());
            site.machine.run_plugin(&script, &[]).expect(0);
        }
        most = [0, 1].map(|half| most[half].max(anonymous_kib(&halves[half])));
        thread::sleep(Duration::from_millis(100));
    }
    let grew = [0, 1].map(|half| most[half].saturating_sub(before[half]));
    eprintln!("the halves grew by {grew:?} KiB");
    assert!(grew.iter().all(|it| *it <= GROWS_KIB_MAX), "{grew:?}");
    // And what is right still goes.
    let (order, last) = site.order(&parcel.about, |_| ());
    site.post(&[&signed, &last], &parcel, &[]);
    let is_told = || site.results(1).iter().any(|it| it.report().order == order);
    assert!(wait_for(is_told), "{}", site.log());
    drop(halves);
}

#[test]
fn a_plugin_that_is_cut_waits_and_one_that_is_forged_is_refused() {
    let mut site = Site::new();
    let parcel = travels(&mut site);
    site.join(&site.token).expect(0);
    site.assign();
    let halves = site.start();
    // A list that is what it says it is, and is of something else than what was ordered.
    let other = b"another plugin".to_vec();
    let (list, parts) = Parcel::of(&other, Vec::new()).unwrap();
    let documents = parts.into_iter().map(<[u8]>::to_vec).chain([list.write()]).collect();
    let forged = Travels { about: parcel.about.clone(), list: Digest::of(&list.write()), documents };
    let (_, signed) = site.order(&parcel.about, |_| ());
    site.post(&[&signed], &forged, &[]);
    let results = site.results(1);
    assert_eq!(results[0].report().refused.as_ref().unwrap().as_str(), "bad-plugin", "{}", site.log());
    // An expression that takes longer than any device gives it.
    let bomb = "volumes.all(a, volumes.all(b, volumes.all(c, a != b)))".to_owned();
    let (order, signed) = site.order(&parcel.about, |it| it.r#where = bomb);
    site.post(&[&signed], &parcel, &[]);
    let results = site.results(2);
    assert_eq!((results[1].report().order, site.runs()), (order, 0));
    assert_eq!(results[1].report().refused.as_ref().unwrap().as_str(), "bad-where", "{}", site.log());
    // One of which a part is missing: it waits, also over a death, and takes up where it was.
    let cut = Travels { about: parcel.about.clone(), list: parcel.list, documents: parcel.documents[1..].to_vec() };
    let (order, signed) = site.order(&parcel.about, |_| ());
    site.post(&[&signed], &cut, &[]);
    let waits = |site: &Site| site.status().is_some_and(|it| it["hub"]["under-way"] == 1);
    assert!(wait_for(|| waits(&site)), "{}", site.log());
    let parts = site.machine.state().join("parcel");
    assert!(wait_for(|| fs::read_dir(&parts).is_ok_and(|it| it.count() == cut.documents.len())), "{}", site.log());
    drop(halves);
    let _halves = site.start();
    assert!(waits(&site) && site.runs() == 0, "{}", site.log());
    site.post(&[&signed], &parcel, &[]);
    let results = site.results(3);
    assert_eq!((results[2].report().order, results[2].report().outcome), (order, Outcome::Completed), "{}", site.log());
    assert_eq!(site.runs(), 1);
}

#[test]
fn halves_that_are_killed_run_an_order_once_and_tell_it_once() {
    let kills = if tests::soak!() { 60 } else { 4 };
    let mut chance = Chance::new(tests::seed());
    let mut site = Site::new();
    let parcel = travels(&mut site);
    site.join(&site.token).expect(0);
    site.assign();
    let mut orders: Vec<Signed> = Vec::new();
    for _ in 0..kills {
        let (_, signed) = site.order(&parcel.about, |_| ());
        orders.push(signed);
        let halves = site.start();
        // A mailbox has room for some: those before are over, or are the last few.
        let last: Vec<&Signed> = orders.iter().rev().take(8).collect();
        site.post(&last, &parcel, &[]);
        thread::sleep(Duration::from_millis(chance.below(3_500)));
        let [executor, network] = halves;
        match chance.below(3) {
            0 => drop(executor),
            1 => drop(network),
            _ => drop((network, executor)),
        }
    }
    let _halves = site.start();
    let last: Vec<&Signed> = orders.iter().rev().take(8).collect();
    site.post(&last, &parcel, &[]);
    let results = site.results(orders.len());
    assert!(wait_for(|| site.status().is_some_and(|it| it["hub"]["to-say"] == 0)), "{}", site.log());
    let mut told: Vec<Digest> = results.iter().map(|it| it.report().order).collect();
    let mut given: Vec<Digest> = orders.iter().map(|it| Digest::of(it.statement())).collect();
    told.sort_unstable();
    given.sort_unstable();
    assert_eq!(told, given, "{}", site.log());
    let mut chain = Chain::default();
    results.iter().for_each(|it| assert_eq!(chain.follow(it), Ok(true)));
    // A run that a death interrupted is told as that, and is not run again.
    assert_eq!(site.runs(), orders.len(), "{}", site.log());
}

#[test]
fn an_order_that_is_taken_back_while_it_waits_for_its_turn_never_runs() {
    let mut site = Site::new();
    let parcel = travels_of(&mut site, SLOW);
    site.join(&site.token).expect(0);
    site.assign();
    let _halves = site.start();
    // What may change something has the device to itself.
    let given = [2, 3, 4].map(|after| {
        let from = now().plus_seconds(after);
        site.order(&parcel.about, |it| (it.mode, it.from) = (Mode::Enforce, from))
    });
    let [(first, one), (second, two), (third, three)] = given;
    site.post(&[&one, &two, &three], &parcel, &[]);
    let under_way = |site: &Site| site.status().is_some_and(|it| it["hub"]["under-way"] == 3) && site.runs() == 1;
    assert!(wait_for(|| under_way(&site)), "{}", site.log());
    site.post(&[&one, &three], &parcel, &[]);
    let results = site.results(3);
    let of = |order: Digest| results.iter().find(|it| it.report().order == order).unwrap().report().clone();
    let taken_back = of(second);
    let why = taken_back.refused.as_ref().map(ToString::to_string);
    assert_eq!(why.as_deref(), Some("withdrawn"), "{taken_back:?}\n{}", site.log());
    // The control: those that were left ran, one after the other.
    assert_eq!([of(first), of(third)].map(|it| it.outcome), [Outcome::Completed; 2], "{}", site.log());
    assert_eq!(site.runs(), 2);
}
