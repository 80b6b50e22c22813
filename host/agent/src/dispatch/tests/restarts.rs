//! Rows about an agent that ends, as it should or at any moment.

use contract::run::Mode;
use model::Outcome;

use super::bench::{Bench, ms, order, run};
use crate::{Input, Order};

const MINUTE: i64 = 60_000;

fn plain() -> Order {
    order("detect", "retry = { attempts = 3, backoff = \"2m\" }", "")
}

const UNDER_WAY: &str = "UnderWay { since_ms: 1811811600000, is_cancelled: false }";

#[test]
fn what_was_not_durable_is_decided_again() {
    let mut bench = Bench::new(&[("a", plain())]);
    let before = bench.kept.clone();
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued", "a: #1 started"]);
    bench.kept = before;
    assert!(bench.crash(1_000).is_empty());
    assert_eq!(bench.reload(), ["a: #2 queued", "a: #2 started"], "the same firing, once");
    assert!(bench.crash(1_000).len() == 1 && bench.reload().is_empty(), "and now it is durable");
}

#[test]
fn a_start_that_was_lost_is_made_good() {
    let mut bench = Bench::new(&[("a", plain())]);
    bench.at("01T01:00");
    for _ in 0..2 {
        assert_eq!(bench.crash(1_000).len(), 1);
        assert!(bench.reload().is_empty(), "nothing is started while it counts as under way");
        assert_eq!(bench.put(Input::Again(run(1))), ["a: #1 again", "a: #1 started"], "it is the same run");
        assert_eq!(bench.last.start[0].attempt, 1);
    }
    bench.crash(1_000);
    bench.reload();
    assert_eq!(bench.put(Input::Again(run(1))), ["a: #1 again", "a: #1 not started: never-started"]);
}

#[test]
fn what_was_under_way_is_interrupted() {
    let mut bench = Bench::new(&[("a", plain())]);
    bench.at("01T01:00");
    assert_eq!(bench.crash(MINUTE), [format!("#1 {UNDER_WAY}")]);
    bench.reload();
    assert_eq!(
        bench.ended(1, Outcome::Interrupted),
        ["a: #1 ended: interrupted, tried again by #2", "a: #2 queued, try 2"]
    );
    assert!(bench.ended(1, Outcome::Interrupted).is_empty(), "told twice, it has ended once");
    assert!(bench.crash(10 * MINUTE).is_empty());
    assert_eq!(bench.reload(), ["a: #2 started"], "the wait went by meanwhile");
    assert_eq!(bench.last.start[0].attempt, 2, "tries are counted over restarts");
}

#[test]
fn what_waits_goes_on_waiting() {
    let mut bench = Bench::new(&[("a", order("detect", "", "jitter = \"20m\"\nmisfire = \"run-all(2)\""))]);
    bench.crash(ms("01T03:30") - ms("01T00:30"));
    bench.reload();
    let waits: Vec<i64> = bench.dispatcher.runs().map(|run| run.start_ms - bench.now_ms).collect();
    assert!(waits.len() == 2 && waits[0] > 0, "{waits:?}");
    assert!(bench.crash(0).is_empty());
    assert!(bench.reload().is_empty() && bench.last.start.is_empty());
    let wait_ms = waits[0];
    bench.pass(wait_ms - 1);
    assert!(bench.put(Input::Looked).is_empty());
    bench.pass(1);
    assert_eq!(bench.put(Input::Looked), ["a: #1 started"]);
}

#[test]
fn a_clock_set_while_nobody_is_there_starves_nobody() {
    let wait_after = |set_ms: i64| {
        let mut bench = Bench::new(&[("a", plain())]);
        bench.at("01T01:00");
        bench.ended(1, Outcome::Timeout);
        bench.crash(set_ms);
        bench.reload();
        bench.pass(2 * MINUTE);
        bench.put(Input::Looked);
        bench.last.start.len() + bench.dispatcher.runs().filter(|run| run.stage != crate::Stage::Waiting).count()
    };
    for set_ms in [0, -365 * 1_440 * MINUTE, 365 * 1_440 * MINUTE] {
        assert!(wait_after(set_ms) > 0, "{set_ms}");
    }
}

#[test]
fn who_asked_by_hand_waits_no_longer() {
    let mut bench = Bench::new(&[]);
    bench.ask(60, Mode::Enforce, None);
    bench.ask(61, Mode::Enforce, None);
    assert_eq!(bench.crash(0).len(), 1);
    assert_eq!(bench.reload(), ["#61 not started: gone"]);
    assert_eq!(bench.put(Input::Again(run(60))), ["#60 again", "#60 not started: gone"]);
    assert!(bench.kept.is_empty(), "{:?}", bench.kept);
}

#[test]
fn what_cannot_be_read_is_set_aside() {
    for wrong in ["", "{", "{\"format\": 2}", "{\"format\": 1, \"schedule\": 5}"] {
        let mut bench = Bench::new(&[("a", plain()), ("b", plain())]);
        bench.at("01T01:00");
        bench.kept.insert("order/a".to_owned(), wrong.to_owned());
        let lost = bench.kept.keys().find(|key| key.ends_with('2')).unwrap().clone();
        bench.kept.insert(lost, wrong.to_owned());
        assert_eq!(bench.crash(MINUTE), [format!("#1 {UNDER_WAY}")], "{wrong}");
        let told = bench.reload();
        assert_eq!(told.iter().filter(|line| line.ends_with("set aside")).count(), 2, "{told:?}");
        assert!(told.contains(&"a: placed".to_owned()), "it begins anew");
        assert_eq!(bench.kept["aside/order/a"], wrong);
        assert_eq!(bench.ended(1, Outcome::Completed), ["a: #1 ended: completed"]);
        assert_eq!(bench.at("01T02:00").len(), 4, "the others go on");
        bench.crash(0);
        assert!(bench.reload().is_empty(), "it is told once");
    }
}

#[test]
fn nothing_starts_before_the_orders_are_known() {
    let mut bench = Bench::new(&[("a", plain())]);
    bench.ask(60, Mode::Enforce, None);
    bench.at("01T01:00");
    bench.crash(0);
    assert_eq!(bench.ended(60, Outcome::Interrupted), ["#60 ended: interrupted"]);
    assert_eq!(bench.ask(70, Mode::Detect, None), ["#70 queued"]);
    assert_eq!(bench.reload(), ["#70 started", "a: #1 started"]);
}

#[test]
fn drained_it_may_end() {
    let mut bench = Bench::new(&[("a", plain()), ("b", order("enforce", "", ""))]);
    bench.at("01T01:00");
    bench.ask(70, Mode::Enforce, None);
    assert_eq!(bench.put(Input::Drain), ["#70 not started: draining"]);
    assert!(!bench.last.is_drained);
    assert_eq!(bench.ask(71, Mode::Detect, None), ["#71 queued", "#71 not started: draining"]);
    assert_eq!(bench.at("01T02:00")[0], "a: overlap: 1", "what is due is decided all the same");
    assert_eq!(bench.ended(1, Outcome::Completed), ["a: #1 ended: completed"], "and what waits does so beyond the end");
    assert!(bench.last.is_drained);
    let mut other = Bench::new(&[]);
    (other.kept, other.orders) = (bench.kept.clone(), bench.orders.clone());
    other.crash(ms("01T02:01") - ms("01T00:30"));
    assert_eq!(other.reload(), ["b: #2 started"]);
    assert_eq!(bench.put(Input::GoOn), ["b: #2 started"]);
}
