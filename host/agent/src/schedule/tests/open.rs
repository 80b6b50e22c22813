//! Rows about windows, blackouts, jitter, and an order's own beginning and end.

use contract::Class;

use super::bench::{Bench, ms, schedule_on};
use crate::{Calendars, Decision, Device, Look, Occupancy, Reason, Schedule, State, Trigger};

const DAILY: &str = "cron = \"50 2 * * *\"\nzone = \"UTC\"\n";

fn daily(more: &str) -> Bench {
    Bench::new(&format!("{DAILY}{more}"), "2027-06-01T00:00:00Z")
}

/// A device that stands in the last tenth of every jitter of the order.
fn last_device() -> Device {
    let keys = (0..=255_u8).map(|byte| [byte; 32]);
    let mut devices = keys.map(|key| Device { key, calendars: Vec::new() });
    let trigger: Trigger = toml::from_str(&format!("{DAILY}jitter = \"10s\"")).unwrap();
    devices
        .find(|device| {
            let schedule = Schedule::new(&trigger, "order", Class::L2, device).unwrap();
            schedule.verdicts().of(0).due_ms > 9_000
        })
        .unwrap()
}

#[test]
fn outside_a_window_is_left_out() {
    let mut bench = daily("allowed = [{ weekly = \"daily 03:00-05:00\" }]");
    assert_eq!(bench.through("2027-06-01T04:00:00Z"), ["window: 06-01T02:50"], "and not put off until it opens");
    assert_eq!(
        daily("allowed = [{ weekly = \"daily 02:00-05:00\" }]").through("2027-06-01T04:00:00Z"),
        ["fire 06-01T02:50"]
    );
}

#[test]
fn a_blackout_wins() {
    let both = "allowed = [{ weekly = \"daily 02:00-05:00\" }]\nblackout = [{ name = \"freeze\", dates = \"2027-06-01/2027-06-01\" }]";
    let fired = daily(both).through("2027-06-02T04:00:00Z");
    assert_eq!(fired, ["blackout freeze: 06-01T02:50", "fire 06-02T02:50"]);
}

#[test]
fn windows_are_for_classes() {
    let trigger = format!(
        "{DAILY}allowed = [{{ weekly = \"daily 03:00-05:00\", classes = [\"L3\", \"L4\"] }}]\n\
         blackout = [{{ weekly = \"daily 00:00-24:00\", classes = [\"L4\"] }}]"
    );
    let fired = |class| {
        let schedule = schedule_on(&trigger, class, &Device::default());
        Bench::of(schedule, "2027-06-01T00:00:00Z").through("2027-06-01T04:00:00Z")
    };
    assert_eq!(fired(Class::L1), ["fire 06-01T02:50"]);
    assert_eq!(fired(Class::L3), ["window: 06-01T02:50"]);
    assert_eq!(fired(Class::L4), ["blackout -: 06-01T02:50"]);
}

#[test]
fn the_device_has_windows_too() {
    let fired = |calendars: &str| {
        let calendars: Calendars = toml::from_str(calendars).unwrap();
        let device = Device { calendars: vec![calendars], ..Device::default() };
        let trigger = format!("{DAILY}allowed = [{{ weekly = \"daily 02:00-05:00\" }}]");
        Bench::of(schedule_on(&trigger, Class::L2, &device), "2027-06-01T00:00:00Z").through("2027-06-01T04:00:00Z")
    };
    assert_eq!(fired("zone = \"UTC\""), ["fire 06-01T02:50"]);
    assert_eq!(fired("zone = \"UTC\"\nallowed = [{ weekly = \"daily 01:00-02:00\" }]"), ["window: 06-01T02:50"]);
    assert_eq!(fired("zone = \"Europe/Berlin\"\nallowed = [{ weekly = \"daily 04:00-05:00\" }]"), ["fire 06-01T02:50"]);
    assert_eq!(fired("zone = \"UTC\"\nblackout = [{ weekly = \"tue 00:00-03:00\" }]"), ["blackout -: 06-01T02:50"]);
}

#[test]
fn jitter_is_squeezed_into_what_is_left() {
    let due = |more: &str| {
        let schedule = schedule_on(&format!("{DAILY}jitter = \"1h\"\n{more}"), Class::L2, &last_device());
        let verdict = schedule.verdicts().of(ms("2027-06-01T02:50:00Z"));
        assert_eq!(verdict.refused, None);
        (verdict.due_ms - ms("2027-06-01T02:50:00Z")) / 1_000
    };
    let minutes = |from: i64, to: i64| from * 54..to * 60;
    assert!(minutes(60, 60).contains(&due("")), "nine tenths of an hour or more");
    assert!(minutes(10, 10).contains(&due("allowed = [{ weekly = \"daily 02:00-03:00\" }]")));
    assert!(minutes(20, 20).contains(&due("blackout = [{ weekly = \"daily 03:10-03:15\" }]")), "not after it either");
    assert!(minutes(5, 5).contains(&due("expires = \"2027-06-01T02:55:00Z\"")));
    assert!(
        minutes(60, 60)
            .contains(&due("allowed = [{ weekly = \"daily 02:00-03:00\" }, { weekly = \"daily 03:00-09:00\" }]"))
    );
}

#[test]
fn what_is_caught_up_is_spread_too() {
    let start = |more: &str, now: &str| {
        let schedule = schedule_on(&format!("{DAILY}jitter = \"1h\"\n{more}"), Class::L2, &last_device());
        let look = Look { now_ms: ms(now), elapsed: None, occupancy: Occupancy::Idle, is_paused: false };
        let seen = schedule.due(&mut State::new(ms("2027-06-01T00:00:00Z")), &look);
        match &seen.decisions[..] {
            [Decision::Fire(firing)] => (firing.start_ms - ms(now)) / 1_000,
            other => panic!("{other:?}"),
        }
    };
    assert!((54 * 60..60 * 60).contains(&start("", "2027-06-01T08:00:00Z")), "from when it is noticed");
    let window = "allowed = [{ weekly = \"daily 02:00-08:10\" }]";
    assert!((9 * 60..10 * 60).contains(&start(window, "2027-06-01T08:00:00Z")), "inside the window");
}

#[test]
fn jitter_stays_after_a_restart() {
    let trigger = format!("{DAILY}jitter = \"1h\"");
    let make = || schedule_on(&trigger, Class::L2, &last_device());
    let coming = |schedule: &Schedule, state: &State| schedule.next(state, ms("2027-06-01T00:00:00Z"), 3);
    let mut bench = Bench::of(make(), "2027-06-01T00:00:00Z");
    let before = coming(&bench.schedule, &bench.state);
    bench.restarted_at("2027-06-01T01:00:00Z");
    bench.schedule = make();
    assert_eq!(coming(&bench.schedule, &bench.state), before);
    assert_eq!(before[1].due_ms - before[0].due_ms, 86_400_000);
    assert_eq!(bench.at("2027-06-01T03:00:00Z"), [""; 0], "the pattern's time is not this device's");
    assert_eq!(bench.through("2027-06-01T04:00:00Z"), ["fire 06-01T02:50"]);
}

#[test]
fn a_window_that_closed_meanwhile() {
    let mut bench = daily("allowed = [{ weekly = \"daily 02:00-02:51\" }]");
    assert_eq!(bench.at("2027-06-01T02:51:00Z"), ["window: 06-01T02:50"], "on time, but too late for the window");
    let mut bench = daily("allowed = [{ weekly = \"daily 02:00-02:51\" }]");
    assert_eq!(bench.at("2027-06-01T02:50:59Z"), ["fire 06-01T02:50"]);
}

#[test]
fn nothing_is_caught_up_outside_a_window() {
    let window = "misfire = \"run-once\"\nallowed = [{ weekly = \"daily 02:00-05:00\" }]";
    assert_eq!(daily(window).slept_until("2027-06-01T05:00:00Z"), ["window: 06-01T02:50"]);
    assert_eq!(daily(window).slept_until("2027-06-01T04:59:00Z"), ["fire 06-01T02:50 late"]);
    let blackout = "blackout = [{ name = \"day\", weekly = \"daily 08:00-18:00\" }]";
    assert_eq!(daily(blackout).slept_until("2027-06-01T09:00:00Z"), ["blackout day: 06-01T02:50"]);
}

#[test]
fn what_was_not_allowed_is_not_caught_up() {
    let window = "misfire = \"run-all(9)\"\nallowed = [{ weekly = \"wed 00:00-24:00\" }]";
    let slept = daily(window).slept_until("2027-06-02T04:00:00Z");
    assert_eq!(slept, ["window: 06-01T02:50", "fire 06-02T02:50 late"]);
}

#[test]
fn before_the_start_and_after_the_end() {
    let mut bench = daily("start = \"2027-06-02T00:00:00Z\"\nexpires = \"2027-06-04T00:00:00Z\"");
    assert_eq!(bench.schedule.wake_ms(&bench.state, ms("2027-06-01T00:00:00Z")), Some(ms("2027-06-02T02:50:00Z")));
    let all = ["not-started: 06-01T02:50", "fire 06-02T02:50", "fire 06-03T02:50", "expired: 06-04T02:50"];
    assert_eq!(bench.through("2027-06-04T12:00:00Z"), all);
    assert_eq!(bench.schedule.wake_ms(&bench.state, ms("2027-06-04T12:00:00Z")), None);
}

#[test]
fn an_order_that_expired_catches_nothing_up() {
    let expires = "expires = \"2027-06-01T12:00:00Z\"";
    assert_eq!(daily(expires).slept_until("2027-06-01T12:00:00Z"), ["expired: 06-01T02:50"]);
    assert_eq!(daily(expires).slept_until("2027-06-01T11:59:00Z"), ["fire 06-01T02:50 late"]);
}

#[test]
fn whoever_waits_asks_again() {
    let schedule = schedule_on(
        &format!("{DAILY}expires = \"2027-06-05T00:00:00Z\"\nallowed = [{{ weekly = \"daily 02:00-05:00\" }}]"),
        Class::L2,
        &Device::default(),
    );
    assert_eq!(schedule.admits(ms("2027-06-01T04:59:59Z")), Ok(()));
    assert_eq!(schedule.admits(ms("2027-06-01T05:00:00Z")), Err(Reason::Window));
    assert_eq!(schedule.admits(ms("2027-06-05T03:00:00Z")), Err(Reason::Expired));
}

#[test]
fn what_comes_is_listed_with_what_speaks_against_it() {
    let window = "start = \"2027-06-02T00:00:00Z\"\nexpires = \"2027-06-06T00:00:00Z\"\nallowed = [{ weekly = \"daily 02:00-05:00\" }]\n\
        blackout = [{ name = \"freeze\", dates = \"2027-06-03/2027-06-03\" }]";
    let mut bench = daily(window);
    let coming = |bench: &Bench, from: &str| -> Vec<(i64, Option<&'static str>)> {
        let coming = bench.schedule.next(&bench.state, ms(from), 6);
        coming.iter().map(|it| (it.nominal_ms, it.refused.as_ref().map(Reason::code))).collect()
    };
    let day = |day: i64| ms("2027-06-01T02:50:00Z") + (day - 1) * 86_400_000;
    let all = [
        (day(1), Some("not-started")),
        (day(2), None),
        (day(3), Some("blackout")),
        (day(4), None),
        (day(5), None),
        (day(6), Some("expired")),
    ];
    assert_eq!(coming(&bench, "2027-06-01T00:00:00Z"), all);
    bench.through("2027-06-04T12:00:00Z");
    assert_eq!(coming(&bench, "2027-06-04T00:00:00Z")[..2], all[4..], "what has been does not come");
}
