//! Rows about clocks that are set, restarts and sleep.

use super::bench::{Bench, DISK, FILE, NOON_MS, ms};

const NONE: [&str; 0] = [];

const HOUR: i64 = 3_600_000;

const YEAR: i64 = 365 * 24 * HOUR;

#[test]
fn clocks_that_are_set_change_no_waiting() {
    for by_ms in [HOUR, -HOUR, YEAR, -YEAR] {
        let mut bench = Bench::new(&format!("{DISK}for = \"5m\"\ncooldown = \"1h\""));
        bench.raise("/");
        bench.pass("2m");
        assert_eq!(bench.set_by(by_ms), NONE);
        assert_eq!(bench.pass("2m59s"), NONE, "{by_ms}");
        assert_eq!(bench.pass("1s"), ["fire /"], "{by_ms}");
        bench.clear("/");
        bench.raise("/");
        bench.pass("30m");
        assert_eq!(bench.set_by(by_ms), NONE);
        assert_eq!(bench.pass("29m59s"), NONE, "{by_ms}");
        assert_eq!(bench.pass("1s"), ["fire /"], "{by_ms}");
    }
}

#[test]
fn bursts_and_quotas_know_no_clock_on_the_wall() {
    for by_ms in [HOUR, -HOUR, YEAR, -YEAR] {
        let mut bench = Bench::new(&format!("{FILE}debounce = \"10s\"\nmax-per-hour = 1"));
        bench.happen("/etc/a");
        bench.set_by(by_ms);
        assert_eq!(bench.pass("9s"), NONE);
        assert_eq!(bench.pass("1s"), ["fire /etc/a"]);
        bench.happen("/etc/b");
        bench.set_by(by_ms);
        assert_eq!(bench.pass("59m59s"), ["max-per-hour, waits"]);
        assert_eq!(bench.pass("1s"), ["fire /etc/b"]);
    }
}

#[test]
fn windows_follow_the_clock_on_the_wall() {
    let afternoon = "zone = \"UTC\"\nallowed = [{ weekly = \"daily 13:00-14:00\" }]";
    let mut bench = Bench::new(&format!("{DISK}{afternoon}"));
    assert_eq!(bench.raise("/"), ["window, waits"]);
    assert_eq!(bench.set_by(HOUR), ["fire /"]);
}

#[test]
fn what_waits_survives_restarts() {
    let mut bench = Bench::new(&format!("{FILE}debounce = \"10m\""));
    bench.happen("/etc/a");
    bench.pass("4m");
    bench.off(ms("5m"));
    assert_eq!(bench.pass("59s"), NONE);
    assert_eq!(bench.pass("1s"), ["fire /etc/a"], "the time away counts");
    let mut bench = Bench::new(&format!("{FILE}cooldown = \"1h\"\nmax-per-hour = 5"));
    bench.happen("/etc/a");
    bench.off(ms("59m"));
    assert_eq!(bench.happen("/etc/a"), ["cooldown"]);
    bench.off(ms("1m"));
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    assert_eq!(bench.state.firings, 2);
}

#[test]
fn a_clock_set_back_while_away_stands_still() {
    for by_ms in [-HOUR, -YEAR] {
        let mut bench = Bench::new(&format!("{FILE}cooldown = \"1h\""));
        assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
        bench.pass("30m");
        assert_eq!(bench.off(by_ms), NONE);
        assert_eq!(bench.happen("/etc/a"), ["cooldown"]);
        assert_eq!(bench.pass("30m"), NONE);
        assert_eq!(bench.happen("/etc/a"), ["fire /etc/a", "cooldown"][..1], "{by_ms}");
    }
}

#[test]
fn a_clock_set_forward_while_away_ends_what_waits() {
    let mut bench = Bench::new(&format!("{FILE}cooldown = \"1h\""));
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
    bench.off(YEAR);
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"], "nobody can tell that from a year");
}

#[test]
fn sleep_counts_for_all_but_levels() {
    let mut bench = Bench::new(&format!("{FILE}debounce = \"10s\""));
    bench.happen("/etc/a");
    assert_eq!(bench.sleep("8h"), ["fire /etc/a"]);
    let mut bench = Bench::new(&format!("{FILE}cooldown = \"1h\""));
    bench.happen("/etc/a");
    bench.sleep("1h");
    assert_eq!(bench.happen("/etc/a"), ["fire /etc/a"]);
}

#[test]
fn clocks_of_any_age_are_survived() {
    for now_ms in [i64::MIN, -1, 0, i64::MAX] {
        let mut bench = Bench::new(&format!(
            "{DISK}for = \"5m\"\nzone = \"UTC\"\nallowed = [{{ weekly = \"daily 01:00-02:00\" }}]"
        ));
        bench.now_ms = now_ms;
        bench.raise("/");
        bench.state.awake_ms += 600_000;
        bench.look();
        assert!(bench.rule.wake_ms(&bench.state, now_ms).is_some());
        bench.off(0);
        bench.now_ms = NOON_MS;
        bench.off(0);
        bench.raise("/");
    }
}

#[test]
fn restarts_fire_nothing_twice() {
    let mut bench = Bench::new(DISK);
    assert_eq!(bench.raise("/"), ["fire /"]);
    for by_ms in [0, HOUR, -HOUR, YEAR, -YEAR, 1] {
        bench.off(by_ms);
        assert_eq!(bench.raise("/"), NONE, "what holds is raised at each start");
    }
}
