//! The books: what the device remembers, what its runs left in the world, and what people were told, held against each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use model::budget::{self, Budget};
use model::{Event, Outcome, Recorded};
use serde_json::Value;

use crate::load::{CHAINS, Emitted, PACED, Paced, People, RUNS_A_DAY, TICK, TOCK};
use crate::site::{L4_RUNS, PAGE, Site, asked, now_ms, question_bytes};

const MINUTE_MS: i64 = 60_000;

/// A day in UTC, for budgets.
const DAY_MS: u64 = 86_400_000;

/// So many decisions of an order are kept.
const KEPT: u32 = 1_000;

/// What was decided of each order, read while all of it is still kept.
pub(crate) struct Log(BTreeMap<&'static str, BTreeMap<u64, Value>>);

impl Log {
    pub(crate) fn new() -> Self {
        let names = PACED.iter().map(|it| it.name).chain([TICK, TOCK, "by hand"]).chain(CHAINS.iter().map(|it| it.1));
        Self(names.map(|name| (name, BTreeMap::new())).collect())
    }

    /// Reads on, while no agent is there. What was read before must still be what was decided.
    pub(crate) fn read(&mut self, site: &Site) {
        let store = site.store();
        for (name, log) in &mut self.0 {
            for decided in store.decisions(name, None, KEPT).unwrap() {
                let body = json(&decided.body);
                let known = log.entry(decided.number).or_insert_with(|| body.clone());
                assert_eq!(*known, body, "{name}: number {} became another", decided.number);
            }
            assert!(log.keys().copied().eq(1..=log.len() as u64), "{name}: some were not read in time");
        }
    }
}

/// What was decided of one order, the oldest first.
struct Account {
    name: String,
    decided: Vec<Value>,
    /// What is not told yet: how often it did not fire since it was told last.
    untold: u64,
}

/// The record of one run.
struct Record {
    of: String,
    plugin: String,
    /// Whether it was prepared, so that it could begin.
    is_prepared: bool,
    events: Vec<Recorded>,
}

/// All that is known when the agent has come to rest.
pub(crate) struct Books {
    accounts: BTreeMap<String, Account>,
    records: BTreeMap<String, Record>,
    /// Since when each order by cron is accounted for.
    since: Vec<(&'static Paced, i64)>,
    until_ms: i64,
    emitted: Vec<Emitted>,
    completed: Vec<(&'static str, String)>,
    /// The runs that left their id in a file, as often as they did.
    wrote: Vec<String>,
    asked: Vec<String>,
    used: HashMap<Budget, u64>,
    /// How many days in UTC it went on for: budgets have room again on another.
    days: u64,
}

impl Books {
    /// Of a device whose agent has come to rest and ended.
    pub(crate) fn of(site: &Site, since: &[(&'static Paced, i64)], people: People, mut log: Log) -> Self {
        log.read(site);
        let store = site.store();
        assert!(store.set_aside().is_empty(), "nothing is damaged: {:?}", store.set_aside());
        store.check().unwrap();
        let state = |name: &str| store.get("agent", &format!("order/{name}"), 1).unwrap().map(|it| json(&it.value));
        let account = |name: &str, decided: BTreeMap<u64, Value>| {
            let tallies = state(name).map(|it| it["rule"]["tallies"].clone()).unwrap_or_default();
            let untold = tallies.as_array().into_iter().flatten().map(|it| it["count"].as_u64().unwrap()).sum();
            Account { name: name.to_owned(), decided: decided.into_values().collect(), untold }
        };
        let record = |summary: &store::Summary| Record {
            of: summary.started.trigger.name.clone(),
            plugin: summary.started.plugin.clone(),
            is_prepared: !summary.started.version.is_empty(),
            events: store.events(summary.run).unwrap(),
        };
        let runs = store.runs(u32::MAX).unwrap();
        let left = fs::read_dir(site.machine.state().join("running")).unwrap().count();
        assert!(left <= 1, "{left} files of processes that are no more, beside that of this one");
        let under_way = store.list("agent", "run/", "", 100, 1).unwrap();
        assert!(under_way.is_empty(), "{under_way:?}");
        let ledger =
            store.get(budget::COLLECTION, budget::KEY, 1).unwrap().map(|it| json(&it.value)).unwrap_or_default();
        let used = |budget: Budget| {
            let slices = ledger["spent"][budget.name()].as_object();
            slices.into_iter().flat_map(|it| it.values()).map(|it| it.as_u64().unwrap()).sum()
        };
        let records: BTreeMap<String, Record> = runs.iter().map(|it| (it.run.to_string(), record(it))).collect();
        let until_ms = now_ms();
        let began_ms = runs.iter().map(|it| it.started_ms).min().unwrap_or(until_ms);
        Self {
            accounts: log.0.into_iter().map(|(name, log)| (name.to_owned(), account(name, log))).collect(),
            asked: asked().into_iter().filter(|run| records.contains_key(run)).collect(),
            records,
            since: since.to_vec(),
            until_ms: until_ms as i64,
            emitted: people.emitted.into_inner().unwrap(),
            completed: people.completed.into_inner().unwrap(),
            wrote: lines(site),
            used: Budget::ALL.into_iter().map(|it| (it, used(it))).collect(),
            days: until_ms / DAY_MS - began_ms / DAY_MS + 1,
        }
    }

    /// All that holds, however often the agent died.
    pub(crate) fn check(&self, deaths: usize) {
        self.records.iter().for_each(|(run, record)| record.check(run));
        self.accounts.values().for_each(|account| account.check_runs(&self.records));
        self.check_that_each_record_was_decided();
        self.since.iter().for_each(|(paced, since_ms)| self.check_firings(paced, *since_ms));
        self.check_events();
        CHAINS.iter().for_each(|(first, then)| self.check_chain(first, then));
        self.check_effects();
        self.check_hands();
        self.check_budgets(deaths);
    }

    /// What is in the records is what was decided: the agent runs nothing of an order that it does not account for.
    fn check_that_each_record_was_decided(&self) {
        for (run, record) in self.records.iter().filter(|(_, record)| record.of != "by hand") {
            let account = self.accounts.get(&record.of).unwrap_or_else(|| panic!("{run} is of {}", record.of));
            assert!(
                account.queued().any(|queued| queued["run"] == run.as_str()),
                "{run} of {} was never due",
                record.of
            );
        }
    }

    /// Each time of the pattern was due once, or did not fire once; nothing else was due.
    fn check_firings(&self, paced: &Paced, since_ms: i64) {
        let (step, account) = (paced.minutes * MINUTE_MS, &self.accounts[paced.name]);
        let first = (since_ms.div_euclid(step) + 1) * step;
        let expected: BTreeSet<i64> = (first..self.until_ms).step_by(step as usize).collect();
        let mut found = BTreeMap::<i64, u32>::new();
        for queued in account.queued().filter(|queued| queued["attempt"] == 1) {
            *found.entry(queued["origin"]["schedule"]["firing"]["nominal-ms"].as_i64().unwrap()).or_default() += 1;
        }
        for not in account.of("not-fired") {
            let at = |key: &str| not[key].as_i64().unwrap();
            let span: Vec<i64> = (at("first-ms")..=at("last-ms")).step_by(step as usize).collect();
            assert_eq!(span.len() as i64, at("count"), "{}: {not} is without gaps", paced.name);
            span.into_iter().for_each(|nominal| *found.entry(nominal).or_default() += 1);
        }
        let twice: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{}: twice: {twice:?}", paced.name);
        let mut missing: Vec<_> = expected.iter().filter(|nominal| !found.contains_key(nominal)).copied().collect();
        // What became due while it ended belongs to the next agent.
        missing.retain(|nominal| *nominal < self.until_ms - step.min(5_000));
        assert!(missing.is_empty(), "{}: without an account: {missing:?}", paced.name);
        let invented: Vec<_> = found.keys().filter(|nominal| !expected.contains(nominal)).collect();
        assert!(invented.is_empty(), "{}: not in the pattern: {invented:?}", paced.name);
    }

    /// What somebody was told was emitted fired, or is told not to have; nothing fired twice, and nothing that nobody emitted.
    fn check_events(&self) {
        let numbers = |name: &str, is_told: bool| -> BTreeSet<u64> {
            let of = self.emitted.iter().filter(|it| it.name == name && (it.is_told || !is_told));
            of.map(|it| it.number).collect()
        };
        for name in [TICK, TOCK] {
            let account = &self.accounts[name];
            let events: Vec<&Value> = account.queued().map(|queued| &queued["origin"]["event"]["event"]).collect();
            let fired: Vec<u64> = events.iter().map(|event| event["data"]["number"].as_u64().unwrap()).collect();
            let once: BTreeSet<u64> = fired.iter().copied().collect();
            assert_eq!(once.len(), fired.len(), "{name}: one fired twice: {fired:?}");
            let (all, told) = (numbers(name, false), numbers(name, true));
            assert!(once.is_subset(&all), "{name}: nobody emitted {:?}", once.difference(&all));
            let occurrences: u64 = events.iter().map(|event| event["occurrences"].as_u64().unwrap()).sum();
            // What a burst took together is in its occurrences.
            let given_up = if name == TICK { account.unfired() } else { 0 };
            assert!(
                occurrences + given_up >= told.len() as u64,
                "{name}: {occurrences} + {given_up} of {}",
                told.len()
            );
            assert!(occurrences + given_up <= all.len() as u64, "{name}: {occurrences} + {given_up} of {}", all.len());
        }
    }

    /// Each end of the first has one account with the second.
    fn check_chain(&self, first: &str, then: &str) {
        let ends: Vec<&str> = self.accounts[first].of("ended").map(|it| it["run"].as_str().unwrap()).collect();
        let account = &self.accounts[then];
        let followed: Vec<&str> =
            account.queued().map(|it| it["origin"]["event"]["event"]["data"]["run"].as_str().unwrap()).collect();
        assert!(followed.iter().all(|run| ends.contains(run)), "{then} follows what did not end");
        assert_eq!(ends.len() as u64, followed.len() as u64 + account.unfired(), "{first}, then {then}");
    }

    /// No run acted twice, none without its record, and none that completed did not.
    fn check_effects(&self) {
        for (effect, times) in [("wrote", &self.wrote), ("asked", &self.asked)] {
            let mut acted = BTreeMap::<&str, u32>::new();
            times.iter().for_each(|run| *acted.entry(run).or_default() += 1);
            for (run, times) in acted {
                assert_eq!(times, 1, "{run} {effect} {times} times");
                assert!(self.records.contains_key(run), "{run} {effect} and has no record");
            }
        }
        let completed = self.records.iter().filter(|(_, it)| it.outcome() == Outcome::Completed);
        for (run, record) in completed {
            let acted = match record.plugin.as_str() {
                "asker" => &self.asked,
                "slow" => continue,
                _ => &self.wrote,
            };
            assert!(acted.contains(run), "{run} of {} completed, and did nothing", record.of);
        }
    }

    fn check_hands(&self) {
        for (plugin, run) in &self.completed {
            let record = self.records.get(run).unwrap_or_else(|| panic!("somebody was told of {run}, and it is gone"));
            assert_eq!((record.plugin.as_str(), record.outcome()), (*plugin, Outcome::Completed), "{run}");
        }
    }

    /// Budgets are what was used, and no more was used than there was.
    fn check_budgets(&self, deaths: usize) {
        let used = |budget: Budget| self.used[&budget];
        let replaces: usize = self.records.values().map(Record::replaces).sum();
        assert_eq!(used(Budget::DeletedBytes), replaces as u64 * PAGE, "{replaces} pages were replaced");
        let is_eraser = |it: &&Record| it.plugin == "eraser" && it.is_prepared && it.outcome() != Outcome::Refused;
        let erasers = self.records.values().filter(is_eraser).count() as u64;
        assert_eq!(used(Budget::L4Runs), erasers, "runs of class L4");
        assert!(erasers <= L4_RUNS * self.days, "{erasers} runs of class L4");
        // What was charged and not done any more: at most what was under way at each death.
        let (sent, once) = (used(Budget::EgressBytes), question_bytes());
        let (asked, at_most) = (self.asked.len() as u64, (self.asked.len() + 5 * deaths) as u64);
        assert!(sent % once == 0 && (asked..=at_most).contains(&(sent / once)), "{sent} bytes in {asked} questions");
        let budgeted = self.accounts["budgeted"].started();
        assert!(budgeted.len() <= RUNS_A_DAY * self.days as usize, "{budgeted:?}");
    }

    /// How many runs have ended so.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.records.values().filter(|it| it.outcome() == outcome).count()
    }

    /// In a line.
    pub(crate) fn told(&self) -> String {
        let of = |kind: &str| self.accounts.values().map(|it| it.of(kind).count()).sum::<usize>();
        let firings: usize = PACED.iter().map(|it| self.accounts[it.name].queued().count()).sum();
        let emitted = self.emitted.iter().filter(|it| it.is_told).count();
        let mut outcomes = BTreeMap::<String, usize>::new();
        self.records.values().for_each(|it| *outcomes.entry(it.outcome().to_string()).or_default() += 1);
        let used = |budget: Budget| format!("{} {budget}", self.used[&budget]);
        let used = [Budget::DeletedBytes, Budget::EgressBytes, Budget::L4Runs].map(used).join(", ");
        let (again, not_started, by_hand) = (of("again"), of("not-started"), self.completed.len());
        format!(
            "runs {outcomes:?}, {again} started again, {not_started} not started; {firings} firings queued; {emitted} events and {by_hand} \
             runs by hand told; used {used}"
        )
    }
}

impl Record {
    /// One `started`, which comes first; one end, which comes last; and nothing is missing between.
    fn check(&self, run: &str) {
        let is = |which: fn(&Event) -> bool| -> Vec<usize> {
            (0..self.events.len()).filter(|&at| which(&self.events[at].event)).collect()
        };
        let (starts, ends) = (is(|it| matches!(it, Event::Started(_))), is(|it| matches!(it, Event::Ended(_))));
        assert_eq!(starts, [0], "{run} of {}: one `started`", self.of);
        assert_eq!(ends, [self.events.len() - 1], "{run} of {}: one end", self.of);
        assert!(self.events.iter().zip(0..).all(|(event, at)| event.sequence == at), "{run} of {}: no gaps", self.of);
    }

    fn outcome(&self) -> Outcome {
        model::event::end(&self.events).unwrap().outcome
    }

    /// How often it set about replacing the page, whatever became of it: each was charged for.
    fn replaces(&self) -> usize {
        let is_replace = |it: &&Recorded| match &it.event {
            Event::Intent { targets, .. } => targets.iter().any(|target| target.ends_with("page")),
            _ => false,
        };
        self.events.iter().filter(is_replace).count()
    }
}

impl Account {
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.decided.iter().filter_map(move |told| told["what"].get(kind))
    }

    fn queued(&self) -> impl Iterator<Item = &Value> {
        self.of("queued")
    }

    /// Whose start was decided.
    fn started(&self) -> BTreeSet<&str> {
        self.of("started").map(|it| it["run"].as_str().unwrap()).collect()
    }

    /// How often it did not fire, and never will.
    fn unfired(&self) -> u64 {
        let told = self.of("unfired").filter(|it| it["is-waiting"] == false);
        told.map(|it| it["count"].as_u64().unwrap()).sum::<u64>() + self.untold
    }

    /// Each run that was due was not started, or it started and ended, as its record says. A second start follows only one that
    /// was lost, and a further try only an end that names it.
    fn check_runs(&self, records: &BTreeMap<String, Record>) {
        let mut stages = BTreeMap::<&str, &str>::new();
        let mut tries = BTreeSet::new();
        for told in &self.decided {
            let Some((kind, what)) = told["what"].as_object().and_then(|it| it.iter().next()) else { continue };
            let Some(run) = what["run"].as_str() else { continue };
            let before = stages.insert(run, kind);
            let follows = match kind.as_str() {
                "queued" => before.is_none() && (what["attempt"] == 1 || tries.remove(run)),
                "not-started" => matches!(before, Some("queued" | "again")),
                "started" => matches!(before, Some("queued" | "again")),
                "again" | "cancelled" => before == Some("started"),
                "ended" => matches!(before, Some("started" | "cancelled")),
                other => panic!("{}: {other}", self.name),
            };
            assert!(follows, "{}: {kind} after {before:?}: {run}", self.name);
            if kind == "ended" {
                tries.extend(what["retry"].as_str());
                match records.get(run) {
                    Some(record) => assert_eq!(what["outcome"], record.outcome().to_string(), "{}: {run}", self.name),
                    // Whoever asked was told why it could not be.
                    None if self.name == "by hand" && what["outcome"] == "host-error" => {}
                    None => panic!("{}: {run} ended and has no record: {told}", self.name),
                }
            } else if kind == "not-started" {
                // What the owner refused has a record that says so.
                let outcome = records.get(run).map(Record::outcome);
                assert!(
                    matches!(outcome, None | Some(Outcome::Refused)),
                    "{}: {run} was not started: {outcome:?}",
                    self.name
                );
            }
        }
        assert!(tries.is_empty(), "{}: it was to be tried again: {tries:?}", self.name);
        let open: Vec<_> = stages.iter().filter(|(_, stage)| !["ended", "not-started"].contains(stage)).collect();
        assert!(open.is_empty(), "{}: without an end: {open:?}", self.name);
    }
}

fn lines(site: &Site) -> Vec<String> {
    let effects = fs::read_to_string(site.scratch.join("effects")).unwrap_or_default();
    effects.lines().map(str::to_owned).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
