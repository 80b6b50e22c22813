//! What holds for any event rule: triggers, notices, clocks and restarts are drawn by lot; and orders that trigger each other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on panics")]

#[path = "rules/circle.rs"]
mod circle;

use std::collections::{BTreeMap, BTreeSet};

use agent::{
    Change, Device, Elapsed, EventTrigger, Look, Notice, Occupancy, RecentRun, Rule, RuleDecision, RuleLook, RuleState,
    Touched,
};
use contract::Class;
use serde_json::{Map, Value, json};

const NOON_MS: i64 = 1_795_348_800_000;

const MINUTE: i64 = 60_000;

const HOUR: i64 = 60 * MINUTE;

/// The most that a rule may remember: 256 KiB of what levels told, 64 KiB of a burst, names and numbers.
const STATE_BYTES_MAX: usize = 1 << 20;

/// Numbers that follow from a seed: what failed once fails again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % most.max(1)
    }

    fn one_in(&mut self, many: i64) -> bool {
        self.below(many) == 0
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as i64)).unwrap()]
    }
}

pub(crate) fn rule(trigger: &str, order: &str) -> Rule {
    let trigger: EventTrigger = toml::from_str(trigger).unwrap_or_else(|error| panic!("{trigger}: {error}"));
    Rule::new(&trigger, order, Class::L2, &Device::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A rule, what it remembers, and clocks that are moved by hand.
struct World {
    rule: Rule,
    state: RuleState,
    now_ms: i64,
    occupancy: Occupancy,
    is_paused: bool,
    runs: Vec<RecentRun>,
}

impl World {
    fn new(trigger: &str) -> Self {
        Self {
            rule: rule(trigger, "order"),
            state: RuleState::new(NOON_MS),
            now_ms: NOON_MS,
            occupancy: Occupancy::Idle,
            is_paused: false,
            runs: Vec::new(),
        }
    }

    fn call(&mut self, notice: Option<&Notice>, elapsed: Option<Elapsed>) -> Vec<RuleDecision> {
        let look = Look { now_ms: self.now_ms, elapsed, occupancy: self.occupancy, is_paused: self.is_paused };
        let facts = Map::new();
        let look = RuleLook { look, facts: &facts, runs: &self.runs };
        match notice {
            Some(notice) => self.rule.notice(&mut self.state, notice, &look),
            None => self.rule.look(&mut self.state, &look),
        }
    }

    fn notice(&mut self, subject: &str, change: Change, data: Map<String, Value>) -> Vec<RuleDecision> {
        let notice = Notice { at_ms: self.now_ms, subject: subject.to_owned(), change, data, cause: None, found: None };
        self.call(Some(&notice), Some(Elapsed { awake_ms: 0, asleep_ms: 0 }))
    }

    fn pass(&mut self, ms: i64) -> Vec<RuleDecision> {
        let until_ms = self.now_ms.saturating_add(ms);
        let mut all = Vec::new();
        for turn in 0.. {
            assert!(turn < 20_000, "wakes without end");
            let wake_ms = self.rule.wake_ms(&self.state, self.now_ms);
            let next_ms = wake_ms.unwrap_or(until_ms).min(until_ms);
            assert!(next_ms > self.now_ms, "wakes in the past");
            let awake_ms = next_ms - self.now_ms;
            self.now_ms = next_ms;
            all.extend(self.call(None, Some(Elapsed { awake_ms, asleep_ms: 0 })));
            if next_ms == until_ms {
                break;
            }
        }
        all
    }

    fn written(&self) -> String {
        serde_json::to_string(&self.state).unwrap()
    }

    fn restart(&mut self, by_ms: i64) -> Vec<RuleDecision> {
        let text = self.written();
        self.state = serde_json::from_str(&text).unwrap();
        assert_eq!(self.written(), text);
        self.now_ms += by_ms;
        self.call(None, None)
    }
}

const WATCHED: [&str; 2] =
    ["{ type = \"disk-free\", path = \"/\", below = \"10%\" }", "{ type = \"file-change\", path = \"/etc\" }"];

fn any_trigger(dice: &mut Dice, is_level: bool) -> String {
    let mut text = format!("watch = {}\n", WATCHED[usize::from(!is_level)]);
    let mut add = |dice: &mut Dice, key: &str, values: &[&str]| {
        if !dice.one_in(2) {
            text.push_str(&format!("{key} = {}\n", dice.pick(values)));
        }
    };
    if is_level {
        add(dice, "for", &["\"30s\"", "\"5m\"", "\"2h\""]);
    }
    add(dice, "debounce", &["\"1s\"", "\"30s\"", "\"10m\""]);
    add(dice, "cooldown", &["\"10s\"", "\"10m\"", "\"3h\""]);
    add(dice, "max-per-hour", &["1", "3", "100"]);
    add(dice, "overlap", &["\"skip\"", "\"queue\"", "\"replace\""]);
    add(dice, "filter", &["\"event.type != 'boot'\"", "\"!has(event.data.refused)\""]);
    add(
        dice,
        "zone = \"UTC\"\nallowed",
        &["[{ weekly = \"daily 10:00-15:00\" }]", "[{ weekly = \"mon 00:00-24:00\" }]"],
    );
    text
}

/// Something odd happens to the machine, the order or the agent.
fn anything(dice: &mut Dice, world: &mut World) -> Vec<RuleDecision> {
    let by_ms = [1, 1_000, MINUTE, HOUR, 24 * HOUR, 365 * 24 * HOUR][usize::try_from(dice.below(6)).unwrap()];
    match dice.below(8) {
        0 => {
            world.now_ms += by_ms;
            world.call(None, Some(Elapsed { awake_ms: 0, asleep_ms: by_ms }))
        }
        1 => {
            world.now_ms += if dice.one_in(2) { by_ms } else { -by_ms };
            world.call(None, Some(Elapsed { awake_ms: 0, asleep_ms: 0 }))
        }
        2 => {
            world.occupancy =
                [Occupancy::Idle, Occupancy::Running, Occupancy::Waiting][usize::try_from(dice.below(3)).unwrap()];
            world.call(None, Some(Elapsed { awake_ms: 0, asleep_ms: 0 }))
        }
        3 => {
            world.is_paused = !world.is_paused;
            world.call(None, Some(Elapsed { awake_ms: 0, asleep_ms: 0 }))
        }
        4 => {
            world.state.reset();
            world.call(None, Some(Elapsed { awake_ms: 0, asleep_ms: 0 }))
        }
        _ => world.pass(by_ms.min(24 * HOUR)),
    }
}

/// Levels: one that is raised fires at most once, whatever happens, until it is cleared and raised again.
#[test]
fn no_raise_fires_twice() {
    let rounds = if tests::soak!() { 4_000 } else { 120 };
    let mut dice = Dice(tests::seed());
    let mut fired_at_all = 0;
    for _ in 0..rounds {
        let mut trigger = any_trigger(&mut dice, true);
        trigger.push_str("breaker = \"100/1s\"\n");
        let mut world = World::new(&trigger);
        // What holds now, and which of it has fired.
        let (mut raised, mut fired) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..60 {
            let subject = format!("/{}", dice.below(5));
            let decisions = match dice.below(6) {
                0 | 1 => {
                    raised.insert(subject.clone());
                    world.notice(&subject, Change::Raised, Map::new())
                }
                2 => {
                    let decisions = world.notice(&subject, Change::Cleared, Map::new());
                    check_once(&decisions, &raised, &mut fired, &trigger);
                    raised.remove(&subject);
                    fired.remove(&subject);
                    continue;
                }
                3 => {
                    let by_ms = dice.below(3 * HOUR) - HOUR;
                    let mut decisions = world.restart(by_ms);
                    for subject in &raised {
                        decisions.extend(world.notice(subject, Change::Raised, Map::new()));
                    }
                    decisions
                }
                _ => anything(&mut dice, &mut world),
            };
            check_once(&decisions, &raised, &mut fired, &trigger);
            fired_at_all += decisions.iter().filter(|it| matches!(it, RuleDecision::Fire(_))).count();
        }
    }
    assert!(fired_at_all > 100, "{fired_at_all}");
}

fn check_once(decisions: &[RuleDecision], raised: &BTreeSet<String>, fired: &mut BTreeSet<String>, trigger: &str) {
    for decision in decisions {
        if let RuleDecision::Fire(firing) = decision {
            let subject = &firing.event.subject;
            assert!(raised.contains(subject), "{trigger}: {subject} does not hold");
            assert!(fired.insert(subject.clone()), "{trigger}: {subject} fired twice");
        }
    }
}

/// Moments with a debounce: the last of all that happened is what the last run sees, and each occurrence is in one run.
#[test]
fn no_burst_loses_what_it_ended_with() {
    let rounds = if tests::soak!() { 4_000 } else { 120 };
    let mut dice = Dice(tests::seed());
    for _ in 0..rounds {
        let mut trigger =
            format!("watch = {}\nbreaker = \"100/1s\"\ndebounce = \"{}s\"\n", WATCHED[1], 1 + dice.below(60));
        if dice.one_in(2) {
            trigger.push_str(&format!("cooldown = \"{}s\"\n", dice.below(7_200)));
        }
        if dice.one_in(2) {
            trigger.push_str(&format!("max-per-hour = {}\n", 1 + dice.below(5)));
        }
        let mut world = World::new(&trigger);
        let (mut number, mut last_seen, mut occurrences) = (0_u64, 0, 0);
        for step in 0..80 {
            let decisions = if step == 79 {
                world.occupancy = Occupancy::Idle;
                world.pass(24 * HOUR)
            } else {
                match dice.below(6) {
                    0..=2 => {
                        number += 1;
                        world.notice(
                            "/etc/hosts",
                            Change::Happened,
                            Map::from_iter([("number".to_owned(), json!(number))]),
                        )
                    }
                    3 => {
                        let by_ms = dice.below(2 * HOUR) - HOUR;
                        world.restart(by_ms)
                    }
                    4 => {
                        world.occupancy = if dice.one_in(2) { Occupancy::Idle } else { Occupancy::Running };
                        world.now_ms += dice.below(2 * HOUR) - HOUR;
                        world.call(None, Some(Elapsed { awake_ms: 0, asleep_ms: 0 }))
                    }
                    _ => {
                        let ms = 1 + dice.below(20 * MINUTE);
                        world.pass(ms)
                    }
                }
            };
            for decision in decisions {
                if let RuleDecision::Fire(firing) = decision {
                    let seen = firing.event.data["number"].as_u64().unwrap();
                    assert!(seen > last_seen, "{trigger}");
                    assert_eq!(occurrences + firing.event.occurrences, seen, "{trigger}: each is in one run");
                    (last_seen, occurrences) = (seen, seen);
                }
            }
        }
        assert_eq!(last_seen, number, "{trigger}");
    }
}

/// Whatever comes, what a rule remembers is bounded, and a breaker that has tripped says so once.
#[test]
fn states_are_bounded_and_breakers_tell_once() {
    let rounds = if tests::soak!() { 400 } else { 10 };
    let mut dice = Dice(tests::seed());
    let mut largest = 0;
    for _ in 0..rounds {
        let is_level = dice.one_in(2);
        let mut world = World::new(&any_trigger(&mut dice, is_level));
        let nasty = ["\u{1}".repeat(5_000), "é".repeat(3_000), "x".repeat(900), String::new()];
        let mut trips: BTreeMap<u64, u32> = BTreeMap::new();
        let mut fired = BTreeSet::new();
        for step in 0..300 {
            let subject = format!("{}{}", dice.below(400), nasty[usize::try_from(dice.below(4)).unwrap()]);
            let text = "\u{2}".repeat(usize::try_from(dice.below(4)).unwrap() * 5_000);
            let data = Map::from_iter([("text".to_owned(), json!(text))]);
            let decisions = match dice.below(8) {
                0..=3 => world.notice(&subject, Change::Raised, data),
                4 => world.notice(&subject, Change::Happened, data),
                5 if dice.one_in(10) => {
                    let by_ms = dice.below(1_000);
                    world.restart(by_ms)
                }
                6 if dice.one_in(10) => anything(&mut dice, &mut world),
                6 => {
                    world.runs = vec![a_run(&mut dice)];
                    Vec::new()
                }
                _ => world.notice(&subject, Change::Cleared, data),
            };
            for decision in decisions {
                match decision {
                    RuleDecision::Tripped(tripped) => *trips.entry(tripped.number).or_default() += 1,
                    RuleDecision::Fire(firing) => assert!(fired.insert(firing.event.id), "ids are unique"),
                    RuleDecision::NotFired(_) => {}
                }
            }
            if step % 10 == 0 {
                largest = largest.max(world.written().len());
            }
            assert!(largest <= STATE_BYTES_MAX, "{largest}");
        }
        assert!(trips.values().all(|&times| times == 1) && trips.keys().copied().eq(1..=trips.len() as u64));
    }
    assert!(largest > 200 << 10, "the bound was not tried: {largest}");
}

fn a_run(dice: &mut Dice) -> RecentRun {
    let order = |dice: &mut Dice| format!("order{}-{}", dice.below(12), "o".repeat(50));
    RecentRun {
        run: model::RunId::new(),
        order: Some(order(dice)),
        start_ms: 0,
        end_ms: None,
        chain: (0..dice.below(12)).map(|_| order(dice)).collect(),
        effects: vec![Touched {
            interface: "patch-install".to_owned(),
            function: "install-updates".to_owned(),
            target: "apt:vim".to_owned(),
            at: None,
        }],
    }
}
