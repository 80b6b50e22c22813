//! The same order, decided by the dispatcher: its own runs are what is under way, and it lives on what was durable.

use std::collections::{BTreeMap, VecDeque};

use agent::{
    Decision, Dispatcher, Elapsed, Input, Limits, Now, Origin, Placed, Reason, Run, Scope, Shell, Stage, Step, What,
};
use model::{Outcome, RunId};
use serde_json::Map;

use crate::orders::Order;

pub(crate) struct Through {
    placed: Placed,
    device: agent::Device,
    dispatcher: Dispatcher,
    kept: BTreeMap<String, String>,
    /// When each run that was started ends, in real time.
    until: BTreeMap<RunId, i64>,
    /// What an agent that was started anew is told first.
    first: VecDeque<Input>,
    is_paused: bool,
    house: House,
}

#[derive(Default)]
struct House(u64);

impl Shell for House {
    fn new_run(&mut self) -> RunId {
        self.0 += 1;
        format!("run_{:026}", self.0).parse().unwrap()
    }

    fn permits(&mut self, _: &Run, _: Option<&agent::Order>) -> Result<(), Reason> {
        Ok(())
    }
}

/// What one look decided, and whether something was under way or waited then.
pub(crate) struct Looked {
    pub(crate) decisions: Vec<Decision>,
    pub(crate) busy: (bool, bool),
}

impl Through {
    pub(crate) fn new(order: &Order, key: [u8; 32], now_ms: i64) -> Self {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let head = format!("format = 1\nplugin = \"p\"\ndigest = \"sha256:{digest}\"\nmode = \"detect\"\n[schedule]\n");
        let document = agent::Order::from_toml(order.name, &format!("{head}{}", order.trigger)).unwrap();
        let mut through = Self {
            placed: Placed { name: order.name.to_owned(), order: document, class: order.class, calendars: Vec::new() },
            device: order.device(key),
            dispatcher: Dispatcher::restore([], Limits::default(), now_ms).dispatcher,
            kept: BTreeMap::new(),
            until: BTreeMap::new(),
            first: VecDeque::new(),
            is_paused: false,
            house: House::default(),
        };
        through.step(through.reloaded(), Now { now_ms, elapsed: None });
        through
    }

    fn reloaded(&self) -> Input {
        Input::Reloaded { orders: vec![self.placed.clone()], device: self.device.clone(), facts: Map::new() }
    }

    /// Only what is durable is left, and all runs were interrupted.
    pub(crate) fn restart(&mut self, now_ms: i64) {
        let restored = Dispatcher::restore(self.kept.clone(), Limits::default(), now_ms);
        self.dispatcher = restored.dispatcher;
        self.until.clear();
        self.first = VecDeque::from([self.reloaded()]);
        self.first.extend(restored.under_way.iter().map(|run| ended(run.id, Outcome::Interrupted)));
    }

    /// Everything that is so by now is put before it, and what is due is decided at the first of it.
    pub(crate) fn look(&mut self, (now_ms, real): (i64, i64), elapsed: Option<Elapsed>, is_paused: bool) -> Looked {
        let mut inputs = std::mem::take(&mut self.first);
        if self.is_paused != is_paused {
            self.is_paused = is_paused;
            inputs.push_front(if is_paused { Input::Paused(Scope::All) } else { Input::Resumed(Scope::All) });
        }
        let over = self.until.iter().filter(|(_, until)| **until <= real).map(|(run, _)| *run);
        inputs.extend(over.map(|run| ended(run, Outcome::Completed)));
        inputs.push_back(Input::Looked);
        let (mut elapsed, mut busy, mut decisions) = (elapsed, self.busy(None), Vec::new());
        for input in inputs {
            let ending = if let Input::Ended { run, .. } = &input { Some(*run) } else { None };
            let before = self.busy(ending);
            let made = self.step(input, Now { now_ms, elapsed });
            elapsed = Some(Elapsed { awake_ms: 0, asleep_ms: 0 });
            if decisions.is_empty() {
                busy = before;
                decisions = made;
            } else {
                assert!(made.is_empty(), "decided twice at one moment: {made:?}");
            }
        }
        Looked { decisions, busy }
    }

    /// A run that was started lasts until then.
    pub(crate) fn last(&mut self, mut until: impl FnMut() -> i64) {
        for run in self.dispatcher.runs().filter(|run| matches!(run.stage, Stage::UnderWay { .. })) {
            self.until.entry(run.id).or_insert_with(&mut until);
        }
    }

    fn busy(&self, ending: Option<RunId>) -> (bool, bool) {
        let runs = || self.dispatcher.runs().filter(|run| Some(run.id) != ending);
        (runs().any(|run| run.stage != Stage::Waiting), runs().any(|run| run.stage == Stage::Waiting))
    }

    fn step(&mut self, input: Input, now: Now) -> Vec<Decision> {
        let Step { changed, told, cancel, .. } = self.dispatcher.step(input, now, &mut self.house);
        for (key, value) in changed {
            match value {
                Some(value) => self.kept.insert(key, value),
                None => self.kept.remove(&key),
            };
        }
        for run in self.until.keys().copied().collect::<Vec<_>>() {
            let is_there = self.dispatcher.runs().any(|it| it.id == run);
            match is_there {
                true if cancel.contains(&run) => self.until.insert(run, i64::MIN),
                true => None,
                false => self.until.remove(&run),
            };
        }
        told.into_iter().filter_map(|told| decision(told.what)).collect()
    }
}

fn ended(run: RunId, outcome: Outcome) -> Input {
    Input::Ended { run, outcome, touched: Vec::new(), data: Map::new() }
}

fn decision(what: What) -> Option<Decision> {
    match what {
        What::NotFired(not) => Some(Decision::NotFired(not)),
        What::Queued { origin: Origin::Schedule { firing, .. }, .. } => Some(Decision::Fire(firing)),
        _ => None,
    }
}
