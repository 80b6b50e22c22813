//! The reboot that a run was granted: when it comes, and what those who are logged in hear of it (decision 21).

use std::time::Duration;

use agent::{Input, Reason, Reboot, RebootLook, RebootStep, RebootTold, Stage};
use backends::patch::RebootRequest;
use contract::Class;
use contract::device_people::ListSessions;
use model::{RunId, capability};
use tokio::time::Instant;

use super::{Executor, Happened};
use crate::agent::report::RebootRow;

/// Under which key is kept how often it was put off.
const KEPT: &str = "reboot";

/// How long anybody may take to say who is logged in, or to tell them something.
const PEOPLE_TIME_MAX: Duration = Duration::from_secs(20);

/// A reboot that a run waits for.
pub(super) struct Rebooting {
    run: RunId,
    request: RebootRequest,
    reboot: Reboot,
    looks_at: Instant,
    /// Whether it was asked who is logged in, and not answered yet.
    is_asking: bool,
    /// Whether the machine is told to go down as soon as that is durable.
    is_due: bool,
}

/// What is kept of it: another boot has another one.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    boot: String,
    reboot: Reboot,
}

impl Executor {
    /// Whether nothing starts, so that the machine can be rebooted.
    pub(super) fn drains_for_reboot(&self) -> bool {
        self.rebooting.as_ref().is_some_and(|it| it.reboot.is_draining())
    }

    /// For whoever asks how the agent is.
    pub(super) fn reboot_row(&self) -> Option<RebootRow> {
        let Rebooting { run, request, reboot, .. } = self.rebooting.as_ref()?;
        Some(RebootRow {
            run: *run,
            reason: request.reason.clone(),
            since_ms: request.at_ms,
            is: reboot.told().map_or_else(|| "it is about to come".to_owned(), in_words),
        })
    }

    /// How long until it is looked at again.
    pub(super) fn reboot_looks_in(&self) -> Option<Duration> {
        let waiting = self.rebooting.as_ref().filter(|it| !it.is_asking && self.stopping_since.is_none())?;
        Some(waiting.looks_at.saturating_duration_since(Instant::now()))
    }

    /// Asks whether the machine is to be rebooted: after a start, and when a run was suspended or may have gone on. What was asked
    /// for is kept elsewhere, so that it is not lost with the agent.
    pub(super) fn ask_for_reboot(&self) {
        let (machine, happened) = (self.machine.clone(), self.happened.clone());
        tokio::spawn(async move {
            match machine.device.machine.pending_reboot().await {
                Ok(Some(request)) => drop(happened.send(Happened::RebootWanted(Box::new(request))).await),
                Ok(None) => {}
                Err(error) => tracing::error!(error = format!("{error:#}"), "whether a reboot is wanted"),
            }
        });
    }

    pub(super) fn reboot_wanted(&mut self, request: RebootRequest) {
        let Ok(run) = request.run.parse::<RunId>() else { return };
        let is_suspended = self.dispatcher.runs().any(|it| it.id == run && it.stage == Stage::Suspended);
        if !is_suspended || self.rebooting.as_ref().is_some_and(|it| it.run == run) {
            return;
        }
        let kept = self.machine.store.get("agent", KEPT, self.context.clock.now_ms()).ok().flatten();
        let kept = kept.and_then(|it| serde_json::from_str::<Kept>(&it.value).ok());
        let reboot = kept.filter(|kept| kept.boot == request.boot).map(|kept| kept.reboot).unwrap_or_default();
        tracing::info!(%run, reason = request.reason, "a run waits for a reboot");
        self.rebooting =
            Some(Rebooting { run, request, reboot, looks_at: Instant::now(), is_asking: false, is_due: false });
        self.look_at_reboot();
    }

    /// What policy says may have changed: it is looked at now.
    pub(super) fn look_at_reboot_now(&mut self) {
        if let Some(rebooting) = &mut self.rebooting {
            rebooting.looks_at = Instant::now();
            self.look_at_reboot();
        }
    }

    /// Asks who is logged in, where it is time to look at it.
    pub(super) fn look_at_reboot(&mut self) {
        if self.stopping_since.is_some() {
            return;
        }
        let Some(rebooting) = &mut self.rebooting else { return };
        if rebooting.is_asking || rebooting.looks_at > Instant::now() {
            return;
        }
        rebooting.is_asking = true;
        let (machine, happened) = (self.machine.clone(), self.happened.clone());
        tokio::spawn(async move {
            let cx = contract::Context::new("", "agent", "", Vec::new(), (Instant::now() + PEOPLE_TIME_MAX).into());
            let asked = machine.device.backends.device_people.list_sessions(&cx, &ListSessions {}).await;
            // Where nobody knows, somebody may be there; they are put off no more often than others.
            let people = asked.map_or(1, |sessions| u32::try_from(sessions.len()).unwrap_or(u32::MAX));
            let _ = happened.send(Happened::People(people)).await;
        });
    }

    /// Who is logged in is known: what becomes of it now.
    pub(super) fn people_counted(&mut self, people: u32) {
        let (now_ms, steady_ms, policy) =
            (self.now_ms(), self.steady_ms(), self.machine.policy.device.written().reboots);
        let Some(mut rebooting) = self.rebooting.take() else { return };
        let was_draining = rebooting.reboot.is_draining();
        let run = rebooting.run;
        if !self.dispatcher.runs().any(|it| it.id == run && it.stage == Stage::Suspended) {
            tracing::info!(%run, "it no longer waits for a reboot");
            if was_draining {
                self.step(Input::GoOn);
            }
            return;
        }
        let class = capability::interface("patch-install").map_or(Class::L4, |it| it.class);
        let (allowed, dispatcher) = (&self.machine.policy.device, &self.dispatcher);
        // What was read before may allow what the owner has just forbidden.
        let unread = self.problems.get("policy").map(|why| why.join("; "));
        let admits = |in_ms: i64| {
            if let Some(why) = &unread {
                return Err(Reason::Policy { what: format!("it cannot be read: {why}") });
            }
            let at_ms = now_ms.saturating_add(in_ms);
            allowed.admits(class, at_ms).and_then(|()| dispatcher.admits_at(run, at_ms))
        };
        let is_drained = was_draining && self.under_way.is_empty() && self.pending.start.is_empty();
        let step = rebooting.reboot.look(&RebootLook { steady_ms, admits: &admits, people, is_drained, policy });
        rebooting.is_asking = false;
        self.reboot_looked(rebooting, step, was_draining);
    }

    /// The machine did not go down.
    pub(super) fn not_down(&mut self, why: String) {
        let steady_ms = self.steady_ms();
        let Some(mut rebooting) = self.rebooting.take() else { return };
        let was_draining = rebooting.reboot.is_draining();
        let step = rebooting.reboot.fail(steady_ms, why);
        self.reboot_looked(rebooting, step, was_draining);
    }

    fn reboot_looked(&mut self, mut rebooting: Rebooting, step: RebootStep, was_draining: bool) {
        rebooting.looks_at = Instant::now() + Duration::from_millis(u64::try_from(step.in_ms).unwrap_or_default());
        let is_draining = rebooting.reboot.is_draining();
        if let Some(told) = step.told {
            rebooting.is_due = told == RebootTold::Begun;
            let kept = Kept { boot: rebooting.request.boot.clone(), reboot: rebooting.reboot.clone() };
            self.pending.changed.insert(KEPT.to_owned(), serde_json::to_string(&kept).ok());
            self.warn(&told, &rebooting.request.reason);
            self.step(Input::Rebooting { run: rebooting.run, told });
        }
        self.rebooting = Some(rebooting);
        match (was_draining, is_draining) {
            (false, true) => self.step(Input::Drain),
            (true, false) => self.step(Input::GoOn),
            _ => {}
        }
    }

    /// Nothing is under way any more, and that is durable.
    pub(super) fn drained(&mut self) {
        let Some(rebooting) = self.rebooting.as_mut().filter(|it| it.reboot.is_draining()) else { return };
        if std::mem::take(&mut rebooting.is_due) {
            return self.reboot();
        }
        if rebooting.reboot.told() != Some(&RebootTold::Begun) {
            self.look_at_reboot_now();
        }
    }

    fn reboot(&mut self) {
        let (machine, happened) = (self.machine.clone(), self.happened.clone());
        tracing::info!("nothing is under way any more: the machine is rebooted, as a run was granted");
        tokio::spawn(async move {
            if let Err(error) = machine.device.machine.reboot().await {
                tracing::error!(error = format!("{error:#}"), "the reboot that a run waits for");
                let _ = happened.send(Happened::NotDown(format!("{error:#}"))).await;
            }
        });
    }

    /// Tells whoever is logged in.
    fn warn(&self, told: &RebootTold, reason: &str) {
        let message = match told {
            RebootTold::Warned { minutes, .. } => {
                format!("This machine is rebooted in {minutes} minutes: {reason}. Save your work and log out.")
            }
            RebootTold::Deferred { minutes, count, most, .. } => format!(
                "This machine is to be rebooted: {reason}. For whoever is logged in it is put off for {minutes} minutes, \
                 and {} more times at most.",
                most.saturating_sub(*count)
            ),
            // What takes the machine down says so itself.
            RebootTold::Begun | RebootTold::Waits(_) | RebootTold::Failed(_) => return,
        };
        let machine = self.machine.clone();
        tokio::spawn(async move {
            if let Err(error) = machine.device.machine.warn(&message).await {
                tracing::warn!(error = format!("{error:#}"), "people who are logged in could not be told of a reboot");
            }
        });
    }

    fn steady_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// What became of a reboot, for a person.
pub(super) fn in_words(told: &RebootTold) -> String {
    match told {
        RebootTold::Waits(reason) => format!("its reboot waits: {reason}"),
        RebootTold::Deferred { people, minutes, count, most } => format!(
            "its reboot is put off for {minutes} minutes, because of {people} who are logged in: {count} of {most} times"
        ),
        RebootTold::Warned { people, minutes } => {
            format!("{people} who are logged in were warned of its reboot {minutes} minutes before it")
        }
        RebootTold::Begun => "the machine goes down for it".to_owned(),
        RebootTold::Failed(why) => format!("its reboot did not come, and is tried again in an hour: {why}"),
    }
}
