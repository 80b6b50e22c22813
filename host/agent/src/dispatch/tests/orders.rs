//! Rows about orders that come, change and go, and about what is asked right before a start.

use contract::run::Mode;
use model::Outcome;

use super::bench::{Bench, ms, order, rule, run};
use crate::{Input, Order, Reason, Scope};

const DAY: i64 = 86_400_000;

fn plain() -> Order {
    order("detect", "", "")
}

/// What becomes of a run that waited for another until a quarter past one, where this happened meanwhile.
fn after_a_wait(order: Order, meanwhile: impl FnOnce(&mut Bench)) -> Vec<String> {
    let mut bench = Bench::new(&[("a", order)]);
    assert_eq!(bench.ask(60, Mode::Enforce, None), ["#60 queued", "#60 started"]);
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued"]);
    bench.at("01T01:15");
    meanwhile(&mut bench);
    let told = bench.ended(60, Outcome::Completed);
    assert_eq!(told.first().unwrap(), "#60 ended: completed");
    told.into_iter().skip(1).collect()
}

#[test]
fn before_a_start_all_is_asked_again() {
    assert_eq!(after_a_wait(plain(), |_| {}), ["a: #1 started"]);
    let window = order("detect", "", "allowed = [{ weekly = \"daily 00:00-01:10\" }]");
    assert_eq!(after_a_wait(window, |_| {}), ["a: #1 not started: window"]);
    let blackout = order("detect", "", "blackout = [{ weekly = \"daily 01:10-02:00\" }]");
    assert_eq!(after_a_wait(blackout, |_| {}), ["a: #1 not started: blackout"]);
    for lines in [("expires = \"2027-06-01T01:10:00Z\"", ""), ("", "expires = \"2027-06-01T01:10:00Z\"")] {
        assert_eq!(after_a_wait(order("detect", lines.0, lines.1), |_| {}), ["a: #1 not started: expired"]);
    }
    assert_eq!(after_a_wait(plain(), |bench| bench.forbid("a")), ["a: #1 not started: policy"]);
    let pause = |bench: &mut Bench| assert_eq!(bench.pause("a"), ["a: paused"]);
    assert_eq!(after_a_wait(plain(), pause), ["a: #1 not started: paused"]);
    let on_and_off = |bench: &mut Bench| {
        pause(bench);
        assert_eq!(bench.put(Input::Resumed(Scope::Order("a".to_owned()))), ["a: resumed"]);
    };
    assert_eq!(after_a_wait(plain(), on_and_off), ["a: #1 started"]);
}

#[test]
fn a_budget_is_for_a_day() {
    let mut bench = Bench::new(&[("a", order("detect", "budget = { runs-per-day = 2 }", ""))]);
    let told = |bench: &mut Bench, number: u64, time: &str| {
        let told = bench.at(time).pop().unwrap();
        bench.ended(number, Outcome::Completed);
        told
    };
    assert_eq!(told(&mut bench, 1, "01T01:00"), "a: #1 started");
    assert_eq!(told(&mut bench, 2, "01T02:00"), "a: #2 started");
    assert_eq!(told(&mut bench, 3, "01T03:00"), "a: #3 not started: budget");
    bench.crash(0);
    bench.reload();
    assert_eq!(told(&mut bench, 4, "01T04:00"), "a: #4 not started: budget", "it survives a restart");
    bench.orders.clear();
    bench.reload();
    bench.orders = Bench::new(&[("a", order("detect", "budget = { runs-per-day = 2 }", ""))]).orders;
    assert_eq!(bench.reload(), ["a: placed"]);
    assert_eq!(told(&mut bench, 5, "01T05:00"), "a: #5 not started: budget", "and that the order was gone");
    bench.set(-5 * 3_600_000 - DAY);
    bench.put(Input::Looked);
    bench.pass(6 * 3_600_000 + DAY / 2);
    assert!(
        bench.put(Input::Looked).last().unwrap().ends_with("not started: budget"),
        "a clock set back gives nothing back"
    );
    assert!(told(&mut bench, 9, "02T01:00").ends_with("started"), "but a new day does");
}

#[test]
fn paused_orders_fire_nothing() {
    let mut bench = Bench::new(&[("a", plain()), ("b", plain())]);
    bench.pause("a");
    assert_eq!(bench.at("01T01:00"), ["a: paused: 1", "b: #1 queued", "b: #1 started"]);
    assert_eq!(bench.put(Input::Paused(Scope::All)), ["paused"]);
    bench.ended(1, Outcome::Completed);
    bench.crash(0);
    bench.reload();
    assert_eq!(bench.at("01T02:00"), ["a: paused: 1", "b: paused: 1"], "also after a restart");
    assert_eq!(bench.ask(70, Mode::Detect, None), ["#70 queued", "#70 started"], "who asks by hand means it");
    assert_eq!(bench.put(Input::Resumed(Scope::All)), ["resumed"]);
    assert!(bench.at("01T03:00").contains(&"b: #2 started".to_owned()));
    assert!(bench.put(Input::Paused(Scope::Order("nobody".to_owned()))).is_empty());
}

#[test]
fn a_changed_order_goes_on() {
    let mut bench = Bench::new(&[("a", plain())]);
    bench.ask(60, Mode::Detect, None);
    bench.ask(61, Mode::Enforce, None);
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued"]);
    bench.orders[0].order = order("enforce", "priority = \"high\"", "");
    assert_eq!(bench.reload(), ["a: changed"]);
    assert!(bench.reload().is_empty(), "nothing is new");
    bench.ended(60, Outcome::Completed);
    bench.ended(61, Outcome::Completed);
    assert_eq!(bench.last.start[0].mode, Mode::Enforce, "what waited runs as the order says now");
    bench.orders[0].order = plain();
    bench.reload();
    assert_eq!(bench.ended(1, Outcome::Completed), ["a: #1 ended: completed"], "and what ran was not lost");
    assert_eq!(bench.at("01T02:00"), ["a: #2 queued", "a: #2 started"]);
}

#[test]
fn a_removed_order_leaves_its_run_alone() {
    let retry = "retry = { attempts = 3, backoff = \"10m\" }";
    let mut bench = Bench::new(&[("a", order("detect", retry, "overlap = \"queue\""))]);
    bench.at("01T01:00");
    bench.at("01T02:00");
    let orders = std::mem::take(&mut bench.orders);
    assert_eq!(bench.reload(), ["a: removed", "a: #2 not started: removed"]);
    assert!(bench.last.cancel.is_empty());
    assert_eq!(bench.ended(1, Outcome::Timeout), ["a: #1 ended: timeout"], "it is not tried again");
    bench.at("01T05:30");
    bench.orders = orders;
    assert_eq!(bench.reload(), ["a: placed"], "what was due meanwhile was not missed");
    assert_eq!(bench.at("01T06:00"), ["a: #3 queued", "a: #3 started"]);
    bench.orders.clear();
    bench.reload();
    assert!(bench.kept.contains_key("order/a"));
    bench.pass(32 * DAY);
    bench.reload();
    assert!(!bench.kept.contains_key("order/a"), "it is forgotten after a month");
}

#[test]
fn an_order_that_cannot_stand_here_is_told() {
    let mut bench = Bench::new(&[("a", plain()), ("b", plain())]);
    bench.ask(60, Mode::Enforce, None);
    bench.at("01T01:00");
    let calendars = crate::Calendars { zone: "Nowhere".to_owned(), ..crate::Calendars::default() };
    let device = crate::Device { calendars: vec![calendars], ..crate::Device::default() };
    let orders = bench.orders.clone();
    let told = bench.put(Input::Reloaded { orders, device, facts: serde_json::Map::new() });
    assert!(told[0].starts_with("a: unfit: calendars[0].zone: this system knows no time zone `Nowhere`"), "{told:?}");
    assert!(told.contains(&"a: #1 not started: removed".to_owned()), "{told:?}");
    bench.at("01T02:00");
    assert_eq!(bench.reload(), ["a: placed", "b: placed"], "they stand again, and nothing was missed");
    bench.ended(60, Outcome::Completed);
    assert_eq!(bench.at("01T03:00").len(), 4);
}

#[test]
fn an_order_is_explained() {
    let lines = "budget = { runs-per-day = 1 }\nexpires = \"2027-06-01T04:30:00Z\"";
    let mut bench = Bench::new(&[("a", order("detect", lines, "allowed = [{ weekly = \"daily 00:00-03:30\" }]"))]);
    assert!(bench.dispatcher.explain("b", bench.now_ms, 5).is_none());
    bench.at("01T01:00");
    bench.at("01T02:00");
    let against = |bench: &Bench| -> Vec<_> {
        let explained = bench.dispatcher.explain("a", bench.now_ms, 9).unwrap();
        explained.against.iter().map(|it| (it.reason.code(), it.until_ms)).collect()
    };
    let explained = bench.dispatcher.explain("a", bench.now_ms, 9).unwrap();
    assert!(explained.stands);
    assert_eq!(against(&bench), [("overlap", None), ("budget", Some(ms("02T00:00")))]);
    assert_eq!(explained.runs.iter().map(|run| run.id).collect::<Vec<_>>(), [run(1)]);
    assert_eq!((explained.runs_today, explained.looks_ms), ((1, Some(1)), Some(ms("01T03:00"))));
    let coming: Vec<_> = explained.coming.iter().map(|it| (it.due_ms, it.refused.as_ref().map(Reason::code))).collect();
    assert_eq!(coming[..2], [(ms("01T03:00"), None), (ms("01T04:00"), Some("window"))]);
    assert_eq!(coming[2].1, Some("expired"));
    assert_eq!(explained.recent.len(), 4, "placed, queued, started, overlap: {:?}", explained.recent);
    bench.ended(1, Outcome::Completed);
    bench.at("01T04:00");
    let opens = ("window", Some(ms("02T00:00")));
    assert_eq!(against(&bench), [opens, ("budget", Some(ms("02T00:00")))]);
    bench.pause("a");
    bench.at("01T05:00");
    assert_eq!(against(&bench), [("expired", None), ("paused", None), ("budget", Some(ms("02T00:00")))]);
}

#[test]
fn a_rule_says_until_when_it_rests() {
    let watch = "watch = { type = \"emitted\", name = \"x\" }\ncooldown = \"10m\"\nmax-per-hour = 2\n";
    let mut bench = Bench::new(&[("a", rule("detect", "", watch))]);
    let against = |bench: &Bench| -> Vec<_> {
        let explained = bench.dispatcher.explain("a", bench.now_ms, 0).unwrap();
        explained.against.iter().map(|it| (it.reason.code(), it.until_ms.map(|ms| ms - bench.now_ms))).collect()
    };
    let emit = |bench: &mut Bench, run: u64| {
        bench.put(Input::Emitted { name: "x".to_owned(), data: serde_json::Map::new(), cause: None });
        bench.ended(run, Outcome::Completed);
    };
    assert_eq!(against(&bench), []);
    emit(&mut bench, 1);
    let first_ms = bench.now_ms;
    bench.pass(4 * 60_000);
    assert_eq!(against(&bench), [("cooldown", Some(6 * 60_000))], "nobody has looked since");
    bench.pass(6 * 60_000);
    assert_eq!(against(&bench), []);
    emit(&mut bench, 2);
    let left_ms = first_ms + 3_600_000 - bench.now_ms;
    assert_eq!(against(&bench), [("cooldown", Some(600_000)), ("max-per-hour", Some(left_ms))]);
    bench.pass(left_ms);
    assert_eq!(against(&bench), []);
}

#[test]
fn the_owners_windows_are_known_beforehand() {
    use contract::Class;
    let mut bench = Bench::new(&[("a", order("enforce", "", "")), ("b", order("detect", "", ""))]);
    let sets = "windows = [{ zone = 'UTC', allowed = [{ weekly = 'daily 02:30-04:00' }] }]";
    let policy = crate::Allowed::new(&toml::from_str(sets).unwrap()).unwrap();
    let device = crate::Device { calendars: policy.calendars(), ..crate::Device::default() };
    bench.orders[1].class = Class::L1;
    let orders = bench.orders.clone();
    bench.put(Input::Reloaded { orders, device, facts: serde_json::Map::new() });
    assert_eq!(bench.at("01T01:00"), ["a: window: 1", "b: #1 queued", "b: #1 started"], "who only looks may always");
    let explained = |bench: &Bench| bench.dispatcher.explain("a", bench.now_ms, 3).unwrap();
    assert_eq!(explained(&bench).against[0].until_ms, Some(ms("01T02:30")));
    let coming = explained(&bench).coming.into_iter().map(|it| it.refused.as_ref().map(Reason::code));
    assert_eq!(coming.collect::<Vec<_>>(), [Some("window"), None, Some("window")]);
    bench.ended(1, Outcome::Completed);
    bench.at("01T02:00");
    bench.ended(2, Outcome::Completed);
    assert!(bench.at("01T03:00").iter().any(|line| line.starts_with("a: ") && line.ends_with("started")));
}
