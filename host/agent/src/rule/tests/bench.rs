//! A rule on a device whose clocks are moved by hand, and what it decides, in words.

use contract::Class;
use model::RunId;
use serde_json::{Map, Value, json};

use crate::{
    Change, Device, Elapsed, EventTrigger, Found, Look, Notice, Occupancy, RecentRun, Rule, RuleDecision, RuleFiring,
    RuleLook, RuleState, TripReason, text,
};

/// 2026-11-22 12:00, a Sunday.
pub(super) const NOON_MS: i64 = 1_795_348_800_000;

pub(super) const DISK: &str = "watch = { type = \"disk-free\", path = \"/\", below = \"10%\" }\n";

pub(super) const FILE: &str = "watch = { type = \"file-change\", path = \"/etc\" }\n";

pub(super) struct Bench {
    pub(super) rule: Rule,
    pub(super) state: RuleState,
    pub(super) now_ms: i64,
    pub(super) occupancy: Occupancy,
    pub(super) is_paused: bool,
    pub(super) runs: Vec<RecentRun>,
    pub(super) facts: Map<String, Value>,
    pub(super) fired: Vec<RuleFiring>,
}

pub(super) fn rule(trigger: &str, order: &str) -> Rule {
    let trigger: EventTrigger = toml::from_str(trigger).unwrap();
    Rule::new(&trigger, order, Class::L2, &Device::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

pub(super) fn ms(duration: &str) -> i64 {
    text::duration_ms(duration).unwrap()
}

impl Bench {
    pub(super) fn new(trigger: &str) -> Self {
        Self::of(rule(trigger, "order"))
    }

    pub(super) fn of(rule: Rule) -> Self {
        Self {
            rule,
            state: RuleState::new(NOON_MS),
            now_ms: NOON_MS,
            occupancy: Occupancy::Idle,
            is_paused: false,
            runs: Vec::new(),
            facts: Map::new(),
            fired: Vec::new(),
        }
    }

    fn call(&mut self, notice: Option<&Notice>, elapsed: Option<Elapsed>) -> Vec<String> {
        let (occupancy, is_paused) = (self.occupancy, self.is_paused);
        let look = Look { now_ms: self.now_ms, elapsed, occupancy, is_paused };
        let look = RuleLook { look, facts: &self.facts, runs: &self.runs };
        let decisions = match notice {
            Some(notice) => self.rule.notice(&mut self.state, notice, &look),
            None => self.rule.look(&mut self.state, &look),
        };
        self.state = serde_json::from_str(&serde_json::to_string(&self.state).unwrap()).unwrap();
        decisions.into_iter().map(|decision| self.in_words(decision)).collect()
    }

    fn awake(awake_ms: i64) -> Option<Elapsed> {
        Some(Elapsed { awake_ms, asleep_ms: 0 })
    }

    pub(super) fn notice(&mut self, subject: &str, change: Change, data: Value) -> Vec<String> {
        self.found(subject, change, data, None)
    }

    /// The same, where somebody looked what is there.
    pub(super) fn found(&mut self, subject: &str, change: Change, data: Value, found: Option<Found>) -> Vec<String> {
        let Value::Object(data) = data else { panic!("an object") };
        let notice = Notice { at_ms: self.now_ms, subject: subject.to_owned(), change, data, cause: None, found };
        self.call(Some(&notice), Self::awake(0))
    }

    pub(super) fn caused(&mut self, change: Change, cause: RunId) -> Vec<String> {
        let (at_ms, subject, cause) = (self.now_ms, String::new(), Some(cause));
        let notice = Notice { at_ms, subject, change, data: Map::new(), cause, found: None };
        self.call(Some(&notice), Self::awake(0))
    }

    pub(super) fn raise(&mut self, subject: &str) -> Vec<String> {
        self.notice(subject, Change::Raised, json!({}))
    }

    pub(super) fn clear(&mut self, subject: &str) -> Vec<String> {
        self.notice(subject, Change::Cleared, json!({}))
    }

    pub(super) fn happen(&mut self, subject: &str) -> Vec<String> {
        self.notice(subject, Change::Happened, json!({ "subject": subject }))
    }

    pub(super) fn look(&mut self) -> Vec<String> {
        self.call(None, Self::awake(0))
    }

    /// Time goes by, and somebody looks when it is asked for.
    pub(super) fn pass(&mut self, duration: &str) -> Vec<String> {
        let until_ms = self.now_ms + ms(duration);
        let mut all = Vec::new();
        for turn in 0.. {
            assert!(turn < 10_000, "wakes without end");
            let wake_ms = self.rule.wake_ms(&self.state, self.now_ms).filter(|&wake| wake < until_ms);
            let next_ms = wake_ms.unwrap_or(until_ms);
            assert!(next_ms > self.now_ms, "wakes in the past");
            let elapsed = Self::awake(next_ms - self.now_ms);
            self.now_ms = next_ms;
            all.extend(self.call(None, elapsed));
            if wake_ms.is_none() {
                break;
            }
        }
        all
    }

    /// The machine was suspended.
    pub(super) fn sleep(&mut self, duration: &str) -> Vec<String> {
        self.now_ms += ms(duration);
        self.call(None, Some(Elapsed { awake_ms: 0, asleep_ms: ms(duration) }))
    }

    /// The clock was set.
    pub(super) fn set_by(&mut self, by_ms: i64) -> Vec<String> {
        self.now_ms += by_ms;
        self.call(None, Self::awake(0))
    }

    /// The agent was not there, by the clock on the wall.
    pub(super) fn off(&mut self, by_ms: i64) -> Vec<String> {
        self.now_ms += by_ms;
        self.call(None, None)
    }

    fn in_words(&mut self, decision: RuleDecision) -> String {
        let times = |count: u64| if count == 1 { String::new() } else { format!(" x{count}") };
        match decision {
            RuleDecision::Fire(firing) => {
                let event = &firing.event;
                let chain = event.chain.iter().map(|order| format!(" <{order}")).collect::<String>();
                let said = format!("fire {}{}{chain}", event.subject, times(event.occurrences));
                let manner = format!("{:?}", firing.manner).to_lowercase();
                self.fired.push(*firing);
                if manner == "start" { said } else { format!("{said}, {manner}") }
            }
            RuleDecision::NotFired(not) => {
                let waits = if not.is_waiting { ", waits" } else { "" };
                format!("{}{}{waits}", not.reason.code(), times(not.count))
            }
            RuleDecision::Tripped(tripped) => match tripped.why {
                TripReason::TooOften { .. } => format!("trip {}", tripped.number),
                TripReason::Circle { chain } => format!("trip {}: {}", tripped.number, chain.join(" > ")),
            },
        }
    }
}
