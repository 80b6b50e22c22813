//! What the fixtures of a plugin run on: devices in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use artifact::{Cache, Plugin};
use backends::Device;
use contract::run::{Event as TriggerEvent, Trigger, TriggerKind};
use model::{Grants, Outcome, Recorded, RunId};
use runtime::{Compiler, Engine, MemoryRecorder, NoObserver, Request, Resumed};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::differences;
use super::form::Case;
use super::observed::Observed;
use crate::context::Context;
use crate::job::limits;

/// A plugin, and what it is compiled by.
pub(in crate::command) struct Bench {
    pub(in crate::command) plugin: Plugin,
    engine: Engine,
    cache: Cache,
    compiler: Compiler,
}

/// What a run on a fixture left.
pub(in crate::command) struct Tried {
    pub(in crate::command) events: Vec<Recorded>,
    pub(super) observed: Observed,
    device: Device,
}

impl Tried {
    /// Why it did not run.
    pub(in crate::command) fn refused(&self) -> Option<&str> {
        self.events.is_empty().then_some(self.observed.detail.as_str())
    }
}

impl Bench {
    pub(in crate::command) fn new(plugin: Plugin, context: &Context) -> anyhow::Result<Self> {
        Ok(Self { plugin, engine: context.engine()?, cache: context.cache()?, compiler: context.compiler()? })
    }

    /// Runs the plugin on the device of a fixture, from detecting to wherever it ends.
    pub(in crate::command) async fn run(&self, case: &Case, cancel: CancellationToken) -> anyhow::Result<Tried> {
        let manifest = self.plugin.manifest();
        let parameters = self.plugin.parameters(case.run.parameters.clone()).context("`[run.parameters]`")?;
        let clock = case.device.clock();
        let device = backends::memory(&case.device, &manifest.plugin.name, Arc::clone(&clock)).await?;
        let grants = self.grants(case, &parameters)?;
        let prepared = runtime::prepare(&self.engine, &self.plugin, &grants, Some(&self.cache), &self.compiler).await;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(refused @ runtime::Error::Refused(_)) => {
                return Ok(Tried { events: Vec::new(), observed: Observed::refused(refused.to_string()), device });
            }
            Err(other) => return Err(other.into()),
        };
        let request = Request {
            run: RunId::new(),
            mode: case.run.mode,
            trigger: trigger(case)?,
            parameters,
            limits: limits(&manifest.limits, &case.run.limits())?,
            plan: None,
            recording: false,
            device: case.device.device.identity.device_id.clone(),
            roots: BTreeMap::new(),
            cancel,
            resumed: None,
        };
        let (run, recorder) = (request.run, MemoryRecorder::default());
        let kept = Box::new(recorder.clone());
        let ended = runtime::execute(&prepared, request.clone(), &device, &clock, kept, Arc::new(NoObserver)).await?;
        if ended.outcome == Outcome::Suspended && case.run.reboot {
            device.machine.reboot().await?;
            let resumed = Resumed::of(recorder.events().iter().map(|(_, event)| event));
            let request = Request { resumed: Some(resumed), ..request };
            let kept = Box::new(recorder.clone());
            runtime::execute(&prepared, request, &device, &clock, kept, Arc::new(NoObserver)).await?;
        }
        let observed = Observed::of(&recorder.events());
        let events = (0..).zip(recorder.events());
        let events = events.map(|(sequence, (at_ms, event))| Recorded { run, sequence, at_ms, event }).collect();
        Ok(Tried { events, observed, device })
    }

    /// What is not as the fixture expects it, a line each.
    pub(in crate::command) async fn differences(&self, case: &Case, tried: &Tried) -> Vec<String> {
        let plugin = &self.plugin.manifest().plugin.name;
        let device_id = &case.device.device.identity.device_id;
        let mut lines = differences::all(&case.expect, &tried.observed);
        lines.extend(differences::after(&case.expect.after, &tried.device, plugin, device_id).await);
        lines
    }

    /// Everything that the manifest asks for, or what the fixture grants of it.
    fn grants(&self, case: &Case, parameters: &Map<String, Value>) -> anyhow::Result<Grants> {
        let wishes = self.plugin.manifest().wishes(parameters)?;
        let Some(granted) = &case.run.grants else { return Ok(wishes) };
        let mut grants = Grants::default();
        for capability in granted {
            let wish = wishes.get(capability.interface);
            let wish = wish.with_context(|| format!("`[run] grants`: the manifest does not ask for `{capability}`"))?;
            let scope = if capability.scope.is_empty() { wish } else { &capability.scope };
            grants.add(capability.interface, scope.to_vec());
        }
        Ok(grants)
    }
}

fn trigger(case: &Case) -> anyhow::Result<Trigger> {
    let Some(event) = &case.run.event else {
        return Ok(Trigger {
            kind: TriggerKind::ByHand,
            name: "fixture".to_owned(),
            event: None,
            attributes: Vec::new(),
        });
    };
    let event = TriggerEvent {
        event_type: event.event_type.clone(),
        cause: event.cause.clone(),
        at_ms: case.device.now_ms,
        data: serde_json::to_string(&event.data)?,
        attributes: event.attributes.clone().into_iter().collect(),
    };
    Ok(Trigger { kind: TriggerKind::Event, name: "fixture".to_owned(), event: Some(event), attributes: Vec::new() })
}
