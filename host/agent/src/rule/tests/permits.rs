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

/// A device of this number, with a rule that may have `jitter`.
fn device(number: u8, trigger: &str) -> Bench {
    let trigger: crate::EventTrigger = toml::from_str(trigger).unwrap();
    let device = crate::Device { key: [number; 32], ..crate::Device::default() };
    Bench::of(crate::Rule::new(&trigger, "order", contract::Class::L2, &device).unwrap())
}

/// How many seconds after 13:00 it fires what was raised at noon.
fn fires_s(mut bench: Bench, restarts: bool) -> i64 {
    assert_eq!(bench.raise("/"), ["window, waits"]);
    bench.pass("60m");
    if restarts {
        bench.off(0);
        bench.raise("/");
    }
    for second in 0..3_600 {
        if !bench.fired.is_empty() {
            return second;
        }
        bench.pass("1s");
    }
    panic!("it never fires");
}

#[test]
fn devices_that_wait_for_one_window_are_spread() {
    let jitter = format!("{DISK}jitter = \"20m\"\n{AFTERNOON}");
    let places: Vec<i64> = (0..20).map(|number| fires_s(device(number, &jitter), false)).collect();
    assert!(places.iter().all(|place| (0..=1_201).contains(place)), "{places:?}");
    let distinct: std::collections::BTreeSet<i64> = places.iter().map(|place| place / 60).collect();
    assert!(distinct.len() >= 10, "{places:?}");
    for number in 0..5 {
        let again = fires_s(device(number, &jitter), true);
        assert!((places[usize::from(number)] - again).abs() <= 1, "it stays: {again}, {places:?}");
        let plain = fires_s(device(number, &format!("{DISK}{AFTERNOON}")), false);
        assert!(plain <= 1, "the control: {plain}");
    }
    // An opening that is shorter than the jitter has all of them in it.
    let wide = format!("{DISK}jitter = \"24h\"\n{AFTERNOON}");
    let places: Vec<i64> = (0..20).map(|number| fires_s(device(number, &wide), false)).collect();
    assert!(places.iter().any(|place| *place > 1_800), "{places:?}");
    let mut burst = device(3, &format!("{DISK}jitter = \"20m\"\ndebounce = \"10s\"\n{AFTERNOON}"));
    burst.raise("/");
    assert_eq!(burst.pass("60m"), ["window, waits"]);
    assert_eq!(burst.pass("2s"), NONE, "bursts of them too");
    assert_eq!(burst.pass("20m"), ["fire /"]);
}

#[test]
fn what_is_raised_in_a_window_is_not_put_off() {
    let mut bench = device(1, &format!("{DISK}jitter = \"20m\"\n{AFTERNOON}"));
    bench.pass("70m");
    assert_eq!(bench.raise("/"), ["fire /"]);
    let mut waited = device(1, &format!("{DISK}jitter = \"20m\"\n{AFTERNOON}"));
    waited.raise("/");
    waited.pass("60m");
    assert_eq!(waited.raise("/home"), ["fire /home"], "the other one waits for its place");
    assert_eq!(waited.pass("20m"), ["fire /"]);
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
