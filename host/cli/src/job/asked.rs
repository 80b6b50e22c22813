//! What is asked, held against what the plugin takes.

use anyhow::{Context as _, bail};
use artifact::Plugin;
use model::{Digest, Plan, RunId, event};
use runtime::Request;
use serde_json::{Map, Value};
use store::Store;
use tokio_util::sync::CancellationToken;

use super::Job;
use crate::fault::Refused;
use crate::machine::{self, Machine};

impl Job {
    /// All of it, as a request.
    pub(crate) fn request(&self, plugin: &Plugin, machine: &Machine) -> anyhow::Result<Request> {
        let (manifest, shared) = (plugin.manifest(), &machine.device.shared);
        let parameters = plugin
            .parameters(self.given.clone())
            .with_context(|| format!("`{}` takes{}", manifest.plugin.name, takes(&manifest.parameters)))?;
        let planned = match self.plan_digest {
            Some(digest) => Some(planned(&machine.store, digest)?),
            None => self.plan,
        };
        let plan = planned.map(|run| plan(&machine.store, run, plugin, &parameters)).transpose()?;
        if plan.is_some() && self.mode != contract::run::Mode::Enforce {
            bail!("`--plan` ties an enforce run to a dry run: add `--mode enforce`");
        }
        Ok(Request {
            run: self.run,
            mode: self.mode,
            trigger: self.trigger.clone(),
            parameters,
            limits: limits(&manifest.limits, &self.limits)?,
            plan,
            recording: self.recording,
            device: backends::device::device_id(shared)?.to_string(),
            roots: shared.policy.files.roots.clone(),
            cancel: CancellationToken::new(),
            resumed: None,
        })
    }
}

/// How many of the latest runs are looked through for a plan that an order names.
const PLANNED_MAX: u32 = 1_000;

/// The dry run on this device that came to this plan.
fn planned(store: &Store, digest: Digest) -> anyhow::Result<RunId> {
    let runs = store.runs(PLANNED_MAX)?;
    let is_it = |it: &&store::Summary| it.ended.as_ref().is_some_and(|ended| ended.plan_digest == Some(digest));
    match runs.iter().find(is_it) {
        Some(found) => Ok(found.run),
        None => {
            let reason = format!("no dry run on this device came to the plan {digest} (no-plan)");
            Err(Refused::because(vec![reason]).into())
        }
    }
}

/// The parameters of a schema, a line each.
fn takes(schema: &Value) -> String {
    let required = |name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|it| it.as_str() == Some(name)))
    };
    let properties = schema.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty());
    let Some(properties) = properties else { return " no parameters".to_owned() };
    let line = |(name, property): (&String, &Value)| {
        let text = |key: &str| property.get(key).and_then(Value::as_str).unwrap_or_default();
        let default = match (required(name), property.get("default")) {
            (true, _) => ", required".to_owned(),
            (false, Some(default)) if !default.is_null() => format!(", {default} if left out"),
            (false, _) => String::new(),
        };
        format!("\n  --param {name}=… ({}{default}) {}", text("type"), text("description"))
    };
    properties.iter().map(line).collect()
}

/// The manifest's limits, with those that are given in their place.
pub(crate) fn limits(of_manifest: &model::Limits, given: &[(String, String)]) -> anyhow::Result<model::Limits> {
    let mut table = serde_json::to_value(of_manifest)?;
    for (name, value) in given {
        let value: u64 = value.parse().with_context(|| format!("limit `{name}`: expected a number"))?;
        let slot = table.get_mut(name);
        *slot.with_context(|| format!("no such limit: `{name}`; `remit inspect` lists them"))? = value.into();
    }
    let limits: model::Limits = serde_json::from_value(table)?;
    match limits.out_of_range().as_slice() {
        [] => Ok(limits),
        wrong => bail!("{}", wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// The plan of an earlier dry run, if it was of this plugin with these parameters.
fn plan(store: &Store, run: RunId, plugin: &Plugin, parameters: &Map<String, Value>) -> anyhow::Result<Plan> {
    let (started, events) = machine::record(store, run)?;
    let told = event::end(&events).and_then(|ended| ended.plan_digest);
    let plan = event::end(&events).and_then(|ended| ended.plan.clone());
    let plan = plan.with_context(|| format!("{run} has no plan: it is no dry run that completed"))?;
    let mut reasons = Vec::new();
    // Whoever reads the record reads the digest, and approves that.
    if told != Some(plan.digest(started.digest, &started.parameters)) {
        reasons.push(format!("the plan of {run} is not the one that its digest names: somebody has changed it"));
    }
    if started.digest != plugin.digest() {
        reasons.push(format!("{run} planned for {} {}, this is {}", started.plugin, started.digest, plugin.digest()));
    }
    if started.parameters != Value::Object(parameters.clone()) {
        let now = Value::Object(parameters.clone());
        reasons.push(format!("{run} planned with parameters {}, these are {now}", started.parameters));
    }
    match reasons.is_empty() {
        true => Ok(plan),
        false => {
            let next = Some("make a new dry run, and tie this run to it".to_owned());
            Err(Refused { next, ..Refused::because(reasons) }.into())
        }
    }
}
