//! What a person asks for: parameters, limits, roots and a plan, each held against what the plugin takes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use artifact::Plugin;
use model::capability::Capability;
use model::{Plan, RunId, event};
use runtime::Request;
use serde_json::{Map, Value};
use store::Store;
use tokio_util::sync::CancellationToken;

use super::RunMode;
use crate::fault::Refused;
use crate::machine::{self, Machine};

/// What a run by hand takes, whoever starts it.
#[derive(clap::Args)]
pub(in crate::command) struct Asks {
    /// Set a parameter; what is not JSON is text
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameters: Vec<(String, String)>,

    /// Read parameters from a JSON file; `--param` goes before it
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,

    /// Grant a capability of class L2 or above, such as `files-write` or `service-control [nginx]`, or addresses that are not
    /// public: `http [10.0.0.0/8]`
    #[arg(long, value_name = "CAPABILITY")]
    pub(super) allow: Vec<Capability>,

    /// Let a named root stand for a folder
    #[arg(long = "bind", value_name = "NAME=DIR", value_parser = name_and_value)]
    binds: Vec<(String, String)>,

    /// Set a limit for this run, up to its ceiling, such as `wall-ms=60000`
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = name_and_value)]
    limits: Vec<(String, String)>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// How it is run.
pub(in crate::command) struct How {
    pub(in crate::command) mode: RunMode,
    pub(in crate::command) plan: Option<RunId>,
    pub(in crate::command) recording: bool,
}

/// All of it, as a request.
pub(in crate::command) fn request(
    asks: &Asks,
    how: How,
    plugin: &Plugin,
    machine: &Machine,
) -> anyhow::Result<Request> {
    let (manifest, shared) = (plugin.manifest(), &machine.device.shared);
    let parameters = plugin
        .parameters(asks.given()?)
        .with_context(|| format!("`{}` takes{}", manifest.plugin.name, takes(&manifest.parameters)))?;
    let plan = how.plan.map(|run| plan(&machine.store, run, plugin, &parameters)).transpose()?;
    if plan.is_some() && how.mode != RunMode::Enforce {
        bail!("`--plan` ties an enforce run to a dry run: add `--mode enforce`");
    }
    Ok(Request {
        run: RunId::new(),
        mode: how.mode.into(),
        trigger: machine::by_hand(),
        parameters,
        limits: limits(&manifest.limits, &asks.limits)?,
        plan,
        recording: how.recording,
        device: backends::device::device_id(shared)?.to_string(),
        roots: shared.policy.files.roots.clone(),
        cancel: CancellationToken::new(),
        resumed: None,
    })
}

impl Asks {
    /// Parameters as given: the file's, then those of the command line.
    pub(super) fn given(&self) -> anyhow::Result<Map<String, Value>> {
        let mut given = match &self.params {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
                serde_json::from_str(&text).with_context(|| format!("{}: expected a JSON object", path.display()))?
            }
            None => Map::new(),
        };
        for (name, value) in &self.parameters {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
            given.insert(name.clone(), value);
        }
        Ok(given)
    }

    /// Where named roots are.
    pub(in crate::command) fn roots(&self) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        let bound = self.binds.iter().map(|(name, folder)| {
            let folder = std::fs::canonicalize(folder).with_context(|| format!("--bind {name}={folder}"))?;
            Ok((name.clone(), folder))
        });
        bound.collect()
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
pub(in crate::command) fn limits(
    of_manifest: &model::Limits,
    given: &[(String, String)],
) -> anyhow::Result<model::Limits> {
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
