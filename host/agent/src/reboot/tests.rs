//! The rows of `DISPATCH.md` about reboots.

use super::*;

/// A machine whose window, people and clock are moved by hand, and what becomes of its reboot, in words.
struct Bench {
    reboot: Reboot,
    policy: RebootPolicy,
    steady_ms: i64,
    people: u32,
    /// Until when the window is open.
    opens_ms: i64,
    shuts_ms: i64,
    is_drained: bool,
}

const NONE: [&str; 0] = [];

impl Bench {
    fn new(people: u32) -> Self {
        Self {
            reboot: Reboot::default(),
            policy: RebootPolicy::default(),
            steady_ms: 1_000,
            people,
            opens_ms: 0,
            shuts_ms: i64::MAX,
            is_drained: true,
        }
    }

    fn look(&mut self) -> (Option<String>, i64) {
        let now_ms = self.steady_ms;
        let (opens_ms, shuts_ms) = (self.opens_ms, self.shuts_ms);
        let admits = |in_ms: i64| match (opens_ms..shuts_ms).contains(&(now_ms + in_ms)) {
            true => Ok(()),
            false => Err(Reason::Window),
        };
        let (people, is_drained, policy) = (self.people, self.is_drained, self.policy);
        let step = self.reboot.look(&RebootLook { steady_ms: now_ms, admits: &admits, people, is_drained, policy });
        let words = step.told.map(|told| match told {
            RebootTold::Waits(reason) => format!("waits: {}", reason.code()),
            RebootTold::Deferred { minutes, count, most, .. } => format!("deferred {minutes}m, {count} of {most}"),
            RebootTold::Warned { people, minutes } => format!("{people} warned {minutes}m before"),
            RebootTold::Begun => "begun".to_owned(),
            RebootTold::Failed(why) => why,
        });
        (words, step.in_ms)
    }

    /// Looks as often as it says, for so many minutes or until it begins.
    fn pass(&mut self, minutes: i64) -> Vec<String> {
        let until_ms = self.steady_ms + minutes * MINUTE_MS;
        let mut told = Vec::new();
        loop {
            let (words, in_ms) = self.look();
            told.extend(words);
            if told.last().is_some_and(|last| last == "begun") {
                return told;
            }
            if self.steady_ms + in_ms > until_ms {
                self.steady_ms = until_ms;
                return told;
            }
            self.steady_ms += in_ms;
        }
    }

    fn minute(&self) -> i64 {
        self.steady_ms / MINUTE_MS
    }
}

#[test]
fn where_nobody_is_logged_in_it_comes_at_once() {
    let mut bench = Bench::new(0);
    assert_eq!((bench.pass(1), bench.minute()), (vec!["begun".to_owned()], 0));
    assert!(bench.reboot.is_draining());
}

#[test]
fn what_is_under_way_comes_to_its_end_first() {
    let mut bench = Bench::new(0);
    bench.is_drained = false;
    assert_eq!(bench.pass(30), NONE);
    assert!(bench.reboot.is_draining());
    bench.is_drained = true;
    assert_eq!(bench.pass(1), ["begun"]);
}

#[test]
fn who_is_logged_in_is_warned_and_it_is_put_off_as_often_as_the_owner_lets_it() {
    let mut bench = Bench::new(2);
    bench.policy = RebootPolicy { warn_minutes: 5, defer_minutes: 30, defer_max: 2 };
    let all = ["deferred 30m, 1 of 2", "deferred 30m, 2 of 2", "2 warned 5m before", "begun"];
    assert_eq!(bench.pass(600), all);
    assert_eq!(bench.minute(), 65, "and then it comes, whoever is there");
    let mut never = Bench::new(1);
    never.policy.defer_max = 0;
    assert_eq!(never.pass(600), ["1 warned 5m before", "begun"]);
    let mut neither = Bench::new(1);
    neither.policy = RebootPolicy { warn_minutes: 0, defer_max: 0, ..neither.policy };
    assert_eq!(neither.pass(600), ["begun"]);
}

#[test]
fn how_often_it_was_put_off_outlives_the_agent() {
    let mut bench = Bench::new(1);
    bench.policy.defer_max = 1;
    assert_eq!(bench.pass(1), ["deferred 60m, 1 of 1"]);
    bench.reboot = serde_json::from_str(&serde_json::to_string(&bench.reboot).unwrap()).unwrap();
    assert_eq!(bench.pass(1), ["1 warned 5m before"], "it is asked anew, and warned anew");
    bench.reboot = serde_json::from_str(&serde_json::to_string(&bench.reboot).unwrap()).unwrap();
    assert_eq!(bench.pass(30), ["1 warned 5m before", "begun"]);
}

#[test]
fn when_they_have_gone_it_waits_no_longer() {
    let mut bench = Bench::new(1);
    assert_eq!(bench.pass(10), ["deferred 60m, 1 of 3"]);
    bench.people = 0;
    assert_eq!(bench.pass(2), ["begun"]);
    let mut warned = Bench::new(1);
    warned.policy.defer_max = 0;
    assert_eq!(warned.pass(1), ["1 warned 5m before"]);
    warned.people = 0;
    assert_eq!(warned.pass(2), ["begun"]);
    assert!(warned.minute() <= 3, "{}", warned.minute());
}

#[test]
fn never_outside_the_windows() {
    let mut shut = Bench::new(0);
    (shut.opens_ms, shut.shuts_ms) = (100 * MINUTE_MS, 200 * MINUTE_MS);
    assert_eq!(shut.pass(90), ["waits: window"], "told once");
    assert!(!shut.reboot.is_draining(), "others run meanwhile");
    assert_eq!(shut.pass(30), ["begun"]);
    assert!((100..=102).contains(&shut.minute()), "{}", shut.minute());

    // It shuts while what is under way comes to its end.
    let mut late = Bench::new(0);
    (late.shuts_ms, late.is_drained) = (10 * MINUTE_MS, false);
    assert_eq!(late.pass(9), NONE);
    assert!(late.reboot.is_draining());
    assert_eq!(late.pass(5), ["waits: window"]);
    assert!(!late.reboot.is_draining(), "nothing is held up for it any more");
    late.is_drained = true;
    assert_eq!(late.pass(60), NONE);
    (late.opens_ms, late.shuts_ms) = (late.steady_ms, i64::MAX);
    assert_eq!(late.pass(2), ["begun"], "the next one takes it");

    // Whoever would be warned until after the window is not.
    let mut short = Bench::new(1);
    (short.policy.defer_max, short.shuts_ms) = (0, 4 * MINUTE_MS);
    assert_eq!(short.pass(30), ["waits: window"]);
    let mut enough = Bench::new(1);
    (enough.policy.defer_max, enough.shuts_ms) = (0, 7 * MINUTE_MS);
    assert_eq!(enough.pass(30), ["1 warned 5m before", "begun"]);
    // And what is put off over its end waits for the next.
    let mut put_off = Bench::new(1);
    (put_off.policy.defer_max, put_off.shuts_ms) = (1, 30 * MINUTE_MS);
    assert_eq!(put_off.pass(300), ["deferred 60m, 1 of 1", "waits: window"]);
}

#[test]
fn what_did_not_come_is_tried_again() {
    let mut bench = Bench::new(0);
    bench.pass(1);
    assert_eq!(bench.pass(11), ["the machine did not go down"]);
    assert!(!bench.reboot.is_draining(), "others run meanwhile");
    assert_eq!(bench.pass(50), NONE);
    assert_eq!(bench.pass(30), ["begun"]);
}

#[test]
fn limits_are_held() {
    assert!(RebootPolicy::default().check().is_empty());
    let wrong = RebootPolicy { warn_minutes: 1_441, defer_minutes: 0, defer_max: 101 };
    assert_eq!(wrong.check().len(), 3, "{:?}", wrong.check());
    let most = RebootPolicy { warn_minutes: 1_440, defer_minutes: 1, defer_max: 100 };
    assert!(most.check().is_empty());
}
