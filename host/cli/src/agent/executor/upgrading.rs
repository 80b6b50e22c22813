//! The run that replaces the agent. It outlives this process by its nature: what became of it is read from the file of the unit that
//! does it, by whichever agent runs then, and becomes its one end.

use std::time::Duration;

use model::{Digest, Ended, Outcome, RunId, Verdict};
use tokio_util::sync::CancellationToken;

use super::member::WantedUpgrade;
use super::starting::over;
use super::{Executor, Happened};
use crate::agent::runner;
use crate::agent::upgrade::{self, Attempt, Missing, Refusals, Stage};
use crate::context::Context;
use crate::job::Job;
use crate::keys;

/// How often it is looked how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long it may take before somebody is told.
const LATE_MS: u64 = 1_800_000;

/// The run that replaces the agent.
#[derive(Debug, Default)]
pub(super) struct Upgrading {
    run: Option<RunId>,
    /// What became of it was told, which is not durable yet.
    is_told: bool,
}

impl Upgrading {
    /// What an earlier agent began, or was replaced by.
    pub(super) fn of_before(context: &Context) -> Self {
        let run = match Attempt::read(&context.state) {
            Ok(attempt) => attempt.map(|it| it.run),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "what became of an upgrade cannot be read");
                None
            }
        };
        Self { run, is_told: false }
    }

    pub(super) fn is_of(&self, run: RunId) -> bool {
        self.run == Some(run)
    }

    pub(super) fn ended(&mut self, run: RunId) {
        self.is_told |= self.is_of(run);
    }

    /// What is told for good is kept no longer.
    pub(super) fn is_durable(&mut self, context: &Context) {
        if std::mem::take(&mut self.is_told) {
            Attempt::forget(&context.state);
            self.run = None;
        }
    }
}

impl Executor {
    /// What a run replaces the agent by, where it does.
    pub(super) fn upgrade_of(&self, run: &agent::Run) -> Option<WantedUpgrade> {
        self.fleet.as_ref()?.upgrade_of(run.order()?, keys::now(&self.context))
    }

    /// Begins it. From then on it is the unit's, and this agent ends when that says so.
    pub(super) fn start_upgrade(
        &mut self,
        job: Job,
        order: (String, Digest),
        wanted: WantedUpgrade,
        leaving: CancellationToken,
    ) {
        let (context, machine, happened) = (self.context.clone(), self.machine.clone(), self.happened.clone());
        let run = job.run;
        self.upgrading = Upgrading { run: Some(run), is_told: false };
        tokio::spawn(async move {
            let begun = async {
                let (of, now) = (context.clone(), keys::now(&context));
                let to = wanted.to().clone();
                let is_heard = wanted.is_heard;
                tokio::task::spawn_blocking(move || may_begin(&wanted, now)).await??;
                upgrade::begin(run, &to, is_heard, &of).await
            };
            let Err(error) = begun.await else {
                let _ = happened.send(Happened::Left(run)).await;
                return;
            };
            tracing::error!(%run, why = format!("{error:#}"), "the agent is not replaced");
            let outcome = if error.is::<Refusals>() { Outcome::Refused } else { Outcome::HostError };
            let order = Some((order.0.as_str(), order.1));
            let has_end = runner::record_failure(&job, order, &machine, (outcome, &error), &leaving, &context).await;
            let _ = happened.send(over(run, outcome, has_end)).await;
        });
    }

    /// What an earlier agent began goes on.
    pub(super) fn go_on_with_upgrade(&mut self) {
        if Attempt::read(&self.context.state).is_ok_and(|it| it.is_some_and(|it| !it.is_over())) {
            tokio::spawn(async {
                if let Err(error) = upgrade::go_on().await {
                    tracing::error!(error = format!("{error:#}"), "an upgrade does not go on");
                }
            });
        }
    }

    /// Whether it is over: then it gets its end.
    pub(super) fn look_at_upgrade(&mut self) {
        let Some(id) = self.upgrading.run.filter(|it| !self.upgrading.is_told && !self.under_way.contains_key(it))
        else {
            return;
        };
        let Some(run) = self.dispatcher.runs().find(|it| it.id == id).cloned() else { return };
        let attempt = match Attempt::read(&self.context.state) {
            Ok(attempt) => attempt.filter(|it| it.run == id),
            Err(error) => {
                self.problems.insert("upgrade".to_owned(), vec![format!("{error:#}")]);
                return;
            }
        };
        let ended = match &attempt {
            Some(Attempt { stage: Stage::Done, from, to, .. }) => Ended {
                verdict: Verdict::Fixed,
                ..Ended::by_host(Outcome::Completed, format!("the agent {to} runs in the place of {from}"))
            },
            Some(Attempt { stage: Stage::Failed { why }, from, to, .. }) => Ended {
                verdict: Verdict::Failed,
                ..Ended::by_host(Outcome::HostError, format!("the agent {to} was not well, and {from} runs: {why}"))
            },
            Some(attempt) => {
                if self.context.clock.now_ms().saturating_sub(attempt.begun_ms) > LATE_MS {
                    let what = format!("{} does not come to an end: `journalctl --unit={0}`", upgrade::UNIT);
                    self.problems.insert("upgrade".to_owned(), vec![what]);
                }
                return;
            }
            None => Ended::by_host(Outcome::HostError, "nobody knows what became of the new agent"),
        };
        self.problems.remove("upgrade");
        let Some((job, plugin, digest)) = self.job(&run) else {
            // Whoever ordered it took the order back meanwhile: it is over all the same, or nothing would run here any more.
            let _ = self.happened.try_send(Happened::Ended(id, ended.outcome));
            return;
        };
        let leaving = self.leaving.clone();
        self.under_way.insert(id, CancellationToken::new());
        let (context, machine, happened) = (self.context.clone(), self.machine.clone(), self.happened.clone());
        tokio::spawn(async move {
            let outcome = ended.outcome;
            let order = Some((plugin.as_str(), digest));
            let has_end = runner::record_end(&job, order, &machine, (None, ended), &leaving, &context).await;
            let _ = happened.send(over(id, outcome, has_end)).await;
        });
    }

    /// Its end was durable, and the agent died before it was forgotten.
    pub(super) fn forget_upgrade_of_before(&mut self) {
        let is_known = |id: &RunId| self.dispatcher.runs().any(|it| it.id == *id);
        if self.upgrading.run.is_some_and(|id| !is_known(&id)) {
            let attempt = Attempt::read(&self.context.state).ok().flatten();
            if attempt.is_some_and(|it| it.is_over()) {
                Attempt::forget(&self.context.state);
            }
            self.upgrading = Upgrading::default();
        }
    }

    pub(super) fn upgrade_looks_in(&self) -> Option<Duration> {
        self.upgrading.run.is_some().then_some(LOOK_EVERY)
    }
}

/// Asked right before: who signed the release may have lost their seat since it came.
fn may_begin(wanted: &WantedUpgrade, now: trust::Time) -> anyhow::Result<()> {
    let Some(client) = &wanted.client else { anyhow::bail!("nobody says whose device this is") };
    match upgrade::staged(&wanted.order, client, &wanted.trust, now) {
        Ok(_) => Ok(()),
        Err(Missing::NotHere) => anyhow::bail!("the release does not lie here any more"),
        Err(Missing::Refused(refusals)) => Err(Refusals(refusals).into()),
    }
}
