//! A device whose clock is moved by hand, whose runs last until somebody ends them, and what is decided on it, in words.

use std::collections::{BTreeMap, BTreeSet};

use contract::Class;
use contract::run::Mode;
use jiff::Timestamp;
use model::{Outcome, RunId};
use serde_json::Map;

use crate::{
    Change, Device, Dispatcher, Elapsed, HandRun, Input, Limits, Notice, Now, Order, Placed, Priority, Reason, Run,
    Scope, Shell, Step, Touched, What,
};

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// All of a device that lasts longer than an agent, and the agent.
pub(super) struct Bench {
    pub(super) dispatcher: Dispatcher,
    pub(super) kept: BTreeMap<String, String>,
    pub(super) orders: Vec<Placed>,
    pub(super) limits: Limits,
    pub(super) now_ms: i64,
    pub(super) last: Step,
    house: House,
    since: Option<Elapsed>,
}

/// What the bench answers when it is asked.
#[derive(Default)]
struct House {
    runs: u64,
    forbidden: BTreeSet<String>,
}

impl Shell for House {
    fn new_run(&mut self) -> RunId {
        self.runs += 1;
        run(self.runs)
    }

    fn permits(&mut self, run: &Run, _: Option<&Order>) -> Result<(), Reason> {
        let is_forbidden = run.order().is_some_and(|order| self.forbidden.contains(order));
        if is_forbidden { Err(Reason::Policy { what: "plugins".to_owned() }) } else { Ok(()) }
    }
}

/// The so manieth run of a bench.
pub(super) fn run(number: u64) -> RunId {
    format!("run_{number:026}").parse().unwrap()
}

/// An order that fires each hour, with these lines more.
pub(super) fn order(mode: &str, lines: &str, schedule: &str) -> Order {
    let text = format!(
        "format = 1\nplugin = \"p\"\ndigest = \"{DIGEST}\"\nmode = \"{mode}\"\n{lines}\n[schedule]\ncron = \"0 * * * *\"\n\
         zone = \"UTC\"\n{schedule}\n"
    );
    Order::from_toml("x.toml", &text).unwrap()
}

/// An order that waits for this.
pub(super) fn rule(mode: &str, lines: &str, event: &str) -> Order {
    let head = format!("format = 1\nplugin = \"p\"\ndigest = \"{DIGEST}\"\nmode = \"{mode}\"\n{lines}");
    Order::from_toml("x.toml", &format!("{head}\n[event]\n{event}\n")).unwrap()
}

pub(super) fn ms(time: &str) -> i64 {
    format!("2027-06-{time}:00Z").parse::<Timestamp>().unwrap().as_millisecond()
}

impl Bench {
    /// With these orders, a little after the first of June began.
    pub(super) fn new(orders: &[(&str, Order)]) -> Self {
        Self::with(orders, Limits::default())
    }

    pub(super) fn with(orders: &[(&str, Order)], limits: Limits) -> Self {
        let placed = |(name, order): &(&str, Order)| Placed {
            name: (*name).to_owned(),
            order: order.clone(),
            class: Class::L2,
            calendars: Vec::new(),
        };
        let now_ms = ms("01T00:30");
        let mut bench = Self {
            dispatcher: Dispatcher::restore([], limits, now_ms).dispatcher,
            kept: BTreeMap::new(),
            orders: orders.iter().map(placed).collect(),
            limits,
            now_ms,
            last: Step::default(),
            house: House::default(),
            since: None,
        };
        bench.reload();
        bench
    }

    pub(super) fn put(&mut self, input: Input) -> Vec<String> {
        let now = Now { now_ms: self.now_ms, elapsed: self.since.replace(Elapsed { awake_ms: 0, asleep_ms: 0 }) };
        let step = self.dispatcher.step(input, now, &mut self.house);
        for (key, value) in step.changed.clone() {
            match value {
                Some(value) => self.kept.insert(key, value),
                None => self.kept.remove(&key),
            };
        }
        self.last = step;
        self.last.told.iter().map(|told| said(told.order.as_deref(), &told.what)).collect()
    }

    pub(super) fn reload(&mut self) -> Vec<String> {
        self.put(Input::Reloaded { orders: self.orders.clone(), device: Device::default(), facts: Map::new() })
    }

    /// Time goes by until then, and it is looked.
    pub(super) fn at(&mut self, time: &str) -> Vec<String> {
        self.pass(ms(time) - self.now_ms);
        self.put(Input::Looked)
    }

    pub(super) fn pass(&mut self, time_ms: i64) {
        self.now_ms += time_ms;
        if let Some(since) = &mut self.since {
            since.awake_ms += time_ms;
        }
    }

    /// The clock is set.
    pub(super) fn set(&mut self, by_ms: i64) {
        self.now_ms += by_ms;
    }

    pub(super) fn ended(&mut self, number: u64, outcome: Outcome) -> Vec<String> {
        self.put(Input::Ended { run: run(number), outcome, touched: Vec::new(), data: Map::new() })
    }

    pub(super) fn ask(&mut self, number: u64, mode: Mode, wait_ms: Option<i64>) -> Vec<String> {
        let asked = HandRun { id: run(number), mode, priority: Priority::High, wait_ms };
        self.put(Input::Asked(asked))
    }

    pub(super) fn emit(&mut self, name: &str) -> Vec<String> {
        let data = Map::from_iter([("size".to_owned(), 5.into())]);
        self.put(Input::Emitted { name: name.to_owned(), data, cause: None })
    }

    /// A file was changed, as a source says it.
    pub(super) fn changed(&mut self, order: &str, path: &str) -> Vec<String> {
        let (at_ms, subject) = (self.now_ms, path.to_owned());
        let notice = Notice { at_ms, subject, change: Change::Happened, data: Map::new(), cause: None, found: None };
        self.put(Input::Noticed { order: order.to_owned(), notice })
    }

    /// A run wrote a file.
    pub(super) fn wrote(&mut self, number: u64, path: &str) {
        let touched = Touched {
            interface: "files-write".to_owned(),
            function: "write-file".to_owned(),
            target: path.to_owned(),
            at: None,
        };
        self.put(Input::Touched { run: run(number), touched: vec![touched] });
    }

    pub(super) fn go_on(&mut self, name: &str) -> Vec<String> {
        self.put(Input::Resumed(Scope::Order(name.to_owned())))
    }

    pub(super) fn pause(&mut self, name: &str) -> Vec<String> {
        self.put(Input::Paused(Scope::Order(name.to_owned())))
    }

    pub(super) fn forbid(&mut self, name: &str) {
        self.house.forbidden.insert(name.to_owned());
    }

    /// The agent dies and is started anew, after a while. Who was under way is not told yet.
    pub(super) fn crash(&mut self, after_ms: i64) -> Vec<String> {
        self.now_ms += after_ms;
        self.since = None;
        let restored = Dispatcher::restore(self.kept.clone(), self.limits, self.now_ms);
        self.dispatcher = restored.dispatcher;
        restored.under_way.iter().map(|run| format!("{} {:?}", number(run.id), run.stage)).collect()
    }
}

fn number(run: RunId) -> String {
    format!("#{}", run.to_string().trim_start_matches("run_").trim_start_matches('0'))
}

fn said(order: Option<&str>, what: &What) -> String {
    let what = match what {
        What::Queued { run, attempt, .. } if *attempt > 1 => format!("{} queued, try {attempt}", number(*run)),
        What::Queued { run, .. } => format!("{} queued", number(*run)),
        What::NotFired(not) => format!("{}: {}", not.reason.code(), not.count),
        What::Unfired(unfired) => format!("{}: {}", unfired.reason.code(), unfired.count),
        What::Tripped(tripped) => format!("tripped {}", tripped.number),
        What::NotStarted { run, why } => format!("{} not started: {}", number(*run), why.code()),
        What::Started { run } => format!("{} started", number(*run)),
        What::Cancelled { run } => format!("{} cancelled", number(*run)),
        What::Suspended { run } => format!("{} suspended", number(*run)),
        What::Again { run } => format!("{} again", number(*run)),
        What::Ended { run, outcome, retry: None } => format!("{} ended: {outcome}", number(*run)),
        What::Ended { run, outcome, retry: Some(retry) } => {
            format!("{} ended: {outcome}, tried again by {}", number(*run), number(*retry))
        }
        What::Placed => "placed".to_owned(),
        What::Changed => "changed".to_owned(),
        What::Removed => "removed".to_owned(),
        What::Unfit(problems) => format!("unfit: {}", problems.join("; ")),
        What::SetAside(_) => "set aside".to_owned(),
        What::Paused => "paused".to_owned(),
        What::Resumed => "resumed".to_owned(),
        What::Reboot { told, .. } => format!("reboot: {told:?}"),
    };
    order.map_or_else(|| what.clone(), |order| format!("{order}: {what}"))
}
