//! Answers what is asked over the socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent::{Input, Occasion, Scope, Stage, Watch};
use anyhow::bail;
use model::budget::Left;
use serde_json::{Map, Value};

use super::{Answer, Asked, Executor, Hand};
use crate::agent::network::numbers::{Numbers, Usage};
use crate::agent::protocol::{Ask, Told};
use crate::agent::report::{OrderRow, RunRow, Status};
use crate::agent::runner::{self, Subject};
use crate::job;

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
            Ask::Say { acks, line } => return self.say(&acks, line, answer),
            Ask::Hub { known } => return self.asked_for_hub(known, answer),
            Ask::Session { hub, key } => self.session(hub, key),
            Ask::Came { things } => self.things_came(things).and_then(value),
            Ask::Joined => {
                self.reopen_fleet();
                self.place();
                self.forget_tables();
                self.tell_facts();
                self.look_at_tables(true);
                self.look_at_said();
                self.promise().map(|()| Value::Null)
            }
            Ask::Status => self.status(),
            Ask::Orders => self.orders(),
            Ask::Explain { order, count } => self.explain(&order, count).and_then(value),
            Ask::Pause { order } => self.pause(order, true),
            Ask::Resume { order } => self.pause(order, false),
            Ask::Resumed => {
                self.look_after_suspended();
                self.ask_for_reboot();
                Ok(Value::Null)
            }
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
            version: crate::stamp::version().to_owned(),
            pid: std::process::id(),
            since_ms: self.since_ms,
            hub: self.fleet.as_ref().map(|fleet| fleet.row(crate::keys::now(&self.context))),
            is_draining: self.stopping_since.is_some() || self.drains_for_reboot(),
            reboot: self.reboot_row(),
            is_paused: self.dispatcher.is_paused(""),
            orders: self.dispatcher.names().filter(|name| self.dispatcher.order(name).is_some()).count(),
            runs: self.dispatcher.runs().map(row).collect(),
            wake_ms: self.wake_ms,
            budgets: self.budgets_left()?,
            not_run: self.not_run.clone(),
            problems: self.all_problems(),
        })?)
    }

    fn budgets_left(&self) -> anyhow::Result<Vec<Left>> {
        let allowance = self.machine.device.allowance.as_deref();
        job::budgets_left(allowance, &self.machine.store, self.context.clock.now_ms())
    }

    fn all_problems(&self) -> BTreeMap<String, Vec<String>> {
        let mut problems = self.problems.clone();
        let deaf = self.watchers.problems().into_iter().map(|(order, why)| (format!("watch of {order}"), vec![why]));
        problems.extend(deaf);
        problems
    }

    fn orders(&self) -> anyhow::Result<Value> {
        let rows = self.dispatcher.names().filter_map(|name| self.order_row(name, &self.explained(name)?));
        Ok(serde_json::to_value(rows.collect::<Vec<OrderRow>>())?)
    }

    fn pause(&mut self, order: Option<String>, is_paused: bool) -> anyhow::Result<Value> {
        if let Some(order) = order.as_ref().filter(|order| !self.dispatcher.names().any(|name| name == order.as_str()))
        {
            bail!("no order is called `{order}` here; `remit agent orders` lists them");
        }
        let scope = order.map_or(Scope::All, Scope::Order);
        self.step(if is_paused { Input::Paused(scope) } else { Input::Resumed(scope) });
        self.promise()?;
        Ok(Value::Null)
    }

    /// Whoever is told that it is so may rely on it.
    pub(super) fn promise(&mut self) -> anyhow::Result<()> {
        self.write_down();
        match self.problems.get("state") {
            Some(why) => bail!("it cannot be written down, and is forgotten if the agent ends: {}", why.join("; ")),
            None => Ok(()),
        }
    }

    fn emit(&mut self, name: String, data: Map<String, Value>) -> anyhow::Result<Value> {
        let is_it = |order: &&str| match self.dispatcher.order(order).map(|order| &order.occasion) {
            Some(Occasion::Event(trigger)) => matches!(&trigger.watch, Watch::Emitted { name: it } if *it == name),
            _ => false,
        };
        let orders: Vec<String> = self.dispatcher.names().filter(is_it).map(str::to_owned).collect();
        self.step(Input::Emitted { name, data, cause: None });
        self.promise()?;
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
            not_run: self.not_run.clone(),
            orders: number(self.dispatcher.names().filter(stands).count()),
            breakers: number(self.dispatcher.names().filter(is_off).count()),
            budgets_left: self.budgets_left()?.into_iter().map(|it| (it.budget.to_string(), it.left)).collect(),
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
