//! Two hand runs never change a machine at once.

use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Remit, remit};

const ENFORCE: [&str; 6] = ["--mode", "enforce", "--allow", "files-write", "--allow", "kv-write"];

/// Two runs that wait a while, the second started while the first is under way.
fn two_runs(remit: &Remit, args: &[&str]) -> (remit::Ran, remit::Ran) {
    let guest = remit::guest("endings");
    let bind = format!("scratch={}", remit.folder("scratch").display());
    let waits = |times: &'static str| {
        let mine = ["--output", "json", "run", guest.to_str().unwrap(), "--bind", &bind];
        remit.start(&[&mine[..], &["--param", "end=waits", "--param", times], args].concat())
    };
    // Compiled beforehand, so that what is measured is the wait.
    remit.run_plugin(&guest, &["--bind", &bind, "--param", "end=compliant"]).expect(0);
    let first = waits("times=30");
    let deadline = Instant::now() + Duration::from_secs(60);
    while remit.runs().len() < 2 {
        assert!(Instant::now() < deadline, "it never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = waits("times=1");
    let ran = |child: std::process::Child| remit::Ran::from(child.wait_with_output().unwrap()).expect(0);
    (ran(first), ran(second))
}

/// When a run's first and last events were.
fn when(remit: &Remit, ran: &remit::Ran) -> (u64, u64) {
    let events = remit.events(ran.json()["run"].as_str().unwrap());
    let at = |event: Option<&Value>| event.unwrap()["at-ms"].as_u64().unwrap();
    (at(events.first()), at(events.last()))
}

const WAITING: &str = "another run is under way on this machine: waiting for it";

#[test]
fn the_second_of_two_runs_waits_for_the_first() {
    let remit = Remit::new();
    let (first, second) = two_runs(&remit, &ENFORCE);
    assert!(second.stderr.contains(WAITING), "{second}");
    assert!(!first.stderr.contains(WAITING), "{first}");
    let ((_, first_ended), (second_began, _)) = (when(&remit, &first), when(&remit, &second));
    assert!(second_began >= first_ended, "it began at {second_began}, the first ended at {first_ended}");
}

#[test]
fn runs_that_only_look_do_not_wait() {
    let remit = Remit::new();
    let (first, second) = two_runs(&remit, &[]);
    assert!(!second.stderr.contains(WAITING), "{second}");
    let ((_, first_ended), (_, second_ended)) = (when(&remit, &first), when(&remit, &second));
    assert!(second_ended < first_ended, "the second ended at {second_ended}, the first at {first_ended}");
}
