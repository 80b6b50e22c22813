//! Rows about when anything may start.

use super::bench::{Bench, DISK, FILE};

const NONE: [&str; 0] = [];

const AFTERNOON: &str = "zone = \"UTC\"\nallowed = [{ weekly = \"daily 13:00-14:00\" }]\n";

#[test]
fn a_moment_outside_a_window_is_left_out() {
    let mut bench = Bench::new(&format!("{FILE}{AFTERNOON}"));
    assert_eq!(bench.happen("/etc/a"), ["window"]);
    assert_eq!(bench.pass("90m"), NONE);
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    let mut burst = Bench::new(&format!("{FILE}{AFTERNOON}debounce = \"10s\""));
    burst.happen("/etc/a");
    assert_eq!(burst.pass("3h"), ["window"], "a burst too");
}

#[test]
fn a_level_waits_for_its_window() {
    let mut bench = Bench::new(&format!("{DISK}{AFTERNOON}"));
    assert_eq!(bench.raise("/"), ["window, waits"]);
    assert_eq!(bench.pass("59m59s"), NONE);
    assert_eq!(bench.pass("1s"), ["fire /"], "it holds still");
    bench.clear("/");
    bench.pass("2h");
    assert_eq!(bench.raise("/"), ["window, waits"]);
    bench.clear("/");
    assert_eq!(bench.pass("2d"), NONE, "it was over before the window");
    let mut burst = Bench::new(&format!("{DISK}{AFTERNOON}debounce = \"10s\""));
    burst.raise("/");
    assert_eq!(burst.pass("2h"), ["window, waits", "fire /"]);
}

#[test]
fn a_blackout_wins() {
    let blackout = "zone = \"UTC\"\nallowed = [{ weekly = \"daily 00:00-24:00\" }]\n\
                    blackout = [{ name = \"freeze\", dates = \"2026-11-22/2026-11-22\" }]\n";
    assert_eq!(Bench::new(&format!("{FILE}{blackout}")).happen("/etc/a"), ["blackout"]);
    let mut bench = Bench::new(&format!("{DISK}{blackout}"));
    assert_eq!(bench.raise("/"), ["blackout, waits"]);
    assert_eq!(bench.pass("12h"), ["fire /"]);
}

#[test]
fn before_the_start_and_after_the_end() {
    let valid = "start = \"2026-11-22T13:00:00Z\"\nexpires = \"2026-11-22T14:00:00Z\"\n";
    let mut bench = Bench::new(&format!("{FILE}{valid}"));
    assert_eq!(bench.happen("/etc/a"), ["not-started"]);
    bench.pass("1h");
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    bench.pass("1h");
    assert_eq!(bench.happen("/etc/a"), ["expired"]);
    let mut level = Bench::new(&format!("{DISK}{valid}"));
    assert_eq!(level.raise("/"), ["not-started, waits"]);
    assert_eq!(level.pass("1h"), ["fire /"]);
    level.pass("1h");
    level.clear("/");
    assert_eq!(level.raise("/"), ["expired"]);
    level.pass("1h");
    assert_eq!(level.rule.wake_ms(&level.state, level.now_ms), None, "nothing wakes for it");
}

#[test]
fn paused_moments_are_left_out_and_levels_wait() {
    let mut bench = Bench::new(FILE);
    bench.is_paused = true;
    assert_eq!(bench.happen("/etc/a"), ["paused"]);
    bench.is_paused = false;
    assert_eq!(bench.look(), NONE);
    let mut level = Bench::new(DISK);
    level.is_paused = true;
    assert_eq!(level.raise("/"), ["paused, waits"]);
    level.pass("1h");
    level.is_paused = false;
    assert_eq!(level.look(), ["fire /"]);
}

#[test]
fn the_first_reason_is_told() {
    let all = "blackout = [{ weekly = \"daily 00:00-24:00\" }]\ncooldown = \"1h\"\nmax-per-hour = 1\n";
    let mut bench = Bench::new(&format!("{FILE}{all}zone = \"UTC\"\n"));
    bench.is_paused = true;
    assert_eq!(bench.happen("/etc/a"), ["blackout"]);
    let mut bench = Bench::new(&format!("{FILE}cooldown = \"1h\"\nmax-per-hour = 1\nbreaker = \"1/1h\"\n"));
    bench.happen("/etc/a");
    assert_eq!(bench.happen("/etc/a"), ["cooldown"], "what ends by itself comes before the breaker");
    bench.is_paused = true;
    assert_eq!(bench.happen("/etc/a"), ["paused"]);
    assert_eq!(bench.pass("2h"), ["cooldown"; 0]);
}

#[test]
fn whoever_waits_asks_again() {
    let bench = Bench::new(&format!("{DISK}{AFTERNOON}"));
    assert_eq!(bench.rule.admits(bench.now_ms).map_err(|it| it.code()), Err("window"));
    assert_eq!(bench.rule.admits(bench.now_ms + 3_600_000), Ok(()));
}
