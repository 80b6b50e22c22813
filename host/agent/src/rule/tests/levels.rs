//! Rows about what begins to hold, and no longer does.

use serde_json::json;

use super::bench::{Bench, DISK, ms, rule};
use crate::{Change, Occupancy};

const NONE: [&str; 0] = [];

fn sustained() -> Bench {
    Bench::new(&format!("{DISK}for = \"5m\""))
}

#[test]
fn what_stays_raised_fires_once() {
    let mut bench = Bench::new(DISK);
    assert_eq!(bench.raise("/"), ["fire /"]);
    assert_eq!(bench.raise("/"), NONE);
    assert_eq!(bench.pass("2d"), NONE);
    assert_eq!(bench.clear("/"), NONE);
    assert_eq!(bench.raise("/"), ["fire /"], "again only after a clear");
    assert_eq!(bench.clear("/home"), NONE, "what was never raised is cleared in vain");
}

#[test]
fn subjects_are_apart() {
    let mut bench = Bench::new(DISK);
    assert_eq!(bench.raise("/"), ["fire /"]);
    assert_eq!(bench.raise("/home"), ["fire /home"]);
    bench.clear("/");
    assert_eq!(bench.raise("/home"), NONE);
    assert_eq!(bench.raise("/"), ["fire /"]);
}

#[test]
fn a_level_must_hold() {
    let mut bench = sustained();
    assert_eq!(bench.raise("/"), NONE);
    assert_eq!(bench.pass("4m59s"), NONE);
    assert_eq!(bench.pass("1s"), ["fire /"]);
    bench.clear("/");
    assert_eq!(bench.raise("/"), NONE);
    bench.pass("4m");
    assert_eq!(bench.clear("/"), ["for"]);
    assert_eq!(bench.raise("/"), NONE, "from nothing again");
    assert_eq!(bench.pass("4m"), NONE);
    assert_eq!(bench.pass("1m"), ["fire /"]);
}

#[test]
fn the_last_of_a_level_counts() {
    let mut bench = sustained();
    bench.notice("/", Change::Raised, json!({ "free": 9 }));
    bench.pass("4m");
    bench.notice("/", Change::Raised, json!({ "free": 3 }));
    assert_eq!(bench.pass("1m"), ["fire /"]);
    assert_eq!(bench.fired[0].event.data["free"], 3);
}

#[test]
fn a_filter_that_changes_its_mind_is_a_clear() {
    let mut bench = Bench::new(&format!("{DISK}for = \"5m\"\nfilter = \"event.data.free < 5\""));
    let raise = |bench: &mut Bench, free: i32| bench.notice("/", Change::Raised, json!({ "free": free }));
    assert_eq!(raise(&mut bench, 8), ["filter"]);
    assert_eq!(raise(&mut bench, 4), NONE);
    bench.pass("4m");
    assert_eq!(raise(&mut bench, 6), ["filter"]);
    assert_eq!(bench.pass("10m"), NONE, "it holds no more");
    assert_eq!(raise(&mut bench, 4), NONE);
    assert_eq!(bench.pass("5m"), ["fire /"]);
}

#[test]
fn a_level_waits_until_it_may() {
    let mut bench = Bench::new(&format!("{DISK}cooldown = \"1h\""));
    assert_eq!(bench.raise("/"), ["fire /"]);
    bench.clear("/");
    assert_eq!(bench.raise("/"), ["cooldown, waits"]);
    assert_eq!(bench.pass("59m"), NONE, "told once");
    assert_eq!(bench.pass("1m"), ["fire /"]);
    bench.clear("/");
    bench.raise("/");
    bench.clear("/");
    assert_eq!(bench.pass("2h"), NONE, "what was cleared waits no more");
}

#[test]
fn a_level_waits_for_its_own_run() {
    let mut bench = Bench::new(DISK);
    bench.occupancy = Occupancy::Running;
    assert_eq!(bench.raise("/"), ["overlap, waits"]);
    assert_eq!(bench.pass("10m"), NONE);
    bench.occupancy = Occupancy::Idle;
    assert_eq!(bench.look(), ["fire /"]);
    let mut queued = Bench::new(&format!("{DISK}overlap = \"queue\""));
    queued.occupancy = Occupancy::Running;
    assert_eq!(queued.raise("/"), ["fire /, queue"]);
    let mut replacing = Bench::new(&format!("{DISK}overlap = \"replace\""));
    replacing.occupancy = Occupancy::Waiting;
    assert_eq!(replacing.raise("/"), ["fire /, replace"]);
}

#[test]
fn levels_at_one_moment_meet_each_other() {
    let mut bench = Bench::new(&format!("{DISK}for = \"1m\""));
    bench.raise("/");
    bench.raise("/home");
    assert_eq!(bench.pass("1m"), ["fire /", "overlap, waits"], "the first is under way for the second");
}

#[test]
fn many_subjects_forget_the_oldest() {
    let mut bench = Bench::new(&format!("{DISK}for = \"1h\""));
    for number in 0..128 {
        assert_eq!(bench.raise(&format!("/{number}")), NONE);
    }
    assert_eq!(bench.raise("/128"), ["crowded"]);
    assert_eq!(bench.state.levels.len(), 128);
    assert_eq!(bench.state.levels[0].subject, "/1");
    let large = json!({ "text": "x".repeat(60_000) });
    for number in 0..4 {
        bench.notice(&format!("/{number}"), Change::Raised, large.clone());
    }
    assert_eq!(bench.state.levels.len(), 128, "four of 64 KiB fit");
    bench.notice("/200", Change::Raised, large);
    assert!(bench.state.levels_bytes() <= 256 << 10);
}

#[test]
fn the_time_while_the_agent_was_away_counts_if_it_still_holds() {
    let away = |minutes: &str| {
        let mut bench = sustained();
        bench.raise("/");
        bench.pass("2m");
        assert_eq!(bench.off(ms(minutes)), NONE, "nothing before somebody saw it again");
        bench
    };
    assert_eq!(away("10m").raise("/"), ["fire /"]);
    let mut short = away("1m");
    assert_eq!(short.raise("/"), NONE);
    assert_eq!(short.pass("1m59s"), NONE);
    assert_eq!(short.pass("1s"), ["fire /"]);
}

#[test]
fn what_is_not_raised_again_after_a_start_is_over() {
    let mut bench = sustained();
    bench.raise("/");
    bench.off(ms("1m"));
    assert_eq!(bench.pass("9m59s"), NONE);
    assert_eq!(bench.pass("1s"), ["for"]);
    assert_eq!(bench.raise("/"), NONE);
    assert_eq!(bench.pass("5m"), ["fire /"], "a new one");
    bench.off(ms("1m"));
    assert_eq!(bench.raise("/"), NONE, "it fired, and still holds");
    bench.off(ms("1m"));
    bench.pass("10m");
    assert_eq!(bench.raise("/"), NONE);
    assert_eq!(bench.pass("5m"), ["fire /"], "it fired, was over, and came again");
}

#[test]
fn sleep_does_not_count_as_holding() {
    let mut bench = sustained();
    bench.raise("/");
    bench.pass("2m");
    assert_eq!(bench.sleep("8h"), NONE, "nobody saw it hold");
    assert_eq!(bench.pass("2m59s"), NONE);
    assert_eq!(bench.pass("1s"), ["fire /"]);
}

#[test]
fn a_source_that_watches_anew_raises_what_holds() {
    let mut bench = sustained();
    bench.raise("/");
    bench.raise("/home");
    bench.pass("5m");
    bench.state.watch_anew();
    assert_eq!(bench.raise("/"), NONE, "it fired, and holds still");
    bench.pass("10m");
    assert_eq!(bench.raise("/home"), NONE);
    assert_eq!(bench.pass("5m"), ["fire /home"], "that one was cleared meanwhile, and came again");
}

#[test]
fn a_changed_watch_begins_anew() {
    let mut bench = Bench::new(DISK);
    assert_eq!(bench.raise("/"), ["fire /"]);
    bench.rule = rule(&format!("{DISK}cooldown = \"1h\""), "order");
    assert_eq!(bench.raise("/"), NONE, "the same is watched");
    bench.rule = rule(&DISK.replace("10%", "20%"), "order");
    assert_eq!(bench.raise("/"), ["fire /"], "another level");
    assert_eq!(bench.state.firings, 2, "and the same order");
}
