//! Rows about clocks that are set, machines that sleep, and agents that are not there.

use super::bench::{Bench, ms};
use crate::GRACE_MS;

const HOURLY: &str = "cron = \"0 * * * *\"\nzone = \"UTC\"\nmisfire = ";

fn hourly(misfire: &str) -> Bench {
    Bench::new(&format!("{HOURLY}\"{misfire}\""), "2027-06-01T00:30:00Z")
}

#[test]
fn a_minute_late_is_on_time() {
    for misfire in ["skip", "run-once", "run-all(3)"] {
        assert_eq!(hourly(misfire).at("2027-06-01T01:00:59.999Z"), ["fire 06-01T01:00"], "{misfire}");
    }
    assert_eq!(hourly("skip").at("2027-06-01T01:01:00Z"), ["missed (Busy): 06-01T01:00"]);
    assert_eq!(GRACE_MS, 60_000);
}

#[test]
fn set_forward_an_hour() {
    let mut bench = hourly("skip");
    assert_eq!(bench.set_to("2027-06-01T01:30:00Z"), ["missed (ClockSet): 06-01T01:00"]);
    assert_eq!(bench.clock_set_ms, Some(3_599_000));
    assert_eq!(bench.through("2027-06-01T02:30:00Z"), ["fire 06-01T02:00"]);
    assert_eq!(bench.clock_set_ms, None);
    assert_eq!(hourly("run-once").set_to("2027-06-01T01:30:00Z"), ["fire 06-01T01:00 late"]);
    assert_eq!(hourly("skip").set_to("2027-06-01T01:00:30Z"), ["fire 06-01T01:00"], "it is no minute late");
}

#[test]
fn set_forward_a_year() {
    let mut bench = hourly("run-all(2)");
    let missed = "missed (ClockSet): 8758 from 06-01T01:00 to 05-30T22:00";
    let late = ["fire 05-30T23:00 late", "fire 05-31T00:00 late, queued"];
    assert_eq!(bench.set_to("2028-05-31T00:30:00Z"), [missed, late[0], late[1]]);
}

#[test]
fn set_back_an_hour() {
    let mut bench = hourly("run-all(9)");
    assert_eq!(bench.through("2027-06-01T02:10:00Z"), ["fire 06-01T01:00", "fire 06-01T02:00"]);
    assert_eq!(bench.set_to("2027-06-01T01:10:00Z"), [""; 0]);
    assert_eq!(bench.clock_set_ms, Some(-3_601_000));
    assert_eq!(bench.through("2027-06-01T03:10:00Z"), ["fire 06-01T03:00"], "02:00 is there again, and was");
}

#[test]
fn what_was_decided_on_time_stays_so() {
    let mut bench = hourly("run-once");
    bench.is_paused = true;
    assert_eq!(bench.at("2027-06-01T01:00:00Z"), ["paused: 06-01T01:00"]);
    bench.is_paused = false;
    assert_eq!(bench.set_to("2027-06-01T00:10:00Z"), [""; 0]);
    assert_eq!(bench.through("2027-06-01T02:10:00Z"), ["fire 06-01T02:00"]);
    bench.occupancy = crate::Occupancy::Running;
    assert_eq!(bench.at("2027-06-01T03:00:00Z"), ["overlap: 06-01T03:00"]);
    bench.occupancy = crate::Occupancy::Idle;
    bench.set_to("2027-06-01T02:10:00Z");
    assert_eq!(bench.through("2027-06-01T03:10:00Z"), [""; 0]);
    let window = "cron = \"0 * * * *\"\nzone = \"UTC\"\nallowed = [{ weekly = \"daily 02:00-05:00\" }]";
    let mut bench = Bench::new(window, "2027-06-01T00:30:00Z");
    assert_eq!(bench.at("2027-06-01T01:00:00Z"), ["window: 06-01T01:00"]);
    bench.set_to("2027-06-01T00:10:00Z");
    assert_eq!(bench.through("2027-06-01T01:10:00Z"), [""; 0], "nor is it told twice");
}

#[test]
fn what_was_missed_comes_again() {
    let mut bench = hourly("skip");
    assert_eq!(bench.slept_until("2027-06-01T02:10:00Z"), ["missed (Suspended): 2 from 06-01T01:00 to 06-01T02:00"]);
    assert_eq!(bench.set_to("2027-06-01T01:30:00Z"), [""; 0]);
    assert_eq!(bench.through("2027-06-01T03:10:00Z"), ["fire 06-01T02:00", "fire 06-01T03:00"]);
    // What was caught up does not.
    let mut bench = hourly("run-once");
    let caught_up = ["missed (Suspended): 06-01T01:00", "fire 06-01T02:00 late"];
    assert_eq!(bench.slept_until("2027-06-01T02:10:00Z"), caught_up);
    assert_eq!(bench.set_to("2027-06-01T00:30:00Z"), [""; 0]);
    assert_eq!(bench.through("2027-06-01T03:10:00Z"), ["fire 06-01T01:00", "fire 06-01T03:00"]);
}

#[test]
fn set_back_a_year() {
    let mut bench = hourly("run-once");
    assert_eq!(bench.through("2027-06-01T02:10:00Z").len(), 2);
    assert_eq!(bench.set_to("2026-06-01T02:10:00Z"), [""; 0]);
    assert_eq!(bench.through("2026-06-01T04:10:00Z"), ["fire 06-01T03:00", "fire 06-01T04:00"], "it goes on at once");
    let back = bench.set_to("2027-06-01T02:30:00Z");
    assert_eq!(back, ["missed (ClockSet): 8755 from 06-01T05:00 to 05-31T23:00", "fire 06-01T00:00 late"]);
    assert_eq!(bench.through("2027-06-01T03:10:00Z"), ["fire 06-01T03:00"]);
}

#[test]
fn a_year_ahead_and_back() {
    let mut bench = hourly("run-once");
    assert_eq!(bench.set_to("2028-06-01T00:30:00Z").last().unwrap(), "fire 06-01T00:00 late");
    assert_eq!(bench.through("2028-06-01T02:30:00Z"), ["fire 06-01T01:00", "fire 06-01T02:00"]);
    assert_eq!(bench.set_to("2027-06-01T02:30:00Z"), [""; 0]);
    assert_eq!(
        bench.through("2027-06-01T04:30:00Z"),
        ["fire 06-01T03:00", "fire 06-01T04:00"],
        "not silent for a year"
    );
    // A year later, the three hours that it has been in are over.
    bench.restarted_at("2028-05-31T22:30:00Z");
    assert_eq!(bench.through("2028-06-01T03:30:00Z"), ["fire 05-31T23:00", "fire 06-01T03:00"]);
}

#[test]
fn set_back_before_the_order_came() {
    let mut bench = hourly("run-all(9)");
    assert_eq!(bench.set_to("2027-05-31T20:30:00Z"), [""; 0]);
    assert_eq!(bench.through("2027-05-31T21:30:00Z"), ["fire 05-31T21:00"]);
}

#[test]
fn seconds_back_repeat_nothing() {
    let mut bench = hourly("run-all(9)");
    assert_eq!(bench.at("2027-06-01T01:00:00Z"), ["fire 06-01T01:00"]);
    for step in 0..50 {
        assert_eq!(bench.set_to(&format!("2027-06-01T00:59:{:02}Z", 59 - step % 30)), [""; 0]);
        assert_eq!(bench.at(&format!("2027-06-01T01:00:{:02}Z", step % 60)), [""; 0]);
    }
}

#[test]
fn suspended_is_missed() {
    let slept = |misfire: &str| hourly(misfire).slept_until("2027-06-01T03:30:00Z");
    assert_eq!(slept("skip"), ["missed (Suspended): 3 from 06-01T01:00 to 06-01T03:00"]);
    assert_eq!(slept("run-once"), ["missed (Suspended): 2 from 06-01T01:00 to 06-01T02:00", "fire 06-01T03:00 late"]);
    let mut bench = hourly("skip");
    assert_eq!(bench.slept_until("2027-06-01T00:59:00Z"), [""; 0]);
    assert_eq!(bench.through("2027-06-01T01:30:00Z"), ["fire 06-01T01:00"], "asleep while nothing was due");
}

#[test]
fn not_running_is_missed() {
    let down = |misfire: &str| hourly(misfire).restarted_at("2027-06-01T03:30:00Z");
    assert_eq!(down("skip"), ["missed (NotRunning): 3 from 06-01T01:00 to 06-01T03:00"]);
    assert_eq!(down("run-all(9)")[..2], ["fire 06-01T01:00 late", "fire 06-01T02:00 late, queued"]);
    assert_eq!(
        hourly("run-once").restarted_at("2027-06-01T01:00:20Z"),
        ["fire 06-01T01:00"],
        "a quick one misses nothing"
    );
}

#[test]
fn restarts_fire_nothing_twice() {
    let mut bench = hourly("run-all(9)");
    assert_eq!(bench.at("2027-06-01T01:00:00Z"), ["fire 06-01T01:00"]);
    for second in 0..59 {
        assert_eq!(bench.restarted_at(&format!("2027-06-01T01:00:{second:02}Z")), [""; 0]);
    }
    assert_eq!(bench.restarted_at("2027-06-01T00:50:00Z"), [""; 0], "with the clock set back meanwhile");
    assert_eq!(bench.clock_set_ms, Some(-658_000));
    assert_eq!(bench.restarted_at("2027-06-01T01:30:00Z"), [""; 0]);
}

#[test]
fn a_new_order_has_no_past() {
    let mut bench = hourly("run-all(9)");
    assert_eq!(bench.at("2027-06-01T00:30:00Z"), [""; 0]);
    assert_eq!(bench.at("2027-06-01T01:00:00Z"), ["fire 06-01T01:00"]);
}

#[test]
fn a_changed_order_goes_on() {
    let mut bench = hourly("run-all(9)");
    assert_eq!(bench.through("2027-06-01T02:10:00Z").len(), 2);
    bench.schedule = super::bench::schedule("cron = \"*/15 * * * *\"\nzone = \"UTC\"\nmisfire = \"run-all(9)\"");
    assert_eq!(bench.through("2027-06-01T02:20:00Z"), ["fire 06-01T02:15"], "what it had before now is not due");
}

#[test]
fn ten_years_are_counted_and_not_walked() {
    let mut bench =
        Bench::new("cron = \"* * * * *\"\nzone = \"Europe/Berlin\"\nmisfire = \"run-all(2)\"", "2027-06-01T00:30:00Z");
    let begun = std::time::Instant::now();
    let slept = bench.slept_until("2037-06-01T00:01:30Z");
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    // 3,653 days, of which 29 minutes are left out; two are caught up, and one is on time.
    let missed = 3_653 * 1_440 - 29 - 2 - 1;
    assert_eq!(slept[0], format!("missed (Suspended): {missed} from 06-01T00:31 to 05-31T23:58"));
    assert_eq!(slept[1..], ["fire 05-31T23:59 late", "fire 06-01T00:00 late, queued", "fire 06-01T00:01, queued"]);
}

#[test]
fn clocks_of_any_age_are_survived() {
    for misfire in ["run-once", "run-all(100)"] {
        let mut bench = Bench::new(
            &format!("cron = \"* * * * *\"\nzone = \"Europe/Berlin\"\nmisfire = \"{misfire}\""),
            "1970-01-01T00:00:00Z",
        );
        for now_ms in [0, i64::MAX, i64::MIN, ms("2027-06-01T00:00:00Z"), -1, ms("9999-01-01T00:00:00Z")] {
            let look = crate::Look { now_ms, elapsed: None, occupancy: crate::Occupancy::Idle, is_paused: false };
            let seen = bench.schedule.due(&mut bench.state, &look);
            assert!(seen.decisions.len() <= 102);
            bench.schedule.wake_ms(&bench.state, now_ms);
            bench.schedule.next(&bench.state, now_ms, 3);
        }
    }
}

#[test]
fn the_oldest_of_many_holes_is_forgotten() {
    let mut bench = hourly("skip");
    // Every other hour is slept through: 40 holes.
    for day in 1..=4 {
        for hour in (2..22).step_by(2) {
            bench.slept_until(&format!("2027-06-0{day}T{hour:02}:00:00Z"));
        }
    }
    assert_eq!(bench.set_to("2027-06-01T00:30:00Z"), [""; 0]);
    assert_eq!(bench.through("2027-06-01T01:30:00Z"), ["fire 06-01T01:00"], "before all that is remembered");
    assert_eq!(bench.through("2027-06-01T04:30:00Z"), [""; 0], "forgotten");
    bench.restarted_at("2027-06-04T16:30:00Z");
    assert_eq!(bench.through("2027-06-04T17:30:00Z"), ["fire 06-04T17:00"], "not forgotten");
}
