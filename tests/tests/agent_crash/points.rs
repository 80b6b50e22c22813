//! `kill -9` at every durable write that an agent comes to.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::thread;
use std::time::{Duration, Instant};

use tests::Chance;

use crate::books::{Books, Log};
use crate::load::{self, People};
use crate::site::{Agent, Site, wait_for};

const KILL: i32 = 9;

/// How long an agent at work has to come to a point. Most come within a second.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Passed by an agent at work.
const AT_WORK: [&str; 3] = ["document.", "event.", "files."];
/// Passed where an agent finds nothing, or something damaged, when it starts.
const AT_THE_START: [&str; 2] = ["schema.", "aside."];
/// Passed where it runs something for the first time.
const AT_THE_FIRST_RUN: [&str; 1] = ["compiled."];
/// Passed where a source keeps what it saw.
const OF_SOURCES: [&str; 1] = ["whole."];
/// Where no agent comes, or comes in another test.
const ELSEWHERE: [(&str, &str); 3] = [
    ("secret.", "`remit secret` writes them, and an agent reads them: crash.rs"),
    ("suspended.", "a run that reboots a machine: suspended.rs"),
    ("upgrade.", "an agent that is replaced: installed/upgrades.rs"),
];

fn points(prefixes: &[&str]) -> Vec<&'static str> {
    let is_wanted = |point: &&&str| prefixes.iter().any(|prefix| point.starts_with(prefix));
    store::fail::POINTS.iter().filter(is_wanted).copied().collect()
}

#[test]
fn every_point_belongs_to_a_test() {
    let elsewhere = ELSEWHERE.map(|(prefix, _)| prefix);
    let mut tested = points(&[&AT_WORK[..], &AT_THE_START, &AT_THE_FIRST_RUN, &OF_SOURCES, &elsewhere].concat());
    let mut all = store::fail::POINTS.to_vec();
    tested.sort_unstable();
    all.sort_unstable();
    assert_eq!(tested, all);
}

/// Waits for an agent to die of its own point. Says whether it did.
fn dies(agent: &mut Agent, within: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < within {
        if let Some(status) = agent.ended() {
            assert_eq!(status.signal(), Some(KILL), "it ended otherwise");
            // What it started goes with it.
            agent.kill();
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn an_agent_that_dies_at_a_durable_write_accounts_for_everything() {
    let times = if tests::soak!() { 12 } else { 3 };
    let mut chance = Chance::new(tests::seed());
    let site = Site::new();
    let (since, mut log) = (load::place(&site), Log::new());
    let mut deaths = BTreeMap::<&str, usize>::new();
    let began = Instant::now();
    let (people, ()) = People::busy(&site, || {
        for time in 0..times {
            for point in points(&AT_WORK) {
                // The first time that it is reached, and later ones: what an agent does first is to put things in order.
                let nth = if time == 0 { 1 } else { 1 + chance.below(6) };
                let mut agent = site.spawn_with(&[("REMIT_FAIL_POINT", &format!("{point}:{nth}"))]);
                assert!(dies(&mut agent, TIME_MAX), "{point}:{nth} is not reached\n{}", site.said());
                *deaths.entry(point).or_default() += 1;
                log.read(&site);
            }
        }
    });
    let died = began.elapsed();
    let mut agent = site.start();
    load::come_to_rest(&site, &mut agent);
    let books = Books::of(&site, &since, people, log);
    books.check(deaths.values().sum());
    eprintln!("{deaths:?} within {died:?}: {}", books.told());
}

#[test]
fn an_agent_that_dies_when_it_starts_is_followed_by_one_that_starts() {
    for point in points(&AT_THE_START) {
        let site = Site::new();
        let state = site.machine.state();
        site.order("look", "asker", "detect", "schedule = { cron = \"0 * * * *\", zone = \"UTC\" }\n");
        if point.starts_with("aside.") {
            let _ = fs::remove_file(state.join("state.db-wal"));
            fs::write(state.join("state.db"), "no database ".repeat(1_000)).unwrap();
        } else {
            fs::remove_dir_all(&state).unwrap();
        }
        let mut agent = site.spawn_with(&[("REMIT_FAIL_POINT", point)]);
        assert!(dies(&mut agent, TIME_MAX), "{point} is not reached\n{}", site.said());
        let mut agent = site.start();
        assert!(wait_for(|| site.ask(&["agent", "orders"]).json().as_array().unwrap().len() == 1), "{point}");
        agent.stop();
        let names = fs::read_dir(&state).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        let aside = names.filter(|name| name.contains(".corrupt-"));
        assert_eq!(
            aside.count(),
            usize::from(point.starts_with("aside.")),
            "{point}: what is damaged is set aside once"
        );
        site.store().check().unwrap();
    }
}

/// It compiles what runs scripts, and keeps it: a run that dies there is done by the next agent.
#[test]
fn an_agent_that_dies_when_it_runs_something_for_the_first_time_runs_it_after() {
    for point in points(&AT_THE_FIRST_RUN) {
        let site = Site::new();
        site.order("go", "asker", "detect", "[event]\nwatch = { type = \"emitted\", name = \"go\" }\n");
        fs::remove_dir_all(site.machine.state().join("compiled")).unwrap();
        let mut agent = site.spawn_with(&[("REMIT_FAIL_POINT", point)]);
        let emit = || site.ask(&["emit", "go"]).stdout.contains("go");
        // It may be reached before anything is emitted: what a plugin may do is kept there too.
        let is_told = wait_for(|| emit() || !site.is_up());
        assert!(is_told && dies(&mut agent, TIME_MAX), "{point} is not reached\n{}", site.said());
        let mut agent = site.start();
        assert!(wait_for(|| !site.machine.runs().is_empty() || emit()), "{point}: {}", site.said());
        site.settle();
        agent.stop();
        let runs = site.machine.runs();
        let has_completed = |run: &serde_json::Value| run["ended"]["outcome"] == "completed";
        assert!(!runs.is_empty() && runs.iter().all(has_completed), "{point}: {runs:?}");
    }
}

#[test]
fn an_agent_that_dies_where_a_source_keeps_what_it_saw_misses_nothing_after() {
    for point in points(&OF_SOURCES) {
        let site = Site::new();
        let watched = site.machine.folder("watched").join("it");
        fs::write(&watched, "one").unwrap();
        let watch = format!("[event]\nwatch = {{ type = \"file-change\", path = {watched:?} }}\n");
        site.order("changed", "asker", "detect", &watch);
        let mut agent = site.spawn_with(&[("REMIT_FAIL_POINT", point)]);
        assert!(dies(&mut agent, TIME_MAX), "{point} is not reached\n{}", site.said());
        let mut agent = site.start();
        assert!(wait_for(|| site.ask(&["agent", "orders"]).json()[0]["order"] == "changed"), "{point}");
        thread::sleep(Duration::from_secs(1));
        assert_eq!(site.machine.runs().len(), 0, "{point}: nothing changed");
        fs::write(&watched, "two").unwrap();
        assert!(wait_for(|| site.machine.runs().len() == 1), "{point}: {}", site.said());
        site.settle();
        agent.stop();
        let runs = site.machine.runs();
        assert_eq!((runs.len(), &runs[0]["ended"]["outcome"]), (1, &"completed".into()), "{point}: {runs:?}");
    }
}
