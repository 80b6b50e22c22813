//! Rows about what comes often.

use serde_json::json;

use super::bench::{Bench, DISK, FILE, ms};
use crate::{Change, Occupancy};

const NONE: [&str; 0] = [];

#[test]
fn a_burst_counts_once_with_its_last() {
    let mut bench = Bench::new(&format!("{FILE}debounce = \"10s\""));
    for number in 0..10_000 {
        assert_eq!(bench.notice("/etc/hosts", Change::Happened, json!({ "number": number })), NONE);
        bench.now_ms += i64::from(number % 10 == 0);
    }
    assert_eq!(bench.pass("9s"), NONE);
    assert_eq!(bench.pass("1s"), ["fire /etc/hosts x10000", "debounce x9999"]);
    assert_eq!(bench.fired[0].event.data["number"], 9_999);
    assert_eq!(bench.happen("/etc/passwd"), NONE);
    assert_eq!(bench.pass("10s"), ["fire /etc/passwd"]);
}

#[test]
fn a_burst_without_end_counts_too() {
    let mut bench = Bench::new(&format!("{FILE}debounce = \"10s\""));
    let mut all = Vec::new();
    for _ in 0..30 {
        all.extend(bench.happen("/etc/hosts"));
        all.extend(bench.pass("9s"));
    }
    let fired = all.iter().filter(|it| it.starts_with("fire")).collect::<Vec<_>>();
    assert_eq!(fired, ["fire /etc/hosts x12", "fire /etc/hosts x12"], "every hundred seconds");
}

#[test]
fn without_debounce_each_counts() {
    let mut bench = Bench::new(FILE);
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
}

#[test]
fn a_file_that_changes_during_a_run_starts_one_after_it() {
    let mut bench = Bench::new(FILE);
    bench.happen("/etc/a");
    bench.occupancy = Occupancy::Running;
    assert_eq!(bench.happen("/etc/a"), ["overlap, waits"]);
    assert_eq!(bench.happen("/etc/b"), NONE);
    bench.pass("5m");
    bench.occupancy = Occupancy::Idle;
    assert_eq!(bench.look(), ["fire /etc/b x2", "debounce"], "one run, with the last of it");
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"], "and nothing waits any more");
    // What says nothing of how things are is over.
    let mut told = Bench::new("watch = { type = \"emitted\", name = \"x\" }\n");
    told.occupancy = Occupancy::Running;
    assert_eq!(told.happen("x"), ["overlap"]);
    told.occupancy = Occupancy::Idle;
    assert_eq!(told.look(), NONE);
}

#[test]
fn levels_come_in_bursts_too() {
    let mut bench = Bench::new(&format!("{DISK}debounce = \"10s\""));
    bench.raise("/");
    bench.pass("5s");
    bench.raise("/home");
    bench.raise("/srv");
    bench.clear("/srv");
    assert_eq!(bench.pass("10s"), ["fire /home x3", "debounce x2"], "the last that still holds");
    assert_eq!(bench.raise("/"), NONE);
    for subject in ["/", "/home"] {
        bench.clear(subject);
        bench.raise(subject);
        bench.clear(subject);
    }
    assert_eq!(bench.pass("10s"), ["for x2"], "all of it was over before it counted");
}

#[test]
fn a_moment_in_a_cooldown_is_left_out() {
    let mut bench = Bench::new(&format!("{FILE}cooldown = \"1h\""));
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    assert_eq!(bench.happen("/etc/a"), ["cooldown"]);
    assert_eq!(bench.pass("59m59s"), NONE);
    assert_eq!(bench.happen("/etc/a"), ["cooldown"]);
    assert_eq!(bench.pass("1s"), NONE, "nothing is made up for");
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
}

#[test]
fn a_burst_waits_until_it_may() {
    let mut bench = Bench::new(&format!("{FILE}debounce = \"10s\"\ncooldown = \"1h\""));
    bench.happen("/etc/a");
    assert_eq!(bench.pass("10s"), ["fire /etc/a"]);
    bench.happen("/etc/b");
    assert_eq!(bench.pass("30m"), ["cooldown, waits"]);
    bench.happen("/etc/c");
    assert_eq!(bench.pass("30m"), ["fire /etc/c x2", "debounce"], "the final state is not lost");
    bench.occupancy = Occupancy::Running;
    bench.happen("/etc/d");
    assert_eq!(bench.pass("2h"), ["cooldown, waits", "overlap, waits"]);
    bench.occupancy = Occupancy::Idle;
    assert_eq!(bench.look(), ["fire /etc/d"]);
}

#[test]
fn an_hour_has_so_many() {
    let mut bench = Bench::new(&format!("{FILE}max-per-hour = 2"));
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    bench.pass("30m");
    assert_eq!(bench.happen("/etc/b"), ["fire /etc/b"]);
    bench.pass("20m");
    assert_eq!(bench.happen("/etc/c"), ["max-per-hour"]);
    bench.pass("10m");
    assert_eq!(bench.happen("/etc/d"), ["fire /etc/d"], "any hour, not that of the clock");
    assert_eq!(bench.happen("/etc/e"), ["max-per-hour"]);
}

#[test]
fn what_comes_often_is_told_once_a_minute() {
    let mut bench = Bench::new(&format!("{FILE}filter = \"false\""));
    let told: Vec<String> = (0..1_000).flat_map(|_| bench.happen("/etc/a")).collect();
    assert_eq!(told, ["filter"]);
    assert_eq!(bench.pass("59s"), NONE);
    assert_eq!(bench.pass("1s"), ["filter x999"]);
    assert_eq!(bench.pass("1h"), NONE);
    assert_eq!(bench.happen("/etc/a"), ["filter"]);
}

#[test]
fn too_often_trips_the_breaker() {
    let mut bench = Bench::new(&format!("{FILE}breaker = \"3/1h\""));
    for _ in 0..3 {
        bench.pass("1m");
        assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    }
    assert_eq!(bench.happen("/etc/a"), ["trip 1", "breaker"]);
    assert_eq!(bench.pass("30d"), NONE, "it stays off");
    assert_eq!(bench.happen("/etc/a"), ["breaker"], "and raises no second ticket");
    bench.off(ms("1h"));
    assert_eq!(bench.state.tripped().map(|it| it.number), Some(1), "after a restart too");
    bench.pass("1h");
    bench.state.reset();
    for _ in 0..3 {
        assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    }
    assert_eq!(bench.happen("/etc/a").first().map(String::as_str), Some("trip 2"));
}

#[test]
fn what_is_seldom_enough_never_trips() {
    let mut bench = Bench::new(&format!("{FILE}breaker = \"3/1h\""));
    for _ in 0..100 {
        assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
        bench.pass("20m");
    }
    let mut usual = Bench::new(FILE);
    let all: Vec<String> = (0..12).flat_map(|_| usual.happen("/etc/a")).collect();
    assert_eq!(all.iter().filter(|it| it.starts_with("fire")).count(), 10, "ten an hour, where nothing is written");
    let mut more = Bench::new(&format!("{FILE}max-per-hour = 20"));
    let all: Vec<String> = (0..30).flat_map(|_| more.happen("/etc/a")).collect();
    assert_eq!(all.iter().filter(|it| it.starts_with("fire")).count(), 20);
    assert!(more.state.tripped().is_none(), "who allows twenty an hour is not stopped at ten");
}

#[test]
fn a_level_fires_after_the_reset_if_it_holds() {
    let mut bench = Bench::new(&format!("{DISK}breaker = \"1/1h\""));
    assert_eq!(bench.raise("/"), ["fire /"]);
    assert_eq!(bench.raise("/home"), ["trip 1", "breaker, waits"]);
    bench.pass("5h");
    bench.state.reset();
    assert_eq!(bench.look(), ["fire /home"]);
}
