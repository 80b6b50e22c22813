//! Does what the dispatcher decided, once that is durable.

use std::sync::Arc;

use agent::{NotRun, Origin, RuleEvent, Run, Step, Told as Decided, What};
use contract::run::{Event, Trigger, TriggerKind};
use model::{Digest, Ended, Outcome, RunId};
use runtime::{NoObserver, Observer, UndoRequest};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Executor, Hand, Happened, Input, outcome};
use crate::agent::protocol::Told;
use crate::agent::runner::{self, Listener, Subject};
use crate::job::Job;

impl Executor {
    pub(super) fn act(&mut self, step: Step) {
        for told in &step.told {
            self.count(told);
            self.tell_hand(told);
            tracing::info!(order = told.order, what = serde_json::to_string(&told.what).ok(), "decided");
        }
        for run in step.cancel {
            if let Some(cancel) = self.under_way.get(&run) {
                cancel.cancel();
            }
        }
        step.tickets.into_iter().for_each(|ticket| self.raise(ticket));
        for run in step.start {
            self.start(&run);
        }
        if step.is_drained && self.stopping_since.is_none() {
            self.drained();
        }
    }

    /// Counts what came to nothing.
    fn count(&mut self, told: &Decided) {
        let (code, count) = match &told.what {
            What::NotFired(not) => (not.reason.code(), not.count),
            What::Unfired(not) if !not.is_waiting => (not.reason.code(), not.count),
            What::NotStarted { why, .. } => (why.code(), 1),
            _ => return,
        };
        let counted = self.not_run.entry(code.to_owned()).or_default();
        *counted = counted.saturating_add(count);
    }

    /// Whoever waits for a run by hand learns that it does not start.
    fn tell_hand(&mut self, told: &Decided) {
        let What::NotStarted { run, why } = &told.what else { return };
        let Some(hand) = self.hands.remove(run) else { return };
        let next = matches!(why, NotRun::Full | NotRun::Draining).then(|| "try again later".to_owned());
        end(hand.answer, Told::Refused { reasons: vec![why.to_string()], next });
    }

    fn start(&mut self, run: &Run) {
        let cancel = CancellationToken::new();
        self.under_way.insert(run.id, cancel.clone());
        let (context, machine, happened) = (self.context.clone(), self.machine.clone(), self.happened.clone());
        let (id, leaving) = (run.id, self.leaving.clone());
        if let Some(Hand { job, subject, answer }) = self.hands.remove(&id) {
            answer.tell(Told::Began { run: id });
            let observer = self.heard(run, Arc::new(Listener(Arc::clone(&answer))));
            tokio::spawn(async move {
                let ended = runner::run(&job, subject, &machine, observer, cancel, &context).await;
                let outcome = outcome(&ended);
                // They need not wait for its record.
                end(answer, told(&ended));
                let has_end = match &ended {
                    Ok(_) => true,
                    Err(error) => {
                        let failed = (outcome, error);
                        runner::record_failure(&job, None, &machine, failed, &leaving, &context).await
                    }
                };
                let _ = happened.send(over(id, outcome, has_end)).await;
            });
            return;
        }
        let Some((job, plugin, digest)) = self.job(run) else {
            let _ = self.happened.try_send(Happened::Ended(id, Outcome::Refused));
            return;
        };
        if let Some(wanted) = self.upgrade_of(run) {
            return self.start_upgrade(job, (plugin, digest), wanted, leaving);
        }
        let observer = self.heard(run, Arc::new(NoObserver));
        if let Some(earlier) = self.undone_by(run) {
            tokio::spawn(async move {
                let request = UndoRequest { run: id, trigger: job.trigger.clone() };
                let ended = runner::undo(earlier, request, &machine, &cancel, &context).await;
                let outcome = outcome(&ended);
                let has_end = match &ended {
                    Ok(_) => true,
                    Err(error) => {
                        tracing::error!(run = %id, why = format!("{error:#}"), "a run could not be taken back");
                        let (order, failed) = (Some((plugin.as_str(), digest)), (outcome, error));
                        runner::record_failure(&job, order, &machine, failed, &leaving, &context).await
                    }
                };
                let _ = happened.send(over(id, outcome, has_end)).await;
            });
            return;
        }
        tokio::spawn(async move {
            let subject = Subject::Digest { name: plugin.clone(), digest };
            let ended = runner::run(&job, subject, &machine, observer, cancel, &context).await;
            let outcome = outcome(&ended);
            let has_end = match &ended {
                Ok(_) => true,
                Err(error) => {
                    tracing::error!(run = %id, why = format!("{error:#}"), "a run could not be");
                    let (order, failed) = (Some((plugin.as_str(), digest)), (outcome, error));
                    runner::record_failure(&job, order, &machine, failed, &leaving, &context).await
                }
            };
            let _ = happened.send(over(id, outcome, has_end)).await;
        });
    }

    /// Whoever watches a run; where it may change something, what it changes is heard beside.
    fn heard(&mut self, run: &Run, observer: Arc<dyn Observer>) -> Arc<dyn Observer> {
        if run.changes() { self.doings.entry(run.id).or_default().observer(observer) } else { observer }
    }

    /// The earlier run that this one takes back, where its order says so.
    fn undone_by(&self, run: &Run) -> Option<RunId> {
        self.fleet.as_ref()?.undone_by(run.order()?)
    }

    /// What a run of an order is.
    pub(super) fn job(&self, run: &Run) -> Option<(Job, String, Digest)> {
        let name = run.order()?;
        let order = self.dispatcher.order(name)?;
        let ordered = self.fleet.as_ref().and_then(|fleet| fleet.order(name));
        let mut device = self.device();
        device.also(order.client.as_deref(), &order.tags);
        let job = Job {
            run: run.id,
            mode: order.mode,
            trigger: trigger(run, ordered),
            given: order.parameters.clone(),
            allow: Vec::new(),
            only: order.allow.clone(),
            roots: std::collections::BTreeMap::new(),
            limits: Vec::new(),
            plan: None,
            plan_digest: ordered.and_then(|it| it.plan),
            class_max: ordered.map(|it| it.class_max),
            recording: false,
            device,
            record: None,
        };
        Some((job, order.plugin.clone(), order.digest))
    }

    /// A hand run is put before the dispatcher.
    pub(super) fn hand(&mut self, hand: Hand) {
        let (id, happened) = (hand.job.run, self.happened.clone());
        let (gone, over) = (hand.answer.gone.clone(), hand.answer.over.clone());
        let mode = hand.job.mode;
        let behind = self.dispatcher.runs().count();
        if behind > 0 {
            hand.answer.tell(Told::Waits { behind: u64::try_from(behind).unwrap_or(u64::MAX) });
        }
        self.hands.insert(id, hand);
        tokio::spawn(async move {
            tokio::select! {
                () = over.cancelled() => {}
                () = gone.cancelled() => drop(happened.send(Happened::Gone(id)).await),
            }
        });
        let priority = agent::Priority::High;
        self.step(Input::Asked(agent::HandRun { id, mode, priority, wait_ms: None }));
    }
}

/// Says the last of it to whoever asked.
fn end(answer: Arc<super::Answer>, told: Told) {
    tokio::spawn(async move { answer.end(told).await });
}

fn told(ended: &anyhow::Result<Ended>) -> Told {
    match ended {
        Ok(ended) => Told::Ended { ended: Box::new(ended.clone()) },
        Err(error) => runner::told(error),
    }
}

/// Why an order's run starts, as its plugin reads it.
fn trigger(run: &Run, ordered: Option<&trust::statement::Order>) -> Trigger {
    let mut attributes = Vec::new();
    let mut add = |name: &str, value: String| attributes.push((name.to_owned(), value));
    if let Some(earlier) = run.retry_of {
        add("retry-of", RunId::to_string(&earlier));
        add("attempt", run.attempt.to_string());
    }
    if let Some(ordered) = ordered {
        add("order-signer", ordered.by.fingerprint());
        add("order-id", ordered.id.to_string());
    }
    let (kind, event) = match &run.origin {
        Origin::Hand => (TriggerKind::ByHand, None),
        Origin::Once { .. } => (TriggerKind::Order, None),
        Origin::Event { event, .. } => (TriggerKind::Event, Some(told_to_plugin(event))),
        Origin::Schedule { firing, .. } => {
            add("nominal-ms", firing.nominal_ms.to_string());
            if firing.is_late {
                add("misfired", "true".to_owned());
            }
            (TriggerKind::Schedule, None)
        }
    };
    Trigger { kind, name: run.order().unwrap_or("by hand").to_owned(), event, attributes }
}

/// The event as its plugin reads it.
fn told_to_plugin(event: &RuleEvent) -> Event {
    let mut attributes = vec![
        ("event-id".to_owned(), event.id.clone()),
        ("subject".to_owned(), event.subject.clone()),
        ("occurrences".to_owned(), event.occurrences.to_string()),
    ];
    if !event.chain.is_empty() {
        attributes.push(("chain".to_owned(), event.chain.join(" > ")));
    }
    Event {
        event_type: event.kind.clone(),
        cause: event.cause.map(|run| run.to_string()),
        at_ms: u64::try_from(event.at_ms).unwrap_or_default(),
        data: Value::Object(event.data.clone()).to_string(),
        attributes,
    }
}

/// What is said of a run that is over.
pub(super) fn over(run: RunId, outcome: Outcome, has_end: bool) -> Happened {
    if has_end { Happened::Ended(run, outcome) } else { Happened::Left(run) }
}
