//! Rows about the clocks of a country.

use jiff::tz::{TimeZone, offset};

use super::bench::{Bench, ms, schedule};

const BERLIN: &str = "zone = \"Europe/Berlin\"\n";

/// What fires between two moments, where somebody always looks.
fn fired(trigger: &str, from: &str, until: &str) -> Vec<String> {
    Bench::new(trigger, from).through(until)
}

/// The night before 2027-03-28 from 01:00 to 05:00 in Berlin: 02:00 is 03:00.
fn spring(cron: &str) -> Vec<String> {
    fired(&format!("cron = \"{cron}\"\n{BERLIN}"), "2027-03-27T23:59:59Z", "2027-03-28T03:00:00Z")
}

/// The night before 2027-10-31 from 01:00 to 05:00 in Berlin: 03:00 is 02:00.
fn autumn(cron: &str) -> Vec<String> {
    fired(&format!("cron = \"{cron}\"\n{BERLIN}"), "2027-10-30T22:59:59Z", "2027-10-31T04:00:00Z")
}

#[test]
fn gap_moves_times_of_day() {
    assert_eq!(spring("30 2 * * *"), ["fire 03-28T01:00"]);
    assert_eq!(spring("30 2,4 * * *"), ["fire 03-28T01:00", "fire 03-28T02:30"]);
    assert_eq!(spring("*/20 2 * * *"), ["fire 03-28T01:00"], "all of them once");
    assert_eq!(spring("0 2,3 * * *"), ["fire 03-28T01:00"], "and once with what is there anyway");
}

#[test]
fn gap_leaves_paces_out() {
    assert_eq!(spring("30 * * * *"), ["fire 03-28T00:30", "fire 03-28T01:30", "fire 03-28T02:30"]);
    assert_eq!(spring("30 0-23 * * *"), spring("30 * * * *"), "every hour, however it is written");
}

#[test]
fn fold_has_times_of_day_once() {
    assert_eq!(autumn("30 2 * * *"), ["fire 10-31T00:30"]);
    assert_eq!(autumn("0 */3 * * *"), ["fire 10-31T02:00"], "03:00, after both");
    assert_eq!(autumn("*/30 2 * * *"), ["fire 10-31T00:00", "fire 10-31T00:30"]);
}

#[test]
fn fold_has_paces_twice() {
    let all = ["fire 10-30T23:30", "fire 10-31T00:30", "fire 10-31T01:30", "fire 10-31T02:30", "fire 10-31T03:30"];
    assert_eq!(autumn("30 * * * *"), all);
}

#[test]
fn half_an_hour_is_a_change() {
    let day = |cron: &str, from: &str, until: &str| {
        fired(&format!("cron = \"{cron}\"\nzone = \"Australia/Lord_Howe\""), from, until)
    };
    // On 2027-10-03, 02:00 is 02:30; on 2027-04-04, 02:00 is 01:30.
    assert_eq!(day("15 2 * * *", "2027-10-02T12:00:00Z", "2027-10-02T20:00:00Z"), ["fire 10-02T15:30"]);
    assert_eq!(day("45 1 * * *", "2027-04-03T12:00:00Z", "2027-04-03T20:00:00Z"), ["fire 04-03T14:45"]);
    let paces = ["fire 04-03T14:45", "fire 04-03T15:15", "fire 04-03T16:15"];
    assert_eq!(day("45 * * * *", "2027-04-03T14:00:00Z", "2027-04-03T17:00:00Z"), paces);
}

#[test]
fn a_day_left_out_is_moved() {
    let apia = "cron = \"0 2,14 * * *\"\nzone = \"Pacific/Apia\"";
    let all = ["fire 12-30T00:00", "fire 12-30T10:00", "fire 12-30T12:00"];
    assert_eq!(fired(apia, "2011-12-29T12:00:00Z", "2011-12-30T23:00:00Z"), all);
}

#[test]
fn a_year_without_leap_day_has_none() {
    let leap = fired("cron = \"0 12 29 2 *\"\nzone = \"UTC\"", "2027-01-01T00:00:00Z", "2032-12-31T00:00:00Z");
    assert_eq!(leap, ["fire 02-29T12:00", "fire 02-29T12:00"]);
    let last = fired("cron = \"0 12 L 2 *\"\nzone = \"UTC\"", "2027-01-01T00:00:00Z", "2028-12-31T00:00:00Z");
    assert_eq!(last, ["fire 02-28T12:00", "fire 02-29T12:00"], "what one means instead");
}

#[test]
fn new_rules_of_a_zone_count_from_the_next_look() {
    let trigger = "cron = \"0 2 * * *\"\nzone = \"UTC\"\nmisfire = \"run-all(9)\"";
    let zone = |hours: i8| {
        let mut schedule = schedule(trigger);
        schedule.nominal.zone = TimeZone::fixed(offset(hours));
        schedule
    };
    // 02:00 was 00:00 in UTC; now it is 01:00, 23:00 or still the same.
    for (hours, next) in [(1, "fire 06-01T01:00"), (2, "fire 06-02T00:00"), (3, "fire 06-01T23:00")] {
        let mut bench = Bench::of(zone(2), "2027-05-31T12:00:00Z");
        assert_eq!(bench.at("2027-06-01T00:00:00Z"), ["fire 06-01T00:00"]);
        bench.schedule = zone(hours);
        assert_eq!(bench.through("2027-06-02T00:30:00Z")[..1], [next], "nothing before now comes, nor anything twice");
    }
    // What the old rules had later today is, by the new ones, over: the day is left out.
    let mut bench = Bench::of(zone(2), "2027-05-31T12:00:00Z");
    bench.at("2027-05-31T23:30:00Z");
    bench.schedule = zone(3);
    assert_eq!(bench.through("2027-06-01T22:00:00Z"), [""; 0]);
}

#[test]
fn windows_are_open_by_the_wall_clock() {
    let window = format!("cron = \"*/30 * * * *\"\n{BERLIN}allowed = [{{ weekly = \"daily 01:00-02:30\" }}]");
    let fired = |from: &str, until: &str| {
        let mut all = fired(&window, from, until);
        all.retain(|line| line.starts_with("fire"));
        all
    };
    let spring = fired("2027-03-27T23:00:00Z", "2027-03-28T04:00:00Z");
    assert_eq!(spring, ["fire 03-28T00:00", "fire 03-28T00:30"], "it ends with the gap");
    let autumn = fired("2027-10-30T22:30:00Z", "2027-10-31T04:00:00Z");
    let twice = ["fire 10-30T23:00", "fire 10-30T23:30", "fire 10-31T00:00", "fire 10-31T01:00"];
    assert_eq!(autumn, twice, "02:00 is in it, and is there twice");
}

#[test]
fn missed_in_a_gap_is_missed_once() {
    let trigger = format!("cron = \"*/20 2 * * *\"\n{BERLIN}misfire = \"run-all(9)\"");
    let mut bench = Bench::new(&trigger, "2027-03-27T23:00:00Z");
    assert_eq!(bench.slept_until("2027-03-28T08:00:00Z"), ["fire 03-28T01:00 late"]);
    let mut bench = Bench::new(&trigger, "2027-03-27T23:00:00Z");
    assert_eq!(bench.set_to("2027-03-28T08:00:00Z"), ["fire 03-28T01:00 late"]);
}

#[test]
fn missed_in_a_fold_is_counted_as_it_would_have_been() {
    let slept = |cron: &str| {
        let trigger = format!("cron = \"{cron}\"\n{BERLIN}misfire = \"skip\"");
        Bench::new(&trigger, "2027-10-30T23:59:59Z").slept_until("2027-10-31T02:59:00Z")
    };
    assert_eq!(slept("30 2 * * *"), ["missed (Suspended): 10-31T00:30"]);
    assert_eq!(slept("30 * * * *"), ["missed (Suspended): 3 from 10-31T00:30 to 10-31T02:30"]);
}

#[test]
fn set_back_in_a_fold_counts_instants() {
    // Somebody sets the clock back by hand, an hour after the country did: 02:30 is there a third time.
    let mut bench = Bench::new(&format!("cron = \"30 * * * *\"\n{BERLIN}"), "2027-10-31T00:00:00Z");
    assert_eq!(bench.through("2027-10-31T01:45:00Z"), ["fire 10-31T00:30", "fire 10-31T01:30"]);
    assert_eq!(bench.set_to("2027-10-31T00:45:00Z"), [""; 0]);
    assert_eq!(bench.through("2027-10-31T02:45:00Z"), ["fire 10-31T02:30"]);
    assert_eq!(bench.state.looked_ms(), ms("2027-10-31T02:45:00Z"));
}
