//! Rows about what was missed, and about runs that meet.

use super::bench::Bench;
use crate::Occupancy;

fn bench(misfire: &str, overlap: &str) -> Bench {
    let trigger = format!("cron = \"0 * * * *\"\nzone = \"UTC\"\nmisfire = \"{misfire}\"\noverlap = \"{overlap}\"");
    Bench::new(&trigger, "2027-06-01T00:30:00Z")
}

const THREE: &str = "missed (Suspended): 3 from 06-01T01:00 to 06-01T03:00";
const TWO: &str = "missed (Suspended): 2 from 06-01T01:00 to 06-01T02:00";
const ONE: &str = "missed (Suspended): 06-01T01:00";

/// Asleep over 01:00, 02:00 and 03:00.
fn slept(misfire: &str) -> Vec<String> {
    bench(misfire, "skip").slept_until("2027-06-01T03:30:00Z")
}

#[test]
fn misfire_skip() {
    assert_eq!(slept("skip"), [THREE]);
}

#[test]
fn misfire_run_once() {
    assert_eq!(slept("run-once"), [TWO, "fire 06-01T03:00 late"]);
}

#[test]
fn misfire_run_all() {
    assert_eq!(slept("run-all(2)"), [ONE, "fire 06-01T02:00 late", "fire 06-01T03:00 late, queued"]);
    assert_eq!(slept("run-all(3)").len(), 3);
    assert_eq!(slept("run-all(100)"), slept("run-all(3)"));
}

#[test]
fn misfire_run_once_if_within() {
    assert_eq!(slept("run-once-if-within(30m)"), [TWO, "fire 06-01T03:00 late"]);
    assert_eq!(slept("run-once-if-within(29m)"), [THREE]);
}

#[test]
fn missed_and_on_time() {
    let both = |misfire: &str| bench(misfire, "skip").slept_until("2027-06-01T03:00:10Z");
    assert_eq!(both("skip"), [TWO, "fire 06-01T03:00"]);
    assert_eq!(both("run-once"), [TWO, "fire 06-01T03:00"]);
    assert_eq!(both("run-once-if-within(9h)"), [TWO, "fire 06-01T03:00"]);
    let all = ["fire 06-01T01:00 late", "fire 06-01T02:00 late, queued", "fire 06-01T03:00, queued"];
    assert_eq!(both("run-all(2)"), all);
    assert_eq!(both("run-all(1)"), [ONE, "fire 06-01T02:00 late", "fire 06-01T03:00, queued"]);
}

#[test]
fn overlap_on_time() {
    let on_time = |overlap: &str, occupancy: Occupancy| {
        let mut bench = bench("skip", overlap);
        bench.occupancy = occupancy;
        bench.at("2027-06-01T01:00:00Z")
    };
    let left_out = ["overlap: 06-01T01:00"];
    for overlap in ["skip", "queue", "replace"] {
        assert_eq!(on_time(overlap, Occupancy::Idle), ["fire 06-01T01:00"]);
    }
    assert_eq!(on_time("skip", Occupancy::Running), left_out);
    assert_eq!(on_time("skip", Occupancy::Waiting), left_out);
    assert_eq!(on_time("queue", Occupancy::Running), ["fire 06-01T01:00, queued"]);
    assert_eq!(on_time("queue", Occupancy::Waiting), left_out);
    assert_eq!(on_time("replace", Occupancy::Running), ["fire 06-01T01:00, replacing"]);
    assert_eq!(on_time("replace", Occupancy::Waiting), ["fire 06-01T01:00, replacing"]);
}

/// What becomes of three missed firings, for each misfire policy, each overlap policy and what is under way: how many are
/// missed, how the first that runs meets the others, and how many run.
#[test]
fn misfire_and_overlap() {
    use Occupancy::{Idle, Running, Waiting};
    let mut cases = 0;
    for (misfire, runs) in [("skip", 0), ("run-once", 1), ("run-all(2)", 2), ("run-once-if-within(1h)", 1)] {
        for (overlap, occupancy, manner) in [
            ("skip", Idle, Some("")),
            ("skip", Running, None),
            ("skip", Waiting, None),
            ("queue", Idle, Some("")),
            ("queue", Running, Some(", queued")),
            ("queue", Waiting, None),
            ("replace", Idle, Some("")),
            ("replace", Running, Some(", replacing")),
            ("replace", Waiting, Some(", replacing")),
        ] {
            let mut bench = bench(misfire, overlap);
            bench.occupancy = occupancy;
            let decided = bench.slept_until("2027-06-01T03:30:00Z");
            let mut expected: Vec<String> = vec![[THREE, TWO, ONE][runs].to_owned()];
            match (manner, runs) {
                (_, 0) => {}
                (Some(manner), 1) => expected.push(format!("fire 06-01T03:00 late{manner}")),
                (Some(manner), _) => {
                    expected.push(format!("fire 06-01T02:00 late{manner}"));
                    expected.push("fire 06-01T03:00 late, queued".to_owned());
                }
                (None, 1) => expected.push("overlap: 06-01T03:00".to_owned()),
                (None, _) => expected.push("overlap: 2 from 06-01T02:00 to 06-01T03:00".to_owned()),
            }
            assert_eq!(decided, expected, "{misfire}, {overlap}, {occupancy:?}");
            cases += 1;
        }
    }
    assert_eq!(cases, 36);
}

#[test]
fn paused_is_not_made_up_for() {
    let mut bench = bench("run-all(9)", "skip");
    bench.is_paused = true;
    assert_eq!(bench.through("2027-06-01T02:30:00Z"), ["paused: 06-01T01:00", "paused: 06-01T02:00"]);
    bench.is_paused = false;
    assert_eq!(bench.through("2027-06-01T03:30:00Z"), ["fire 06-01T03:00"]);
    bench.is_paused = true;
    assert_eq!(bench.slept_until("2027-06-01T05:30:00Z"), ["paused: 2 from 06-01T04:00 to 06-01T05:00"]);
}
