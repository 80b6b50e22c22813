//! Rows about runs that end, and what follows.

use model::{Outcome, RunId};

use super::bench::{Bench, order, run};
use crate::{Input, Order, Retry};

const MINUTE: i64 = 60_000;

const RETRY: &str = "retry = { attempts = 3, backoff = \"10m\" }";

fn retry(text: &str) -> Retry {
    toml::from_str(text).unwrap()
}

/// Whether the end of a run that was started at 01:00 has it tried again.
fn is_tried_again(order: Order, outcome: Outcome) -> bool {
    let mut bench = Bench::new(&[("a", order)]);
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued", "a: #1 started"]);
    let told = bench.ended(1, outcome);
    match told.len() {
        1 => assert_eq!(told, [format!("a: #1 ended: {outcome}")]),
        _ => {
            assert_eq!(told, [format!("a: #1 ended: {outcome}, tried again by #2"), "a: #2 queued, try 2".to_owned()]);
        }
    }
    told.len() > 1
}

const ALL: [Outcome; 11] = [
    Outcome::Completed,
    Outcome::PluginError,
    Outcome::Refused,
    Outcome::Denied,
    Outcome::Timeout,
    Outcome::Cancelled,
    Outcome::Limit,
    Outcome::Trap,
    Outcome::HostError,
    Outcome::Interrupted,
    Outcome::Suspended,
];

fn tried_again(lines: &str) -> Vec<Outcome> {
    let outcomes = ALL.into_iter().filter(|outcome| *outcome != Outcome::Suspended);
    outcomes.filter(|outcome| is_tried_again(order("detect", lines, ""), *outcome)).collect()
}

#[test]
fn retry_by_outcome() {
    assert_eq!(tried_again(RETRY), [Outcome::Timeout, Outcome::HostError, Outcome::Interrupted]);
}

#[test]
fn retry_by_outcome_that_is_named() {
    let on = |on: &str| tried_again(&format!("retry = {{ attempts = 2, backoff = \"1m\", on = [{on}] }}"));
    assert_eq!(on("\"limit\", \"trap\", \"plugin-error\""), [Outcome::PluginError, Outcome::Limit, Outcome::Trap]);
    assert_eq!(on("\"interrupted\""), [Outcome::Interrupted]);
    for outcome in ["completed", "refused", "denied", "cancelled", "suspended"] {
        let text = format!("attempts = 2\nbackoff = \"1m\"\non = [\"{outcome}\"]");
        assert!(toml::from_str::<Retry>(&text).is_err(), "{outcome}");
        assert!(toml::from_str::<Retry>(&text.replace(outcome, "timeout")).is_ok());
    }
}

#[test]
fn no_retry_is_none() {
    assert!(tried_again("").is_empty());
}

#[test]
fn backoff_doubles_up_to_its_most() {
    let retry = retry("attempts = 10\nbackoff = \"1m\"\nat-most = \"5m\"");
    let waits = |run: RunId| -> Vec<i64> {
        (1..=10).map_while(|attempt| retry.wait_ms(run, attempt, Outcome::Timeout)).collect()
    };
    let some = waits(run(1));
    assert_eq!(some.len(), 9, "ten runs, nine waits");
    for (wait, most) in some.iter().zip([1, 2, 4, 5, 5, 5, 5, 5, 5]) {
        assert!((most * MINUTE / 2..=most * MINUTE).contains(wait), "{some:?}");
    }
    assert_eq!(waits(run(1)), some, "a run always waits as long");
    let firsts: Vec<i64> = (0..1_000).map(|number| waits(run(number))[0]).collect();
    let early = firsts.iter().filter(|wait| **wait < 45_000).count();
    assert!((400..600).contains(&early), "spread over half of the wait: {early}");
}

#[test]
fn a_retry_waits_and_is_counted() {
    let mut bench = Bench::new(&[("a", order("detect", RETRY, ""))]);
    bench.at("01T01:00");
    bench.ended(1, Outcome::Timeout);
    assert!(bench.last.start.is_empty());
    let wait_ms = bench.last.wake_ms.unwrap() - bench.now_ms;
    assert!((5 * MINUTE..=10 * MINUTE).contains(&wait_ms), "{wait_ms}");
    bench.pass(wait_ms - 1);
    assert!(bench.put(Input::Looked).is_empty());
    bench.pass(1);
    assert_eq!(bench.put(Input::Looked), ["a: #2 started"]);
    let second = bench.last.start[0].clone();
    assert_eq!((second.attempt, second.retry_of), (2, Some(run(1))));
    assert_eq!(bench.ended(2, Outcome::Timeout).len(), 2);
    bench.pass(20 * MINUTE);
    assert_eq!(bench.put(Input::Looked), ["a: #3 started"]);
    assert_eq!(bench.ended(3, Outcome::Timeout), ["a: #3 ended: timeout"], "the third was the last");
}

#[test]
fn a_retry_keeps_its_place() {
    let mut bench = Bench::new(&[("a", order("detect", RETRY, "overlap = \"queue\""))]);
    bench.at("01T01:00");
    assert_eq!(bench.at("01T02:00"), ["a: #2 queued"]);
    assert_eq!(bench.ended(1, Outcome::Timeout).len(), 2, "the next one waits behind it");
    assert_eq!(bench.at("01T02:10"), ["a: #3 started"]);
    assert_eq!(bench.ended(3, Outcome::Completed), ["a: #3 ended: completed", "a: #2 started"]);
}

#[test]
fn replace_cancels_and_drops() {
    let mut bench = Bench::new(&[("a", order("detect", RETRY, "overlap = \"replace\""))]);
    bench.at("01T01:00");
    assert_eq!(bench.at("01T02:00"), ["a: #1 cancelled", "a: #2 queued"]);
    assert_eq!(bench.last.cancel, [run(1)]);
    assert_eq!(bench.at("01T03:00"), ["a: #2 not started: replaced", "a: #3 queued"]);
    assert!(bench.last.cancel.is_empty(), "it was told once");
    assert_eq!(bench.ended(1, Outcome::Timeout), ["a: #1 ended: timeout", "a: #3 started"], "and is not tried again");
}

#[test]
fn a_reboot_is_waited_for() {
    let mut bench = Bench::new(&[
        ("a", order("enforce", "budget = { runs-per-day = 1 }", "overlap = \"skip\"")),
        ("b", order("enforce", "", "")),
    ]);
    assert_eq!(bench.at("01T01:00"), ["a: #1 queued", "b: #2 queued", "a: #1 started"]);
    assert_eq!(bench.ended(1, Outcome::Suspended), ["a: #1 suspended", "b: #2 started"], "it is in nobody's way");
    assert_eq!(bench.at("01T02:00")[0], "a: overlap: 1", "but in its own order's");
    assert_eq!(bench.crash(MINUTE), ["#1 Suspended", "#2 UnderWay { since_ms: 1811811600000, is_cancelled: false }"]);
    bench.reload();
    assert_eq!(bench.put(Input::Again(run(1))), ["a: #1 again"], "the machine is not free yet");
    bench.pause("a");
    let told = bench.ended(2, Outcome::Interrupted);
    assert_eq!(told, ["b: #2 ended: interrupted", "a: #1 started"], "it has begun, so nothing is asked again");
    assert!(bench.last.start[0].resumes);
    assert_eq!(bench.ended(1, Outcome::Completed), ["a: #1 ended: completed"]);
}

#[test]
fn what_becomes_of_a_reboot_is_told() {
    let window = "allowed = [{ weekly = \"daily 01:00-03:00\" }]";
    let mut bench = Bench::new(&[("a", order("enforce", "", window))]);
    bench.at("01T01:00");
    bench.ended(1, Outcome::Suspended);
    let now_ms = bench.now_ms;
    assert_eq!(bench.dispatcher.admits_at(run(1), now_ms), Ok(()));
    assert_eq!(bench.dispatcher.admits_at(run(1), now_ms + 2 * 60 * MINUTE), Err(crate::Reason::Window));
    let told = crate::RebootTold::Waits(crate::Reason::Window);
    let input = Input::Rebooting { run: run(1), told: told.clone() };
    assert_eq!(bench.put(input), [format!("a: reboot: {told:?}")]);
    assert!(
        bench.dispatcher.explain("a", now_ms, 1).unwrap().recent.iter().any(|it| {
            matches!(&it.what, crate::What::Reboot { run: of, told: it } if *of == run(1) && *it == told)
        })
    );
}
