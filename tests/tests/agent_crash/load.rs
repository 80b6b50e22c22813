//! The load: orders by cron and by events, and people who emit events and run things by hand, whether an agent listens or not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::remit::Ran;

use crate::site::{Agent, Site, wait_for};

/// How many bytes an event carries along that takes room. All of its runs' records have it, and have to fit on the disk.
const BALLAST: usize = 8_000;

const MINUTE_MS: i64 = 60_000;

/// An order by cron, due every so many minutes.
pub(crate) struct Paced {
    pub(crate) name: &'static str,
    pub(crate) minutes: i64,
    /// For so many minutes nobody has looked at it when the load begins.
    missed: i64,
    runs: (&'static str, &'static str),
    /// Beside `cron` and `zone`.
    schedule: &'static str,
    more: &'static str,
}

/// The most runs of `budgeted` in a day.
pub(crate) const RUNS_A_DAY: usize = 3;

const RETRY: &str = "[retry]\nattempts = 3\nbackoff = \"1s\"\nat-most = \"1s\"\n";
const DETECT: &str = "detect";
const ENFORCE: &str = "enforce";

#[rustfmt::skip]
pub(crate) const PACED: [Paced; 9] = [
    Paced { name: "look", minutes: 1, missed: 6, runs: ("asker", DETECT), schedule: ", misfire = \"run-all(6)\", overlap = \"queue\"", more: "" },
    Paced { name: "look-late", minutes: 2, missed: 20, runs: ("asker", DETECT), schedule: ", misfire = \"run-all(4)\", overlap = \"queue\"", more: RETRY },
    Paced { name: "look-once", minutes: 3, missed: 30, runs: ("asker", "dry-run"), schedule: "", more: "" },
    Paced { name: "ask", minutes: 1, missed: 6, runs: ("asker", ENFORCE), schedule: ", misfire = \"run-all(4)\", overlap = \"queue\"", more: "" },
    Paced { name: "write", minutes: 1, missed: 6, runs: ("writer", ENFORCE), schedule: ", misfire = \"run-all(6)\", overlap = \"queue\"", more: RETRY },
    Paced { name: "write-over", minutes: 2, missed: 10, runs: ("writer", ENFORCE), schedule: ", misfire = \"run-all(2)\", overlap = \"replace\"", more: "" },
    Paced { name: "erase", minutes: 5, missed: 60, runs: ("eraser", ENFORCE), schedule: ", misfire = \"run-all(8)\", overlap = \"queue\"", more: "" },
    Paced { name: "slow", minutes: 1, missed: 3, runs: ("slow", DETECT), schedule: ", misfire = \"run-all(3)\", overlap = \"queue\"", more: "priority = \"high\"\n" },
    Paced { name: "budgeted", minutes: 1, missed: 9, runs: ("asker", DETECT), schedule: ", misfire = \"run-all(9)\", overlap = \"queue\"", more: "[budget]\nruns-per-day = 3\n" },
];

/// Fires for each `tick`, unless one waits already.
pub(crate) const TICK: &str = "tick";
/// Fires once for all `tock` of a second.
pub(crate) const TOCK: &str = "tock";
/// An order, and another one that runs when its runs have ended.
pub(crate) const CHAINS: [(&str, &str); 3] =
    [(TICK, "after-tick"), ("write", "after-write"), ("after-write", "after-that")];

/// Places the orders, and has those by cron find something that was missed. Gives since when each is accounted for.
pub(crate) fn place(site: &Site) -> Vec<(&'static Paced, i64)> {
    for Paced { name, minutes, runs: (plugin, mode), schedule, more, .. } in &PACED {
        let schedule = format!("schedule = {{ cron = \"*/{minutes} * * * *\", zone = \"UTC\"{schedule} }}\n");
        site.order(name, plugin, mode, &format!("{schedule}{more}"));
    }
    // What people and chains bring about is no loop: a hundred a minute is more than there will be.
    let on = |watch: &str, more: &str| format!("[event]\nbreaker = \"100/1m\"\nwatch = {{ {watch} }}\n{more}\n");
    site.order(TICK, "asker", ENFORCE, &on("type = \"emitted\", name = \"tick\"", "overlap = \"queue\""));
    site.order(TOCK, "writer", ENFORCE, &on("type = \"emitted\", name = \"tock\"", "debounce = \"1s\""));
    for (first, then) in CHAINS {
        let watch = format!("type = \"run-finished\", order = \"{first}\"");
        site.order(then, "asker", DETECT, &on(&watch, "overlap = \"queue\""));
    }
    let mut agent = site.start();
    let count = PACED.len() + 2 + CHAINS.len();
    assert!(wait_for(|| site.ask(&["agent", "orders"]).json().as_array().unwrap().len() == count), "{}", site.said());
    site.settle();
    agent.stop();
    PACED.iter().map(|paced| (paced, site.was_off_for(paced.name, paced.missed * MINUTE_MS))).collect()
}

/// Waits until nothing is under way and nothing waits, not even for more of the same, and ends the agent.
pub(crate) fn come_to_rest(site: &Site, agent: &mut Agent) {
    let store = site.store();
    let burst = || {
        let kept = store.get("agent", &format!("order/{TOCK}"), 1).unwrap().unwrap();
        serde_json::from_str::<Value>(&kept.value).unwrap()["rule"]["burst"].clone()
    };
    assert!(wait_for(|| burst().is_null()), "{}: {}", burst(), site.said());
    site.settle();
    agent.stop();
}

/// What people did, and what they were told of it.
#[derive(Default)]
pub(crate) struct People {
    is_over: AtomicBool,
    number: AtomicU64,
    pub(crate) emitted: Mutex<Vec<Emitted>>,
    /// Runs by hand of which somebody was told that they completed: their plugins and ids.
    pub(crate) completed: Mutex<Vec<(&'static str, String)>>,
}

/// An event that somebody emitted.
pub(crate) struct Emitted {
    pub(crate) name: &'static str,
    pub(crate) number: u64,
    /// Whether they were told that it was.
    pub(crate) is_told: bool,
    /// What they were told instead.
    why_not: String,
}

impl People {
    /// They do what they do while something else is done.
    pub(crate) fn busy<T>(site: &Site, meanwhile: impl FnOnce() -> T) -> (Self, T) {
        Self::busy_with(site, 0, |_| meanwhile())
    }

    /// The same, and so many more of them emit without a pause what takes room.
    pub(crate) fn busy_with<T>(site: &Site, loud: usize, meanwhile: impl FnOnce(&Self) -> T) -> (Self, T) {
        let people = Self::default();
        let done = thread::scope(|scope| {
            // Fewer than would trip a breaker.
            scope.spawn(|| {
                people.repeat(Duration::from_millis(300), |turn| people.emit(site, [TICK, TOCK][turn % 2], 0))
            });
            for _ in 0..loud {
                scope.spawn(|| people.repeat(Duration::ZERO, |_| people.emit(site, TOCK, BALLAST)));
            }
            scope.spawn(|| people.repeat(Duration::from_millis(300), |turn| people.run(site, turn)));
            // Whatever becomes of it, they go home.
            let _over = Over(&people);
            meanwhile(&people)
        });
        (people, done)
    }

    /// Of how many events people were told that they cannot be written down.
    pub(crate) fn refused(&self) -> usize {
        self.emitted.lock().unwrap().iter().filter(|it| it.why_not.contains("it cannot be written down")).count()
    }

    fn repeat(&self, pause: Duration, act: impl Fn(usize)) {
        for turn in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            act(turn);
            thread::sleep(pause);
        }
    }

    fn emit(&self, site: &Site, name: &'static str, ballast: usize) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let data = serde_json::json!({ "number": number, "ballast": "x".repeat(ballast) });
        let ran = site.ask(&["emit", name, "--data", &data.to_string()]);
        self.emitted.lock().unwrap().push(Emitted { name, number, is_told: ran.code == Some(0), why_not: ran.stderr });
    }

    fn run(&self, site: &Site, turn: usize) {
        let (plugin, mode) = [("writer", ENFORCE), ("asker", DETECT), ("asker", ENFORCE)][turn % 3];
        let ran = site.ask(&["run", plugin, "--mode", mode]);
        if let Some(run) = completed(&ran) {
            self.completed.lock().unwrap().push((plugin, run));
        }
    }
}

struct Over<'a>(&'a People);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// The run, where its end was told, and it completed.
fn completed(ran: &Ran) -> Option<String> {
    let told: Value = serde_json::from_str(&ran.stdout).ok()?;
    (told["outcome"] == "completed").then(|| told["run"].as_str().unwrap().to_owned())
}
