//! Rows about what is noticed, and what runs bring about. What a rule makes of it is in `EVENTS.md`.

use contract::run::Mode;
use model::Outcome;
use serde_json::Map;

use super::bench::{Bench, order, rule, run};
use crate::{Input, Order, Origin, What};

const MINUTE: i64 = 60_000;

fn emitted(lines: &str) -> Order {
    rule("detect", "", &format!("watch = {{ type = \"emitted\", name = \"full\" }}\n{lines}"))
}

fn after(order: &str) -> Order {
    rule("detect", "", &format!("watch = {{ type = \"run-finished\", order = \"{order}\" }}"))
}

#[test]
fn what_is_noticed_is_put_before_its_rules() {
    let mut bench = Bench::new(&[
        ("a", emitted("filter = \"event.data.size > 3\"")),
        ("b", emitted("filter = \"event.data.size > 7\"")),
    ]);
    assert_eq!(bench.emit("full"), ["a: #1 queued", "b: filter: 1", "a: #1 started"]);
    let Origin::Event { event, .. } = &bench.last.start[0].origin else { panic!("no event") };
    assert_eq!((event.kind.as_str(), event.data["size"].as_i64()), ("emitted", Some(5)), "the plugin sees it");
    assert!(bench.emit("empty").is_empty());
    assert!(bench.changed("nobody", "/etc/hosts").is_empty());
    assert_eq!(bench.emit("full")[0], "a: overlap: 1");
}

/// A thousand decisions of each order are kept.
#[test]
fn what_is_told_at_length_is_with_the_run_and_not_with_its_decision() {
    let mut bench = Bench::new(&[("a", emitted(""))]);
    for (bytes, is_whole) in [(900, true), (2_000, false)] {
        let data = Map::from_iter([("number".to_owned(), 7.into()), ("text".to_owned(), "x".repeat(bytes).into())]);
        bench.put(Input::Emitted { name: "full".to_owned(), data: data.clone(), cause: None });
        let Origin::Event { event, .. } = &bench.last.start[0].origin else { panic!("no event") };
        assert_eq!(event.data, data, "the plugin sees all of it");
        let id = bench.last.start[0].id;
        let What::Queued { origin: Origin::Event { event, .. }, .. } = &bench.last.told[0].what else {
            panic!("not queued")
        };
        let dropped =
            Map::from_iter([("number".to_owned(), 7.into()), ("dropped-bytes".to_owned(), (bytes + 6).into())]);
        assert_eq!(event.data, if is_whole { data } else { dropped });
        bench.put(Input::Ended { run: id, outcome: Outcome::Completed, touched: Vec::new(), data: Map::new() });
    }
}

#[test]
fn a_run_that_ends_starts_others() {
    let mut bench = Bench::new(&[("a", order("detect", "", "")), ("b", after("a")), ("c", after("b"))]);
    bench.at("01T01:00");
    assert_eq!(bench.ended(1, Outcome::Trap), ["a: #1 ended: trap", "b: #2 queued", "b: #2 started"]);
    let Origin::Event { event, .. } = &bench.last.start[0].origin else { panic!("no event") };
    assert_eq!((event.data["outcome"].as_str(), event.data["plugin"].as_str()), (Some("trap"), Some("p")));
    assert_eq!((event.cause, event.chain.clone()), (Some(run(1)), vec!["a".to_owned()]));
    assert!(bench.ended(2, Outcome::Completed).contains(&"c: #3 started".to_owned()));
    let Origin::Event { event, .. } = &bench.last.start[0].origin else { panic!("no event") };
    assert_eq!(event.chain, ["a", "b"]);
    assert_eq!(bench.ended(3, Outcome::Completed), ["c: #3 ended: completed"]);
}

#[test]
fn an_end_and_what_follows_are_one_step() {
    let mut bench = Bench::new(&[("a", order("detect", "", "")), ("b", after("a"))]);
    bench.at("01T01:00");
    let before = bench.kept.clone();
    bench.ended(1, Outcome::Completed);
    bench.kept = before;
    bench.crash(0);
    bench.reload();
    assert!(bench.ended(1, Outcome::Completed).contains(&"b: #3 started".to_owned()), "it is not lost");
    bench.crash(0);
    bench.reload();
    assert!(bench.ended(1, Outcome::Completed).is_empty(), "and does not come twice");
}

#[test]
fn a_circle_is_broken_with_one_ticket() {
    let any = rule("detect", "", "watch = { type = \"run-finished\" }");
    let mut bench = Bench::new(&[("a", any), ("b", after("a")), ("c", after("b"))]);
    bench.ask(60, Mode::Detect, None);
    let mut tickets = 0;
    let mut runs = 0;
    let mut told = bench.ended(60, Outcome::Completed);
    while let Some(started) = bench.last.start.first().map(|run| run.id) {
        assert!(told.iter().any(|line| line.ends_with("started")));
        runs += 1;
        assert!(runs < 10, "it goes round and round");
        tickets += bench.last.tickets.len();
        told = bench.put(crate::Input::Ended {
            run: started,
            outcome: Outcome::Completed,
            touched: Vec::new(),
            data: serde_json::Map::new(),
        });
    }
    tickets += bench.last.tickets.len();
    assert_eq!((runs, tickets), (3, 1), "{told:?}");
    assert_eq!(bench.dispatcher.explain("a", bench.now_ms, 1).unwrap().tripped.unwrap().number, 1);
    bench.crash(MINUTE);
    bench.reload();
    assert_eq!(bench.last.tickets.len(), 1, "nobody knows whether it was raised: the same one");
    assert_eq!(bench.last.tickets[0].tripped.number, 1);
    bench.ask(61, Mode::Detect, None);
    assert_eq!(bench.ended(61, Outcome::Completed), ["#61 ended: completed", "a: breaker: 1"], "it stays off");
    assert_eq!(bench.go_on("a"), ["a: resumed"]);
    bench.ask(62, Mode::Detect, None);
    assert!(
        bench.ended(62, Outcome::Completed).iter().any(|line| line.starts_with("a: ") && line.ends_with("started"))
    );
}

#[test]
fn what_a_run_changes_does_not_start_it() {
    let watch = rule("enforce", "", "watch = { type = \"file-change\", path = \"/etc/hosts\" }");
    let mut bench = Bench::new(&[("a", watch)]);
    let starts = |bench: &mut Bench| {
        bench.changed("a", "/etc/hosts");
        bench.last.start.len()
    };
    assert_eq!(starts(&mut bench), 1);
    bench.wrote(1, "/etc/hosts");
    assert_eq!(bench.changed("a", "/etc/hosts"), ["a: cause: 1"], "while it runs");
    bench.ended(1, Outcome::Completed);
    bench.crash(1_000);
    bench.reload();
    assert_eq!(starts(&mut bench), 0, "and after its end, over a restart");
    bench.pass(MINUTE);
    assert_eq!(starts(&mut bench), 1, "but not for ever");
    bench.wrote(2, "/etc/passwd");
    bench.ended(2, Outcome::Completed);
    bench.pass(1_000);
    assert_eq!(starts(&mut bench), 1, "and not whatever it changed");
}

/// What the latest run of a burst saw: how often it came.
fn occurrences(bench: &Bench) -> u64 {
    let [run] = &bench.last.start[..] else { panic!("{:?}", bench.last) };
    let Origin::Event { event, .. } = &run.origin else { panic!("no event") };
    event.occurrences
}

#[test]
fn a_burst_survives_a_restart() {
    let watch = "watch = { type = \"file-change\", path = \"/etc/hosts\" }\ndebounce = \"30s\"";
    let mut bench = Bench::new(&[("a", rule("detect", "", watch))]);
    for _ in 0..100 {
        bench.changed("a", "/etc/hosts");
        bench.pass(20);
    }
    bench.crash(1_000);
    bench.reload();
    bench.pass(MINUTE);
    bench.put(crate::Input::Looked);
    assert_eq!(occurrences(&bench), 51, "those of its last second are not known");
    bench.ended(1, Outcome::Completed);
    bench.pass(10 * MINUTE);
    assert!(!bench.put(crate::Input::Looked).iter().any(|line| line.ends_with("started")));
    // What comes last is known a second later, whether more comes or not.
    bench.changed("a", "/etc/hosts");
    bench.pass(20);
    bench.changed("a", "/etc/hosts");
    let wake_ms = bench.last.wake_ms.unwrap();
    assert_eq!(wake_ms - bench.now_ms, 980);
    bench.pass(980);
    bench.put(crate::Input::Looked);
    assert!(bench.last.wake_ms.unwrap() > bench.now_ms + 20_000, "that was all");
    bench.crash(MINUTE);
    bench.reload();
    assert_eq!(occurrences(&bench), 2);
}

#[test]
fn what_is_told_once_is_known_at_once() {
    let after = "watch = { type = \"run-finished\" }\ndebounce = \"30s\"";
    let mut bench = Bench::new(&[("a", emitted("debounce = \"30s\"")), ("b", rule("detect", "", after))]);
    bench.ask(61, Mode::Detect, None);
    bench.ask(62, Mode::Detect, None);
    for number in [61, 62] {
        bench.emit("full");
        bench.ended(number, Outcome::Completed);
        bench.pass(20);
    }
    bench.crash(MINUTE);
    let told = bench.reload();
    assert_eq!(bench.last.start.len(), 2, "{told:?}");
    for run in &bench.last.start {
        let Origin::Event { event, .. } = &run.origin else { panic!("no event") };
        assert_eq!(event.occurrences, 2, "{}", event.kind);
    }
}

#[test]
fn whoever_watches_for_something_else_begins_anew() {
    let free = |path: &str| {
        rule("detect", "", &format!("watch = {{ type = \"disk-free\", path = \"{path}\", below = \"10%\" }}"))
    };
    let raised = |bench: &mut Bench| {
        let notice = crate::Notice {
            at_ms: bench.now_ms,
            subject: String::new(),
            change: crate::Change::Raised,
            data: serde_json::Map::new(),
            cause: None,
            found: None,
        };
        bench.put(crate::Input::Noticed { order: "a".to_owned(), notice })
    };
    let mut bench = Bench::new(&[("a", free("/"))]);
    assert_eq!(raised(&mut bench), ["a: #1 queued", "a: #1 started"]);
    bench.ended(1, Outcome::Completed);
    assert!(raised(&mut bench).is_empty(), "it holds, and fired");
    bench.crash(0);
    bench.reload();
    assert!(raised(&mut bench).is_empty(), "also over a restart");
    bench.orders = Bench::new(&[("a", free("/home"))]).orders;
    bench.reload();
    assert_eq!(raised(&mut bench), ["a: #2 queued", "a: #2 started"]);
}
