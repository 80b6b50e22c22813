//! Rows about who goes first, and about a queue that is full.

use contract::run::Mode;
use model::Outcome;

use super::bench::{Bench, ms, order};
use crate::{Limits, Order};

const MINUTE: i64 = 60_000;

fn looks() -> Order {
    order("detect", "", "overlap = \"queue\"")
}

fn changes() -> Order {
    order("enforce", "", "overlap = \"queue\"")
}

fn with_priority(priority: &str) -> Order {
    order("detect", &format!("priority = \"{priority}\""), "")
}

#[test]
fn what_looks_runs_beside_each_other() {
    let mut bench =
        Bench::with(&[("a", looks()), ("b", looks()), ("c", looks())], Limits { looking_max: 2, ..Limits::default() });
    assert_eq!(
        bench.at("01T01:00"),
        ["a: #1 queued", "b: #2 queued", "c: #3 queued", "a: #1 started", "b: #2 started"]
    );
    assert_eq!(bench.ended(2, Outcome::Completed), ["b: #2 ended: completed", "c: #3 started"]);
}

#[test]
fn what_changes_is_alone() {
    let mut bench = Bench::new(&[("a", changes()), ("b", changes()), ("c", looks())]);
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued", "b: #2 queued", "c: #3 queued", "a: #1 started"]);
    assert_eq!(bench.ended(1, Outcome::Completed), ["a: #1 ended: completed", "b: #2 started"]);
    assert_eq!(bench.ended(2, Outcome::Completed), ["b: #2 ended: completed", "c: #3 started"]);
}

#[test]
fn nobody_goes_past_what_changes() {
    let mut bench = Bench::new(&[("a", looks()), ("b", changes())]);
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued", "b: #2 queued", "a: #1 started"]);
    bench.pass(1);
    assert_eq!(bench.ask(70, Mode::Detect, None), ["#70 queued", "#70 started"], "it is of more importance");
    bench.pass(11 * MINUTE);
    assert_eq!(bench.ask(71, Mode::Detect, None), ["#71 queued"], "and this one is, but came later");
    assert!(bench.ended(1, Outcome::Completed).len() == 1 && bench.last.start.is_empty());
    assert_eq!(bench.ended(70, Outcome::Completed), ["#70 ended: completed", "b: #2 started"]);
    assert_eq!(bench.ended(2, Outcome::Completed), ["b: #2 ended: completed", "#71 started"]);
}

#[test]
fn the_important_go_first() {
    let one = Limits { looking_max: 1, ..Limits::default() };
    let orders = [("a", with_priority("low")), ("b", with_priority("normal")), ("c", with_priority("high"))];
    let mut bench = Bench::with(&orders, one);
    assert!(bench.at("01T01:00").contains(&"c: #3 started".to_owned()));
    assert!(bench.ended(3, Outcome::Completed).contains(&"b: #2 started".to_owned()));
    assert!(bench.ended(2, Outcome::Completed).contains(&"a: #1 started".to_owned()));
}

#[test]
fn who_waits_rises() {
    let waited = |minutes: i64| {
        let mut bench = Bench::with(
            &[("a", looks()), ("low", with_priority("low"))],
            Limits { looking_max: 1, ..Limits::default() },
        );
        assert!(bench.at("01T01:00").contains(&"a: #1 started".to_owned()));
        bench.pass(minutes * MINUTE);
        bench.ask(70, Mode::Detect, None);
        bench.ended(1, Outcome::Completed).pop().unwrap()
    };
    assert_eq!(waited(19), "#70 started");
    assert_eq!(waited(21), "low: #2 started");
}

#[test]
fn an_order_has_one_line() {
    let mut bench = Bench::new(&[("a", order("detect", "", "misfire = \"run-all(3)\""))]);
    bench.crash(ms("01T03:30") - ms("01T00:30"));
    assert_eq!(bench.reload(), ["a: #1 queued", "a: #2 queued", "a: #3 queued", "a: #1 started"]);
    assert_eq!(bench.ended(1, Outcome::Completed), ["a: #1 ended: completed", "a: #2 started"]);
    assert_eq!(bench.ended(2, Outcome::Trap), ["a: #2 ended: trap", "a: #3 started"]);
}

#[test]
fn a_wait_is_no_time_of_day() {
    let waits = |set_ms: i64| {
        let mut bench = Bench::new(&[("a", looks())]);
        bench.ask(60, Mode::Enforce, None);
        bench.ask(70, Mode::Detect, Some(5 * MINUTE));
        bench.pass(4 * MINUTE);
        bench.set(set_ms);
        bench.put(crate::Input::Looked);
        let before = bench.dispatcher.runs().count();
        let wake = bench.last.wake_ms.unwrap() - bench.now_ms;
        bench.pass(MINUTE);
        let told = bench.put(crate::Input::Looked);
        (before, wake, told.contains(&"#70 not started: too-late".to_owned()))
    };
    for set_ms in [0, 10 * MINUTE, -10 * MINUTE] {
        assert_eq!(waits(set_ms), (2, MINUTE, true));
    }
}

#[test]
fn by_hand_and_by_order_one_waits() {
    let mut bench = Bench::new(&[("a", changes())]);
    bench.at("01T01:00");
    assert_eq!(bench.ask(70, Mode::Enforce, None), ["#70 queued"]);
    assert_eq!(bench.ended(1, Outcome::Completed), ["a: #1 ended: completed", "#70 started"]);
    assert_eq!(bench.at("01T02:00"), ["a: #2 queued"]);
    assert_eq!(bench.ended(70, Outcome::Completed), ["#70 ended: completed", "a: #2 started"]);
}

#[test]
fn who_asked_and_is_gone_is_not_served() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.ask(70, Mode::Enforce, None), ["#70 queued", "#70 started"]);
    assert_eq!(bench.ask(71, Mode::Enforce, None), ["#71 queued"]);
    assert_eq!(bench.put(crate::Input::Gone(super::bench::run(71))), ["#71 not started: gone"]);
    assert!(
        bench.put(crate::Input::Gone(super::bench::run(70))).is_empty(),
        "it has begun: it is cancelled, not dropped"
    );
    assert_eq!(bench.ended(70, Outcome::Completed), ["#70 ended: completed"]);
}

/// A device that is busy, and whose queue has so many places.
fn busy(places: usize, orders: &[(&str, Order)]) -> Bench {
    let mut bench = Bench::with(orders, Limits { waiting_max: places, ..Limits::default() });
    assert_eq!(bench.ask(60, Mode::Enforce, None), ["#60 queued", "#60 started"]);
    bench
}

#[test]
fn full_for_whoever_asks_by_hand() {
    let mut bench = busy(1, &[("a", with_priority("low"))]);
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued"]);
    assert_eq!(bench.ask(70, Mode::Detect, None), ["#70 queued", "#70 not started: full"]);
    assert_eq!(bench.ended(60, Outcome::Completed), ["#60 ended: completed", "a: #1 started"]);
    assert_eq!(bench.ask(71, Mode::Detect, None), ["#71 queued", "#71 started"]);
}

#[test]
fn full_drops_the_last_of_the_least() {
    let orders = [("a", with_priority("low")), ("b", with_priority("low")), ("c", with_priority("normal"))];
    let mut bench = busy(2, &orders);
    let told = bench.at("01T01:00");
    assert_eq!(told, ["a: #1 queued", "b: #2 queued", "c: #3 queued", "b: #2 not started: full"]);
    assert!(!bench.kept.keys().any(|key| key.ends_with("02")), "{:?}", bench.kept);
}

#[test]
fn full_drops_who_comes_with_no_more_importance() {
    let orders = [("a", with_priority("normal")), ("b", with_priority("normal")), ("c", with_priority("low"))];
    let mut bench = busy(1, &orders);
    let told = bench.at("01T01:00");
    assert_eq!(
        told,
        ["a: #1 queued", "b: #2 queued", "b: #2 not started: full", "c: #3 queued", "c: #3 not started: full"]
    );
}

#[test]
fn full_of_hands_drops_who_comes() {
    let mut bench = busy(1, &[("a", with_priority("high"))]);
    assert_eq!(bench.ask(70, Mode::Detect, None), ["#70 queued"]);
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued", "a: #1 not started: full"]);
}
