//! Rows about orders that run one time.

use contract::run::Mode;
use model::Outcome;

use super::bench::{Bench, ms, order, run};
use crate::{Calendars, Input, Occasion, Order, Scope, Window};

fn once() -> Order {
    Order { occasion: Occasion::Once, ..order("enforce", "", "") }
}

/// With a window of whoever ordered it.
fn within(order: Order, weekly: &str) -> Bench {
    let mut bench = Bench::new(&[]);
    let window = Window { weekly: Some(weekly.to_owned()), ..Window::default() };
    let calendars = Calendars { zone: "UTC".to_owned(), allowed: vec![window], blackout: Vec::new() };
    bench.orders = Bench::new(&[("a", order)]).orders;
    bench.orders[0].calendars = vec![calendars];
    bench
}

#[test]
fn one_time_is_one_time() {
    let mut bench = Bench::new(&[]);
    bench.orders = Bench::new(&[("a", once())]).orders;
    assert_eq!(bench.reload(), ["a: placed", "a: #1 queued", "a: #1 started"]);
    assert_eq!(bench.ended(1, Outcome::PluginError), ["a: #1 ended: plugin-error"]);
    assert_eq!(bench.at("02T01:00"), [""; 0]);
    bench.crash(0);
    assert_eq!(bench.reload(), [""; 0], "it is known after a start");
    let orders = std::mem::take(&mut bench.orders);
    assert_eq!(bench.reload(), ["a: removed"]);
    bench.orders = orders;
    assert_eq!(bench.reload(), ["a: placed"], "and when it was gone meanwhile");
    assert_eq!(bench.at("03T01:00"), [""; 0]);
}

#[test]
fn one_time_survives_an_end_before_it_began() {
    let mut bench = Bench::new(&[]);
    bench.orders = Bench::new(&[("a", once())]).orders;
    assert_eq!(bench.ask(60, Mode::Enforce, None), ["#60 queued", "#60 started"]);
    assert_eq!(bench.reload(), ["a: placed", "a: #1 queued"]);
    bench.crash(1_000);
    bench.reload();
    assert_eq!(bench.put(Input::Again(run(60))), ["#60 again", "#60 not started: gone", "a: #1 started"]);
}

#[test]
fn one_time_waits_for_a_window_and_for_a_word() {
    let mut bench = within(once(), "daily 02:00-03:00");
    assert_eq!(bench.reload(), ["a: placed"]);
    assert_eq!(bench.last.wake_ms.map(|wake| wake <= ms("01T02:00")), Some(true));
    assert_eq!(bench.at("01T01:59"), [""; 0]);
    assert_eq!(bench.pause("a"), ["a: paused"]);
    assert_eq!(bench.at("01T02:10"), [""; 0]);
    assert_eq!(
        bench.put(Input::Resumed(Scope::Order("a".to_owned()))),
        ["a: resumed", "a: #1 queued", "a: #1 started"]
    );
    // One that waited for another until the window closed waits for the next one.
    let mut bench = within(once(), "daily 02:00-03:00");
    bench.at("01T02:30");
    assert_eq!(bench.ask(60, Mode::Enforce, None), ["#60 queued", "#60 started"]);
    assert_eq!(bench.reload(), ["a: placed", "a: #1 queued"]);
    bench.at("01T03:30");
    assert_eq!(bench.ended(60, Outcome::Completed), ["#60 ended: completed", "a: #1 not started: window"]);
    assert_eq!(bench.at("02T01:00"), [""; 0]);
    assert_eq!(bench.at("02T02:00"), ["a: #2 queued", "a: #2 started"]);
}

#[test]
fn one_time_expires_and_what_the_owner_forbids_is_over() {
    let late = Order { expires_ms: Some(ms("01T01:00")), ..once() };
    let mut bench = within(late, "daily 02:00-03:00");
    assert_eq!(bench.reload(), ["a: placed"]);
    assert_eq!(bench.at("01T01:00"), ["a: expired: 1"]);
    assert_eq!(bench.at("01T02:00"), [""; 0]);
    let mut bench = Bench::new(&[]);
    bench.orders = Bench::new(&[("a", once())]).orders;
    bench.forbid("a");
    assert_eq!(bench.reload(), ["a: placed", "a: #1 queued", "a: #1 not started: policy"]);
    assert_eq!(bench.at("02T01:00"), [""; 0]);
}
