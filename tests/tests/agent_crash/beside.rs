//! A run by hand and one of an order at once: where both change something one waits, and whoever asked is told so; where both only
//! look they run beside each other.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use tests::remit::Ran;

use crate::site::{Site, wait_for};

const GO: &str = "[event]\nwatch = { type = \"emitted\", name = \"go\" }\n";

/// From when to when a run had the machine.
type Span = (u64, u64);

/// As runs that change something say themselves, where they left their traces.
fn traces(site: &Site) -> Vec<Span> {
    let mut spans = BTreeMap::<String, Vec<u64>>::new();
    for line in fs::read_to_string(site.scratch.join("spans")).unwrap_or_default().lines() {
        let (run, at_ms) = line.split_once(' ').unwrap();
        spans.entry(run.to_owned()).or_default().push(at_ms.parse().unwrap());
    }
    spans.into_values().map(|span| (span[0], span[1])).collect()
}

/// As the records of all runs say.
fn recorded(site: &Site) -> Vec<Span> {
    let (store, runs) = (site.store(), site.store().runs(9).unwrap());
    runs.iter().map(|run| (run.started_ms, store.events(run.run).unwrap().last().unwrap().at_ms)).collect()
}

fn overlap(spans: &[Span]) -> bool {
    let [first, then] = spans else { panic!("{spans:?}") };
    first.0 < then.1 && then.0 < first.1
}

fn is_under_way(site: &Site) -> bool {
    site.status().is_some_and(|status| status["runs"][0]["stage"] == "under-way")
}

/// Whether the order's run or that by hand comes first; gives what the person was told.
fn both(site: &Site, mode: &str, is_order_first: bool) -> Ran {
    site.order("go", "slow", mode, GO);
    let mut agent = site.start();
    assert!(wait_for(|| site.ask(&["agent", "orders"]).json()[0]["order"] == "go"));
    let emit = || drop(site.ask(&["emit", "go"]).expect(0));
    let by_hand = || site.ask(&["run", "slow", "--mode", mode]);
    let told = thread::scope(|scope| {
        if is_order_first {
            emit();
            assert!(wait_for(|| is_under_way(site)), "{}", site.said());
            return by_hand();
        }
        let by_hand = scope.spawn(by_hand);
        assert!(wait_for(|| is_under_way(site)), "{}", site.said());
        emit();
        by_hand.join().unwrap()
    });
    thread::sleep(Duration::from_millis(100));
    site.settle();
    agent.stop();
    let runs = site.machine.runs();
    assert!(runs.len() == 2 && runs.iter().all(|run| run["ended"]["outcome"] == "completed"), "{runs:?}");
    told
}

#[test]
fn of_two_that_change_the_machine_one_waits() {
    for is_order_first in [true, false] {
        let site = Site::new();
        let told = both(&site, "enforce", is_order_first);
        assert!(!overlap(&traces(&site)) && !overlap(&recorded(&site)), "{:?}", traces(&site));
        let waits = "the agent has other runs under way: 1 before this one";
        assert_eq!(told.stderr.contains(waits), is_order_first, "{told}");
    }
}

/// The control: they could have met.
#[test]
fn two_that_only_look_run_beside_each_other() {
    for is_order_first in [true, false] {
        let site = Site::new();
        let told = both(&site, "detect", is_order_first);
        assert!(overlap(&recorded(&site)), "{:?}\n{told}", recorded(&site));
    }
}
