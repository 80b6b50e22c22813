//! What the dispatcher asks before a start: ids, and whether this machine's owner lets an order's run start now.
//!
//! What is asked is known of an order's plugin since orders were read last. Where nobody knows it, because it is not installed or not
//! approved, the run is prepared and refused there; and policy is asked there once more (`job/device.rs`), of the plugin as it is by
//! then.

use std::collections::BTreeMap;

use agent::{Order, Reason, Run, Shell};
use contract::Class;
use model::{Outcome, RunId, policy};
use trust::Time;

use super::{Executor, Fleet, Refusal};
use crate::agent::runner;
use crate::context::Context;
use crate::installed::Plugins;
use crate::job::{Against, Asked, refusal};
use crate::keys;
use crate::machine::Machine;
use crate::vouched::{self, Device};

/// Of each order whose plugin is approved here, what its owner is asked about.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<String, Asked>);

impl Known {
    pub(super) fn get(&self, order: &str) -> Option<&Asked> {
        self.0.get(order)
    }
}

/// Reads what orders are about: all of them anew.
pub(super) struct Reading<'a> {
    context: &'a Context,
    machine: &'a Machine,
    device: &'a Device,
    plugins: Option<Plugins>,
    pub(super) known: Known,
}

impl<'a> Reading<'a> {
    pub(super) fn new(context: &'a Context, machine: &'a Machine, device: &'a Device) -> Self {
        let trust = keys::believed(context).unwrap_or_default();
        let plugins = Plugins::open(trust, context).ok();
        Self { context, machine, device, plugins, known: Known::default() }
    }

    /// The highest class of what runs of an order may use. Of a plugin that is not there nobody knows, so it counts as the highest.
    pub(super) fn class(&mut self, name: &str, order: &Order) -> Class {
        let read = self.read(name, order);
        read.unwrap_or(if order.changes() { Class::L4 } else { Class::L1 })
    }

    /// The same of an order that replaces the agent.
    pub(super) fn upgrade(&mut self, name: &str, (releaser, class): (String, Class)) -> Class {
        self.known.0.insert(name.to_owned(), Asked::of_upgrade(releaser, class));
        class
    }

    fn read(&mut self, name: &str, order: &Order) -> Option<Class> {
        let plugins = self.plugins.as_ref()?;
        let kept = plugins.of_digest(&order.plugin, order.digest, self.context).ok()??;
        let wishes = vouched::wishes(&kept.plugin, order.parameters.clone());
        let mut device = self.device.clone();
        device.also(order.client.as_deref(), &order.tags);
        let about = (&kept.plugin, &kept.statements);
        let decide = |trust| device.decide(about, &wishes, order.mode, trust, self.context).ok();
        let approved = plugins.trust.as_deref().and_then(decide).and_then(|decision| decision.approved);
        let grants = approved.as_ref().and_then(|approved| policy::narrow(approved.grants(), &order.allow).ok());
        let asked = |publisher| {
            Asked::new(&order.plugin, publisher, grants.as_ref().unwrap_or(&wishes), order.mode, self.machine)
        };
        let Some(approved) = approved else { return Some(asked(None).class()) };
        let asked = asked(Some(approved.plugin().publisher.to_string()));
        let class = asked.class();
        self.known.0.insert(name.to_owned(), asked);
        Some(class)
    }
}

/// Who answers for one step.
pub(super) struct Owner<'a> {
    pub(super) known: &'a Known,
    pub(super) machine: &'a Machine,
    /// Who ordered from afar, and may have stopped it since.
    pub(super) fleet: Option<&'a Fleet>,
    pub(super) now_ms: u64,
    /// What was refused, with all that speaks against it.
    pub(super) refused: Vec<(Run, Vec<Against>)>,
    /// What whoever ordered it does not want any more.
    pub(super) by_fleet: Vec<(RunId, Refusal)>,
}

impl Shell for Owner<'_> {
    fn new_run(&mut self) -> RunId {
        RunId::new()
    }

    fn permits(&mut self, run: &Run, order: Option<&Order>) -> Result<(), Reason> {
        // Whoever asks by hand waits for all of the answer, which is given where the run is prepared.
        let asked = order.and(run.order()).and_then(|name| self.known.get(name));
        if let (Some(fleet), Some(name)) = (self.fleet, run.order())
            && let Some(refusal) = fleet.against(name, asked.map(Asked::class), Time::from_ms(self.now_ms))
        {
            let reason = refusal.reason.clone();
            self.by_fleet.push((run.id, refusal));
            return Err(reason);
        }
        let Some(asked) = asked else { return Ok(()) };
        match asked.against(self.machine, self.now_ms) {
            Ok(against) => {
                let Some(first) = against.first().map(|it| it.reason.clone()) else { return Ok(()) };
                self.refused.push((run.clone(), against));
                Err(first)
            }
            // Nothing is charged to a ledger that cannot be read: the run says so itself, and its record does.
            Err(error) => {
                tracing::error!(run = %run.id, error = format!("{error:#}"), "what is left of budgets");
                Ok(())
            }
        }
    }
}

impl Executor {
    /// What the owner refused is evidence, as what is refused later is: it has a record.
    pub(super) fn record_refused(&mut self) {
        for (run, against) in std::mem::take(&mut self.refused) {
            let Some((job, plugin, digest)) = self.job(&run) else { continue };
            let (machine, context, leaving) = (self.machine.clone(), self.context.clone(), self.leaving.clone());
            tokio::spawn(async move {
                let (order, refused) = (Some((plugin.as_str(), digest)), refusal(against, &machine).into());
                let failed = (Outcome::Refused, &refused);
                runner::record_failure(&job, order, &machine, failed, &leaving, &context).await;
            });
        }
    }

    /// What the owner has against a run of an order now.
    pub(super) fn owner_against(&self, order: &str) -> anyhow::Result<Vec<Against>> {
        let Some(asked) = self.known.get(order) else { return Ok(Vec::new()) };
        asked.against(&self.machine, self.context.clock.now_ms())
    }
}
