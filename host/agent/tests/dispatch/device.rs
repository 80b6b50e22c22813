//! A device: what is durable on it, the clocks, runs that really go on, and an agent that dies.

use std::collections::{BTreeMap, BTreeSet};

use agent::{
    Dispatcher, Elapsed, HandRun, Input, Limits, Now, Order, Placed, Priority, Reason, Run, Scope, Shell, Stage, Step,
};
use contract::Class;
use model::{Mode, Outcome, RunId};

use crate::books::{Books, Totals};
use crate::dice::Dice;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// 2027-07-01.
const BEGIN: i64 = 1_814_400_000_000;

/// Nobody waits longer for the machine; a run takes ten minutes at most.
const WAIT_MAX: i64 = 8 * HOUR;

const ORDERS: [(&str, &str); 8] = [
    ("looks", "mode = \"detect\"\n[schedule]\ncron = \"*/10 * * * *\"\noverlap = \"queue\""),
    ("low", "mode = \"dry-run\"\npriority = \"low\"\n[schedule]\ncron = \"*/15 * * * *\"\nmisfire = \"run-all(5)\""),
    (
        "changes",
        "mode = \"enforce\"\nretry = { attempts = 3, backoff = \"3m\" }\n[schedule]\ncron = \"*/20 * * * *\"\noverlap = \"queue\"",
    ),
    (
        "follows",
        "mode = \"detect\"\n[event]\nwatch = { type = \"run-finished\", order = \"changes\" }\noverlap = \"queue\"\nbreaker = \"100/1h\"",
    ),
    (
        "replaces",
        "mode = \"detect\"\nretry = { attempts = 2, backoff = \"1m\" }\n[schedule]\ncron = \"*/5 * * * *\"\noverlap = \"replace\"",
    ),
    (
        "bounded",
        "mode = \"enforce\"\nbudget = { runs-per-day = 5 }\n[schedule]\ncron = \"0 * * * *\"\njitter = \"20m\"",
    ),
    ("important", "mode = \"enforce\"\npriority = \"high\"\n[schedule]\ncron = \"*/30 * * * *\"\nmisfire = \"skip\""),
    ("often", "mode = \"detect\"\npriority = \"low\"\n[schedule]\ncron = \"* * * * *\"\nmisfire = \"run-all(9)\""),
];

/// How many minutes lie between firings of each; none, where it waits for something else.
const EVERY: [i64; 8] = [10, 15, 20, 0, 5, 60, 30, 1];

fn order(text: &str) -> Order {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let head = format!("format = 1\nplugin = \"p\"\ndigest = \"sha256:{digest}\"\n");
    Order::from_toml("order", &format!("{head}{text}\nzone = \"UTC\"\n")).unwrap()
}

fn ended(run: RunId, outcome: Outcome) -> Input {
    Input::Ended { run, outcome, touched: Vec::new(), data: serde_json::Map::new() }
}

/// A run that really goes on, and how it will end.
struct Going {
    until: i64,
    outcome: Outcome,
}

pub(crate) struct Device<'a> {
    dice: &'a mut Dice,
    /// Whether clocks are set and orders change.
    is_wild: bool,
    orders: BTreeMap<String, Order>,
    placed: BTreeSet<String>,
    limits: Limits,
    /// Durable: what is kept, and the record of each run.
    kept: BTreeMap<String, String>,
    books: Books,
    begun: BTreeSet<RunId>,
    ended: BTreeMap<RunId, Outcome>,
    /// Lost with the agent.
    dispatcher: Dispatcher,
    going: BTreeMap<RunId, Going>,
    suspended: BTreeSet<RunId>,
    since: Option<Elapsed>,
    wake_ms: Option<i64>,
    /// Time as it really goes by, and by how much the clock is ahead.
    real: i64,
    ahead: i64,
    runs: u64,
    /// When each run that waits could have started, in real time.
    waits: BTreeMap<RunId, i64>,
}

struct House<'a> {
    runs: &'a mut u64,
    refuses: bool,
}

impl Shell for House<'_> {
    fn new_run(&mut self) -> RunId {
        *self.runs += 1;
        format!("run_{:026}", self.runs).parse().unwrap()
    }

    fn permits(&mut self, run: &Run, _: Option<&Order>) -> Result<(), Reason> {
        match self.refuses && run.order().is_some() {
            true => Err(Reason::Policy { what: "today".to_owned() }),
            false => Ok(()),
        }
    }
}

impl<'a> Device<'a> {
    pub(crate) fn new(dice: &'a mut Dice, is_wild: bool) -> Self {
        let limits = Limits { waiting_max: 6 + usize::try_from(dice.below(10)).unwrap(), looking_max: 3 };
        let orders: BTreeMap<String, Order> =
            ORDERS.iter().map(|(name, text)| ((*name).to_owned(), order(text))).collect();
        let mut device = Self {
            dice,
            is_wild,
            placed: orders.keys().cloned().collect(),
            orders,
            limits,
            kept: BTreeMap::new(),
            books: Books::new(is_wild),
            begun: BTreeSet::new(),
            ended: BTreeMap::new(),
            dispatcher: Dispatcher::restore([], limits, BEGIN).dispatcher,
            going: BTreeMap::new(),
            suspended: BTreeSet::new(),
            since: None,
            wake_ms: None,
            real: BEGIN,
            ahead: 0,
            runs: 0,
            waits: BTreeMap::new(),
        };
        let mut totals = Totals::default();
        device.put(device.reloaded(), &mut totals);
        device
    }

    pub(crate) fn live(mut self, events: u32, totals: &mut Totals) {
        for _ in 0..events {
            self.happen(totals);
        }
        self.close(totals);
    }

    /// One thing happens: most often, time goes by.
    fn happen(&mut self, totals: &mut Totals) {
        match self.dice.below(40) {
            0 => self.crash("under way", totals),
            1 => {
                let wait_ms = self.dice.one_in(3).then_some(20 * MINUTE);
                let mode = if self.dice.one_in(2) { Mode::Enforce } else { Mode::Detect };
                self.runs += 1;
                let id = format!("run_{:026}", self.runs).parse().unwrap();
                self.put(Input::Asked(HandRun { id, mode, priority: Priority::High, wait_ms }), totals);
                if self.dice.one_in(4) {
                    self.put(Input::Gone(id), totals);
                }
            }
            2 => {
                let scope = if self.dice.one_in(3) { Scope::All } else { Scope::Order(self.some_order()) };
                self.put(Input::Paused(scope.clone()), totals);
                if self.dice.one_in(2) {
                    self.pass_some(30 * MINUTE, totals);
                }
                self.put(Input::Resumed(scope), totals);
                self.put(Input::Resumed(Scope::All), totals);
            }
            3 => {
                self.put(Input::Drain, totals);
                self.pass_some(20 * MINUTE, totals);
                self.put(Input::GoOn, totals);
            }
            4 => {
                let asleep = self.dice.below(4 * HOUR);
                self.real += asleep;
                self.going.values_mut().for_each(|going| going.until += asleep);
                self.waits.values_mut().for_each(|since| *since += asleep);
                if let Some(since) = &mut self.since {
                    since.asleep_ms += asleep;
                }
                self.put(Input::Looked, totals);
            }
            5 if self.is_wild => {
                self.ahead += self.dice.below(6 * HOUR) - 3 * HOUR;
                self.put(Input::Looked, totals);
            }
            6 if self.is_wild => {
                let name = self.some_order();
                if !self.placed.remove(&name) {
                    self.placed.insert(name);
                }
                self.put(self.reloaded(), totals);
            }
            7 => self.put(self.reloaded(), totals),
            8 => {
                if let Some(run) = self.suspended.pop_first() {
                    self.put(Input::Again(run), totals);
                }
            }
            _ => self.pass_some(30 * MINUTE, totals),
        }
    }

    fn some_order(&mut self) -> String {
        let at = usize::try_from(self.dice.below(8)).unwrap();
        ORDERS[at].0.to_owned()
    }

    fn reloaded(&self) -> Input {
        let placed = self.orders.iter().filter(|(name, _)| self.placed.contains(*name));
        let orders = placed
            .map(|(name, order)| Placed {
                name: name.clone(),
                order: order.clone(),
                class: Class::L2,
                calendars: Vec::new(),
            })
            .collect();
        Input::Reloaded { orders, device: agent::Device::default(), facts: serde_json::Map::new() }
    }

    /// Time goes by, and what is due meanwhile is looked at and ends.
    fn pass_some(&mut self, most: i64, totals: &mut Totals) {
        let end = self.real + self.dice.below(most);
        while self.real < end {
            let wake = self.wake_ms.map(|wake_ms| wake_ms - self.ahead).unwrap_or(end);
            let next = self.going.values().map(|going| going.until).min().unwrap_or(end);
            let until = wake.min(next).clamp(self.real + 1, end.max(self.real + 1));
            self.wait(until - self.real);
            let over = self.going.iter().find(|(_, going)| going.until <= self.real).map(|(id, _)| *id);
            match over {
                Some(run) => self.end(run, totals),
                None => self.put(Input::Looked, totals),
            }
        }
    }

    fn wait(&mut self, ms: i64) {
        self.real += ms;
        if let Some(since) = &mut self.since {
            since.awake_ms += ms;
        }
    }

    /// A run ends, which its record says first.
    fn end(&mut self, run: RunId, totals: &mut Totals) {
        let Some(Going { outcome, .. }) = self.going.remove(&run) else { return };
        if outcome == Outcome::Suspended {
            self.suspended.insert(run);
        } else {
            self.ended.insert(run, outcome);
        }
        if self.dice.one_in(50) {
            return self.crash("under way", totals);
        }
        self.put(ended(run, outcome), totals);
    }

    /// One step, which is durable and then done, if the agent does not die before or between.
    fn put(&mut self, input: Input, totals: &mut Totals) {
        if self.dice.one_in(100) {
            self.decide(input);
            return self.crash("before", totals);
        }
        let step = self.decide(input);
        totals.steps += 1;
        for (key, value) in &step.changed {
            match value {
                Some(value) => self.kept.insert(key.clone(), value.clone()),
                None => self.kept.remove(key),
            };
        }
        for told in &step.told {
            self.books.enter(told, &self.orders, totals);
        }
        self.look_around();
        if self.dice.one_in(100) {
            return self.crash("after", totals);
        }
        let is_last = step.start.len() > 1 && self.dice.one_in(20);
        for run in &step.start {
            self.begin(run);
            if is_last {
                return self.crash("between", totals);
            }
        }
        for run in &step.cancel {
            self.suspended.remove(run);
            let until = self.real + self.dice.below(MINUTE);
            self.going.insert(*run, Going { until, outcome: Outcome::Cancelled });
        }
        self.wake_ms = step.wake_ms;
    }

    fn decide(&mut self, input: Input) -> Step {
        let elapsed = self.since.replace(Elapsed { awake_ms: 0, asleep_ms: 0 });
        let refuses = self.dice.one_in(60);
        let now = Now { now_ms: self.real + self.ahead, elapsed };
        self.dispatcher.step(input, now, &mut House { runs: &mut self.runs, refuses })
    }

    /// Its record begins, and it goes on for a while.
    fn begin(&mut self, run: &Run) {
        assert!(self.begun.insert(run.id) || run.resumes, "{run:?} begins twice");
        assert!(!self.ended.contains_key(&run.id), "{run:?} has ended");
        assert!(!self.going.contains_key(&run.id), "{run:?} is under way");
        let outcome = match self.dice.below(12) {
            0 => Outcome::Timeout,
            1 => Outcome::HostError,
            2 => Outcome::Trap,
            3 if run.mode == Mode::Enforce && !run.resumes => Outcome::Suspended,
            4 => Outcome::Refused,
            _ => Outcome::Completed,
        };
        let length = if self.dice.one_in(4) { self.dice.below(10 * MINUTE) } else { self.dice.below(MINUTE) };
        self.going.insert(run.id, Going { until: self.real + length, outcome });
    }

    /// What must hold after every step.
    fn look_around(&mut self) {
        let runs: Vec<Run> = self.dispatcher.runs().cloned().collect();
        let under_way = |run: &&Run| matches!(run.stage, Stage::UnderWay { .. });
        let changing = runs.iter().filter(under_way).filter(|run| run.mode == Mode::Enforce).count();
        let looking = runs.iter().filter(under_way).count() - changing;
        // Whoever waits for a reboot and is told to stop is brought to an end, beside whatever runs.
        let is_stopped = |run: &Run| matches!(run.stage, Stage::UnderWay { is_cancelled: true, .. });
        if !runs.iter().any(is_stopped) {
            assert!(changing <= 1 && (changing == 0 || looking == 0), "{runs:#?}");
            assert!(looking <= self.limits.looking_max);
        }
        let waiting = runs.iter().filter(|run| run.stage == Stage::Waiting).count();
        assert!(waiting <= self.limits.waiting_max + 8, "{waiting} wait");
        let mut lines = BTreeSet::new();
        for run in runs.iter().filter(under_way).filter_map(Run::order) {
            assert!(lines.insert(run.to_owned()), "two of {run} at once");
        }
        // Behind one that waits for a reboot, a run waits for whoever boots.
        let blocked: BTreeSet<&str> =
            runs.iter().filter(|run| run.stage == Stage::Suspended).filter_map(Run::order).collect();
        let is_blocked = |run: &&Run| run.order().is_some_and(|order| blocked.contains(order));
        let waiting = runs.iter().filter(|run| run.stage == Stage::Waiting);
        let now_waiting: BTreeSet<RunId> = waiting.filter(|run| !is_blocked(run)).map(|run| run.id).collect();
        self.waits.retain(|run, _| now_waiting.contains(run));
        for run in &now_waiting {
            let since = *self.waits.entry(*run).or_insert(self.real);
            assert!(self.real - since < WAIT_MAX, "{run} starves: {runs:#?}");
        }
    }

    /// The agent dies, and a new one puts in order what it finds.
    fn crash(&mut self, place: &'static str, totals: &mut Totals) {
        *totals.crashes.entry(place).or_default() += 1;
        self.going.clear();
        self.since = None;
        self.wake_ms = None;
        let down = if self.dice.one_in(4) { self.dice.below(5 * HOUR) } else { self.dice.below(MINUTE) };
        self.real += down;
        self.waits.values_mut().for_each(|since| *since += down);
        if self.is_wild && self.dice.one_in(10) {
            self.ahead += self.dice.below(2 * HOUR) - HOUR;
        }
        let restored = Dispatcher::restore(self.kept.clone(), self.limits, self.real + self.ahead);
        assert!(restored.set_aside.is_empty(), "{:?}", restored.set_aside);
        self.dispatcher = restored.dispatcher;
        self.put(self.reloaded(), totals);
        for run in restored.under_way {
            // Another crash has put it in order already.
            let is_there = |it: &Run| it.id == run.id && it.stage == run.stage;
            if !self.dispatcher.runs().any(is_there) {
                continue;
            }
            let is_suspended = self.suspended.contains(&run.id);
            let input = match self.ended.get(&run.id) {
                Some(outcome) => ended(run.id, *outcome),
                None if is_suspended && run.stage == Stage::Suspended => continue,
                None if is_suspended && !run.resumes => ended(run.id, Outcome::Suspended),
                None if !self.begun.contains(&run.id) => Input::Again(run.id),
                None => {
                    self.suspended.remove(&run.id);
                    self.ended.insert(run.id, Outcome::Interrupted);
                    ended(run.id, Outcome::Interrupted)
                }
            };
            self.put(input, totals);
        }
    }

    /// Nothing fires any more; all that waits and runs comes to its end.
    fn close(mut self, totals: &mut Totals) {
        self.put(Input::Looked, totals);
        // The agent may have died in that, and time gone by until it was there again.
        let last = self.real + self.ahead;
        for (at, (name, _)) in ORDERS.iter().enumerate().filter(|(at, _)| !self.is_wild && EVERY[*at] > 0) {
            let every = EVERY[at] * MINUTE;
            let due = last.div_euclid(every) - BEGIN.div_euclid(every);
            let accounts = i64::try_from(self.books.accounts(name)).unwrap();
            // The first and the last of these may lie on this side or on the other, by their place in the jitter.
            let open = if *name == "bounded" { 1 } else { 0 };
            assert!((due - open..=due + open).contains(&accounts), "{name}: {accounts} accounts of {due} firings");
        }
        self.placed.clear();
        for _ in 0..2_000 {
            self.put(self.reloaded(), totals);
            self.pass_some(30 * MINUTE, totals);
            while let Some(run) = self.suspended.pop_first() {
                self.put(Input::Again(run), totals);
            }
            if self.dispatcher.runs().next().is_none() {
                break;
            }
        }
        self.books.close();
        assert!(!self.kept.keys().any(|key| key.starts_with("run/")), "{:?}", self.kept.keys());
        assert!(self.begun.iter().all(|run| self.ended.contains_key(run) && self.books.is_over(*run)));
    }
}
