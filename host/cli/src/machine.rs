//! This machine, as a run by hand has it: what it remembers, what its owner decided, what stands behind the interfaces, and
//! what is done around every run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use backends::{Device, notify};
use contract::run::{Mode, Trigger, TriggerKind};
use model::{Ended, Event, Recorded, RunId, Started};
use runtime::{Observer, Prepared, Recorder, Request};
use store::{RunLog, Store};

use crate::context::Context;
use crate::host_policy::HostPolicy;
use crate::lock::{self, MachineLock};
use crate::output;
use crate::reconcile;

/// How long the end of a run waits for notifications to leave. What has not left by then leaves with the next run.
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(20);

/// This machine.
pub(crate) struct Machine {
    pub(crate) store: Arc<Store>,
    pub(crate) policy: HostPolicy,
    pub(crate) device: Device,
}

impl Machine {
    /// With these folders for named roots beside those of its policy.
    pub(crate) fn open(context: &Context, roots: &BTreeMap<String, PathBuf>) -> anyhow::Result<Self> {
        let store = context.store()?;
        Self::over(store, context, roots)
    }

    /// As an earlier run had it, and how that run began.
    pub(crate) fn of_run(context: &Context, run: RunId) -> anyhow::Result<(Self, Started)> {
        let store = context.store()?;
        let (started, _) = record(&store, run)?;
        Ok((Self::over(store, context, &started.roots)?, started))
    }

    fn over(store: Arc<Store>, context: &Context, roots: &BTreeMap<String, PathBuf>) -> anyhow::Result<Self> {
        let policy = context.host_policy()?;
        let device = context.device(&store, &policy, roots);
        Ok(Self { store, policy, device })
    }

    /// Waits until no other run is in the way, and puts in order what an earlier host left.
    pub(crate) async fn take(&self, mode: Mode, context: &Context) -> anyhow::Result<MachineLock> {
        let lock = lock::machine(&context.state, mode)?;
        reconcile::after_crash(self, context).await?;
        Ok(lock)
    }

    /// The log of a run that goes on.
    pub(crate) fn log(&self, run: RunId) -> anyhow::Result<RunLog> {
        self.store.open_run(run)?.with_context(|| format!("another process has {run} under way"))
    }

    /// Runs what is prepared.
    pub(crate) async fn execute(
        &self,
        prepared: &Prepared,
        request: Request,
        observer: Arc<dyn Observer>,
        context: &Context,
    ) -> anyhow::Result<Ended> {
        let recorder: Box<dyn Recorder> = Box::new(match request.resumed {
            Some(_) => self.log(request.run)?,
            None => self.store.begin(request.run)?,
        });
        Ok(runtime::execute(prepared, request, &self.device, &context.clock, recorder, observer).await?)
    }

    /// After a run: what it or an earlier one queued is sent, and what has had its time goes, a bounded part of it. Nothing of
    /// that is a fault of the run.
    pub(crate) async fn wind_up(&self, mode: Mode, context: &Context) {
        self.deliver().await;
        if let Err(error) = self.store.purge(context.clock.now_ms()) {
            output::say(&format!("note: what has expired could not be removed from the store: {error}"));
        }
        // A run that only looks leaves every folder as it is, this host's own in them too.
        if mode != Mode::Enforce {
            return;
        }
        let shared = self.device.shared.clone();
        let problems = tokio::task::spawn_blocking(move || backends::files::let_go_expired(&shared)).await;
        for problem in problems.into_iter().flat_map(|found| found.unwrap_or_else(|error| vec![error])) {
            output::say(&format!("note: what a root has kept for long enough could not be removed: {problem}"));
        }
    }

    /// Sends what the run, or an earlier one, queued. What does not leave stays queued; that is no fault of the run.
    async fn deliver(&self) {
        let reports = match notify::flush(&self.device.shared, Instant::now() + DELIVERY_TIME_MAX).await {
            Ok(reports) => reports,
            Err(error) => return output::say(&format!("note: notifications could not be sent: {error}")),
        };
        for report in reports {
            let audience = report.audience;
            match report.outcome {
                notify::Outcome::Waiting { problem, .. } => {
                    output::say(&format!("note: `{audience}` was not told yet: {problem}; the next run tries again"));
                }
                notify::Outcome::Failed { problem } => {
                    output::say(&format!("note: `{audience}` was not told: {problem}"));
                }
                notify::Outcome::Delivered { .. } | notify::Outcome::Expired => {}
            }
        }
    }
}

/// How a run began that this device remembers, and all its events.
pub(crate) fn record(store: &Store, run: RunId) -> anyhow::Result<(Started, Vec<Recorded>)> {
    let events = store.events(run)?;
    let Some(Event::Started(started)) = events.first().map(|first| &first.event) else {
        bail!("{run} is not in this device's memory; `remit runs list` shows what is");
    };
    Ok(((**started).clone(), events))
}

/// Who started it, where they say so.
pub(crate) fn by_hand() -> Trigger {
    Trigger { kind: TriggerKind::ByHand, name: "by hand".to_owned(), event: None, attributes: Vec::new() }
}
