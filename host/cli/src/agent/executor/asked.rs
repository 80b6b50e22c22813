//! Answers what is asked over the socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent::{Input, Occasion, Scope, Stage, Told as Decided, Watch, What};
use anyhow::bail;
use model::event;
use serde_json::{Map, Value};

use super::{Answer, Asked, Executor, Hand};
use crate::agent::network::numbers::{Numbers, Usage};
use crate::agent::protocol::{Ask, Told};
use crate::agent::report::{Explained, OrderRow, Row, RunRow, Status, Upcoming};
use crate::agent::runner::{self, Subject};

/// How many firings to come are told.
const COMING: usize = 10;

impl Executor {
    pub(super) fn answer(&mut self, asked: Asked) {
        let Asked { ask, plugin: bytes, answer } = asked;
        let told = match ask {
            Ask::Run { job, plugin } => {
                return self.hand(Hand {
                    job: *job,
                    subject: Subject::Handed { plugin, bytes },
                    answer: Arc::new(answer),
                });
            }
            Ask::Status => self.status(),
            Ask::Orders => self.orders(),
            Ask::Explain { order, count } => self.explain(&order, count),
            Ask::Pause { order } => self.pause(order, true),
            Ask::Resume { order } => self.pause(order, false),
            Ask::Emit { name, data } => self.emit(name, data),
            Ask::Metrics => self.metrics(),
            Ask::Traces { after } => self.traces.after(after, &self.machine.store).map_err(Into::into).and_then(value),
        };
        let told = match told {
            Ok(value) => Told::Is { value },
            Err(error) => runner::told(&error),
        };
        tell(answer, told);
    }

    fn status(&self) -> anyhow::Result<Value> {
        let row = |run: &agent::Run| {
            let (stage, since_ms) = match run.stage {
                Stage::Waiting => ("waiting", run.queued_ms),
                Stage::UnderWay { since_ms, .. } => ("under-way", since_ms),
                Stage::Suspended => ("suspended", run.queued_ms),
            };
            RunRow { run: run.id, order: run.order().map(str::to_owned), stage: stage.to_owned(), since_ms }
        };
        Ok(serde_json::to_value(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since_ms: self.since_ms,
            is_draining: self.stopping_since.is_some() || self.wants_reboot,
            is_paused: self.dispatcher.is_paused(""),
            orders: self.dispatcher.names().filter(|name| self.dispatcher.order(name).is_some()).count(),
            runs: self.dispatcher.runs().map(row).collect(),
            wake_ms: self.wake_ms,
            problems: self.all_problems(),
        })?)
    }

    fn all_problems(&self) -> BTreeMap<String, Vec<String>> {
        let mut problems = self.problems.clone();
        let deaf = self.watchers.problems().into_iter().map(|(order, why)| (format!("watch of {order}"), vec![why]));
        problems.extend(deaf);
        problems
    }

    fn orders(&self) -> anyhow::Result<Value> {
        let row = |name: &str| {
            let order = self.dispatcher.order(name)?;
            let explained = self.dispatcher.explain(name, self.now_ms(), 1)?;
            let occasion = match &order.occasion {
                Occasion::Schedule(trigger) => format!("{} {}", trigger.cron, trigger.zone),
                Occasion::Event(trigger) => trigger.watch.event_type().to_owned(),
            };
            Some(OrderRow {
                order: name.to_owned(),
                plugin: order.plugin.clone(),
                mode: order.mode.word().to_owned(),
                occasion,
                state: match (explained.tripped.is_some(), self.dispatcher.is_paused(name)) {
                    (true, _) => "tripped",
                    (false, true) => "paused",
                    (false, false) => "active",
                }
                .to_owned(),
                next_ms: explained.coming.first().map(|next| next.due_ms),
            })
        };
        let rows: Vec<OrderRow> = self.dispatcher.names().filter_map(row).collect();
        Ok(serde_json::to_value(rows)?)
    }

    fn explain(&self, order: &str, count: u32) -> anyhow::Result<Value> {
        let Some(explained) = self.dispatcher.explain(order, self.now_ms(), COMING) else {
            let file = self.problems.get(&format!("order {order}.toml"));
            match file {
                Some(problems) => bail!("`{order}` is no order that can be read:\n{}", problems.join("\n")),
                None => bail!("no order is called `{order}` here; `remit agent orders` lists them"),
            }
        };
        let log = self.durable.decisions(order, count)?;
        let coming = explained.coming.iter().map(|coming| Upcoming {
            nominal_ms: coming.nominal_ms,
            due_ms: coming.due_ms,
            refused: coming.refused.as_ref().map(ToString::to_string),
        });
        Ok(serde_json::to_value(Explained {
            order: order.to_owned(),
            stands: explained.stands,
            against: explained.against.iter().map(ToString::to_string).collect(),
            runs_today: explained.runs_today.0,
            runs_today_max: explained.runs_today.1,
            decided: log.iter().map(|told| self.in_full(decided(told))).collect(),
            coming: coming.collect(),
        })?)
    }

    /// With what the run's record says of its end.
    fn in_full(&self, row: Row) -> Row {
        let Some(run) = row.run.filter(|_| row.code == "ended") else { return row };
        let events = self.machine.store.events(run).unwrap_or_default();
        match event::end(&events).map(|ended| ended.detail.as_str()).filter(|detail| !detail.is_empty()) {
            Some(why) => Row { detail: format!("{}: {why}", row.detail), ..row },
            None => row,
        }
    }

    fn pause(&mut self, order: Option<String>, is_paused: bool) -> anyhow::Result<Value> {
        if let Some(order) = order.as_ref().filter(|order| !self.dispatcher.names().any(|name| name == order.as_str()))
        {
            bail!("no order is called `{order}` here; `remit agent orders` lists them");
        }
        let scope = order.map_or(Scope::All, Scope::Order);
        self.step(if is_paused { Input::Paused(scope) } else { Input::Resumed(scope) });
        // Whoever is told that it is so may rely on it.
        self.write_down();
        match self.problems.get("state") {
            Some(why) => bail!("it cannot be written down: {}", why.join("; ")),
            None => Ok(Value::Null),
        }
    }

    fn emit(&mut self, name: String, data: Map<String, Value>) -> anyhow::Result<Value> {
        let is_it = |order: &&str| match self.dispatcher.order(order).map(|order| &order.occasion) {
            Some(Occasion::Event(trigger)) => matches!(&trigger.watch, Watch::Emitted { name: it } if *it == name),
            _ => false,
        };
        let orders: Vec<String> = self.dispatcher.names().filter(is_it).map(str::to_owned).collect();
        self.step(Input::Emitted { name, data, cause: None });
        self.write_down();
        Ok(serde_json::json!({ "orders": orders }))
    }

    fn metrics(&self) -> anyhow::Result<Value> {
        let count = |is: &dyn Fn(&Stage) -> bool| {
            u64::try_from(self.dispatcher.runs().filter(|run| is(&run.stage)).count()).unwrap_or_default()
        };
        let stands = |name: &&str| self.dispatcher.order(name).is_some();
        let is_off =
            |name: &&str| self.dispatcher.explain(name, self.now_ms(), 0).is_some_and(|it| it.tripped.is_some());
        let number = |count: usize| u64::try_from(count).unwrap_or_default();
        Ok(serde_json::to_value(Numbers {
            since_ms: self.since_ms,
            ended: self.traces.by_outcome.clone(),
            runs_waiting: count(&|stage| *stage == Stage::Waiting),
            runs_under_way: count(&|stage| matches!(stage, Stage::UnderWay { .. })),
            runs_suspended: count(&|stage| *stage == Stage::Suspended),
            problems: number(self.all_problems().len()),
            dropped: self.dropped,
            orders: number(self.dispatcher.names().filter(stands).count()),
            breakers: number(self.dispatcher.names().filter(is_off).count()),
            budgets_left: BTreeMap::new(),
            looked_ms: self.looked_ms,
            spool_bytes: self.machine.store.spool_bytes()?,
            usage: Usage::own(),
        })?)
    }
}

fn value(it: impl serde::Serialize) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(it)?)
}

fn tell(answer: Answer, told: Told) {
    tokio::spawn(async move { answer.end(told).await });
}

/// A decision, for a person and for a program.
fn decided(told: &Decided) -> Row {
    let row = |code: &str, detail: String, run| Row { at_ms: told.at_ms, code: code.to_owned(), detail, run };
    match &told.what {
        What::Queued { run, attempt: 1, .. } => row("queued", "it is due".to_owned(), Some(*run)),
        What::Queued { run, attempt, .. } => row("queued", format!("it is tried again: try {attempt}"), Some(*run)),
        What::NotFired(not) => {
            let times = if not.count == 1 { String::new() } else { format!(" ({} times)", not.count) };
            row(not.reason.code(), format!("{}{times}", not.reason), None)
        }
        What::Unfired(not) => {
            let times = if not.count == 1 { String::new() } else { format!(" ({} times)", not.count) };
            row(not.reason.code(), format!("{}{times}", not.reason), None)
        }
        What::Tripped(_) => row("tripped", "its breaker tripped: it is off until somebody looks".to_owned(), None),
        What::NotStarted { run, why } => row(why.code(), why.to_string(), Some(*run)),
        What::Started { run } => row("started", "it began".to_owned(), Some(*run)),
        What::Cancelled { run } => row("cancelled", "a later one takes its place".to_owned(), Some(*run)),
        What::Suspended { run } => row("suspended", "it waits for a reboot".to_owned(), Some(*run)),
        What::Again { run } => row("again", "it waits for its start once more".to_owned(), Some(*run)),
        What::Ended { run, outcome, .. } => row("ended", outcome.to_string(), Some(*run)),
        What::Placed => row("placed", "the order stands from now on".to_owned(), None),
        What::Changed => row("changed", "the order is another one from now on".to_owned(), None),
        What::Removed => row("removed", "the order is gone".to_owned(), None),
        What::Unfit(problems) => row("unfit", problems.join("; "), None),
        What::SetAside(why) => row("set-aside", format!("what was known of it could not be read: {why}"), None),
        What::Paused => row("paused", "somebody paused it".to_owned(), None),
        What::Resumed => row("resumed", "somebody let it go on".to_owned(), None),
    }
}
