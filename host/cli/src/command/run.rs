use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use artifact::Plugin;
use backends::{Device, notify};
use contract::run::{Mode, Trigger, TriggerKind};
use model::capability::{Capability, Grants};
use model::event::FORMAT;
use model::policy::{self, Allow, Missing};
use model::{Ended, Event, Outcome, Plan, Recorded, Resources, RunId, Started, Verdict, parameters};
use runtime::{Recorder, Request};
use serde_json::{Map, Value};
use store::Store;
use tokio_util::sync::CancellationToken;

use super::summary::RunSummary;
use crate::context::{Context, HostPolicy};
use crate::fault::Refused;
use crate::source;
use crate::watch::Spinner;
use crate::{exit, lock, output, reconcile, suspended, whole};

/// Run a plugin once on this machine
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, or the folder with its source
    plugin: PathBuf,

    /// What it may do: look; look and say what it would change; or change it
    #[arg(long, value_enum, default_value = "detect")]
    mode: RunMode,

    /// Set a parameter; what is not JSON is text
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameters: Vec<(String, String)>,

    /// Read parameters from a JSON file; `--param` goes before it
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,

    /// Grant a capability of class L2 or above, such as `files-write` or `service-control [nginx]`
    #[arg(long, value_name = "CAPABILITY")]
    allow: Vec<Capability>,

    /// Let a named root stand for a folder
    #[arg(long = "bind", value_name = "NAME=DIR", value_parser = name_and_value)]
    binds: Vec<(String, String)>,

    /// Do what this dry run planned, and nothing else
    #[arg(long, value_name = "RUN")]
    plan: Option<RunId>,

    /// Set a limit for this run, up to its ceiling, such as `wall-ms=60000`
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = name_and_value)]
    limits: Vec<(String, String)>,

    /// Write the record to a file, with all that a replay needs
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// The modes, as the command line has them.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum RunMode {
    Detect,
    DryRun,
    Enforce,
}

impl From<RunMode> for Mode {
    fn from(mode: RunMode) -> Self {
        match mode {
            RunMode::Detect => Self::Detect,
            RunMode::DryRun => Self::DryRun,
            RunMode::Enforce => Self::Enforce,
        }
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let plugin = source::load(&args.plugin).await?;
    let store = context.store()?;
    let policy = context.host_policy()?;
    let binds = roots(&args.binds)?;
    let device = context.device(&store, &policy, &binds);
    let hand = Hand::new(&args, &plugin, device, &store)?;
    let _machine = lock::machine(&context.state, hand.request.mode)?;
    reconcile::after_crash(&store, &hand.device, context).await?;
    let grants = match grant(&args, &plugin, &policy, &hand.request) {
        Ok(grants) => grants,
        Err(refused) => return Err(hand.record_refusal(refused, &plugin, &store, context)),
    };
    let ended = execute(&hand, &plugin, &grants, &store, context).await?;
    deliver(&hand.device).await;
    if ended.outcome == Outcome::Suspended {
        suspended::leave(context, hand.request.run, &plugin)?;
    }
    let events = store.events(hand.request.run)?;
    if let Some(path) = &args.record {
        write_record(path, &events)?;
    }
    if let Some(summary) = RunSummary::of(&events) {
        summary.print(context.output)?;
    }
    if ended.outcome == Outcome::Suspended {
        hand.device.machine.reboot().await.context("the reboot that the run waits for")?;
    }
    Ok(exit::of(&ended))
}

/// What a person asked for by hand.
struct Hand {
    request: Request,
    device: Device,
}

impl Hand {
    fn new(args: &Args, plugin: &Plugin, device: Device, store: &Arc<Store>) -> anyhow::Result<Self> {
        let manifest = plugin.manifest();
        let parameters = parameters::resolve(&manifest.parameters, given(args)?)
            .with_context(|| format!("`{}` takes{}", manifest.plugin.name, takes(&manifest.parameters)))?;
        let plan = args.plan.map(|run| plan(store, run, plugin, &parameters)).transpose()?;
        if plan.is_some() && !matches!(args.mode, RunMode::Enforce) {
            bail!("`--plan` ties an enforce run to a dry run: add `--mode enforce`");
        }
        let request = Request {
            run: RunId::new(),
            mode: args.mode.into(),
            trigger: by_hand(),
            parameters,
            limits: limits(&manifest.limits, &args.limits)?,
            plan,
            recording: args.record.is_some(),
            device: backends::device::device_id(&device.shared)?.to_string(),
            roots: device.shared.policy.files.roots.clone(),
            cancel: CancellationToken::new(),
            resumed: None,
        };
        Ok(Self { request, device })
    }

    /// A refusal is evidence too: it has a record of its own.
    fn record_refusal(
        &self,
        refused: Refused,
        plugin: &Plugin,
        store: &Arc<Store>,
        context: &Context,
    ) -> anyhow::Error {
        match self.try_record_refusal(&refused, plugin, store, context) {
            Ok(()) => refused.into(),
            Err(error) => error.context(refused.to_string()),
        }
    }

    fn try_record_refusal(
        &self,
        refused: &Refused,
        plugin: &Plugin,
        store: &Arc<Store>,
        context: &Context,
    ) -> anyhow::Result<()> {
        let request = &self.request;
        let about = &plugin.manifest().plugin;
        let mut log = store.open_run(request.run)?.context("the run has a record already")?;
        let started = Started {
            format: FORMAT,
            plugin: about.name.clone(),
            version: about.version.to_string(),
            digest: plugin.digest(),
            trust: plugin.trust().to_string(),
            mode: request.mode,
            trigger: request.trigger.clone(),
            parameters: Value::Object(request.parameters.clone()),
            grants: Grants::default(),
            limits: request.limits.clone(),
            plan: None,
            device: request.device.clone(),
            roots: BTreeMap::new(),
            host: env!("CARGO_PKG_VERSION").to_owned(),
            undoes: None,
        };
        let ended = Ended {
            verdict: Verdict::Unknown,
            outcome: Outcome::Refused,
            detail: refused.reasons.join("\n"),
            error: None,
            plan: None,
            plan_digest: None,
            resources: Resources::default(),
        };
        let now = context.clock.now_ms();
        log.append(vec![(now, Event::Started(Box::new(started))), (now, Event::Ended(Box::new(ended)))])?;
        Ok(())
    }
}

/// Who started it, where they say so.
pub(crate) fn by_hand() -> Trigger {
    Trigger { kind: TriggerKind::ByHand, name: "by hand".to_owned(), event: None, attributes: Vec::new() }
}

async fn execute(
    hand: &Hand,
    plugin: &Plugin,
    grants: &Grants,
    store: &Arc<Store>,
    context: &Context,
) -> anyhow::Result<Ended> {
    let engine = context.engine()?;
    let spinner = Arc::new(Spinner::new(&plugin.manifest().plugin.name));
    let (cache, compiler) = (context.cache()?, context.compiler()?);
    let prepared = match runtime::prepare(&engine, plugin, grants, Some(&cache), &compiler).await {
        Ok(prepared) => prepared,
        Err(runtime::Error::Refused(reasons)) => {
            let reasons = reasons.iter().map(ToString::to_string).collect();
            let refused = Refused { reasons, next: None };
            return Err(hand.record_refusal(refused, plugin, store, context));
        }
        Err(other) => return Err(other.into()),
    };
    let log = store.open_run(hand.request.run)?.context("the run has a record already")?;
    let cancel = hand.request.cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    let recorder: Box<dyn Recorder> = Box::new(log);
    let request = hand.request.clone();
    let ended = runtime::execute(&prepared, request, &hand.device, &context.clock, recorder, spinner.clone()).await?;
    spinner.finish();
    Ok(ended)
}

/// How long the end of a run waits for notifications to leave. What has not left by then leaves with the next run.
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(20);

/// Sends what the run, or an earlier one, queued. What does not leave stays queued; that is no fault of the run.
pub(crate) async fn deliver(device: &Device) {
    let reports = match notify::flush(&device.shared, Instant::now() + DELIVERY_TIME_MAX).await {
        Ok(reports) => reports,
        Err(error) => return output::say(&format!("note: notifications could not be sent: {error}")),
    };
    for report in reports {
        match report.outcome {
            notify::Outcome::Waiting { problem, .. } => {
                output::say(&format!(
                    "note: `{}` was not told yet: {problem}; the next run tries again",
                    report.audience
                ));
            }
            notify::Outcome::Failed { problem } => {
                output::say(&format!("note: `{}` was not told: {problem}", report.audience));
            }
            notify::Outcome::Delivered { .. } | notify::Outcome::Expired => {}
        }
    }
}

/// Parameters as given: the file's, then those of the command line.
fn given(args: &Args) -> anyhow::Result<Map<String, Value>> {
    let mut given = match &args.params {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{}: expected a JSON object", path.display()))?
        }
        None => Map::new(),
    };
    for (name, value) in &args.parameters {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
        given.insert(name.clone(), value);
    }
    Ok(given)
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

pub(super) fn limits(of_manifest: &model::Limits, given: &[(String, String)]) -> anyhow::Result<model::Limits> {
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

fn roots(binds: &[(String, String)]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let bound = binds.iter().map(|(name, folder)| {
        let folder = std::fs::canonicalize(folder).with_context(|| format!("--bind {name}={folder}"))?;
        Ok((name.clone(), folder))
    });
    bound.collect()
}

/// The plan of an earlier dry run, if it was of this plugin with these parameters.
fn plan(store: &Arc<Store>, run: RunId, plugin: &Plugin, parameters: &Map<String, Value>) -> anyhow::Result<Plan> {
    let events = store.events(run)?;
    let Some(Event::Started(started)) = events.first().map(|first| &first.event) else {
        bail!("{run} is not in this device's memory; `remit runs list` shows what is");
    };
    let ended = events.iter().find_map(|recorded| match &recorded.event {
        Event::Ended(ended) => Some(ended),
        _ => None,
    });
    let plan = ended.and_then(|ended| ended.plan.clone());
    let plan = plan.with_context(|| format!("{run} has no plan: it is no dry run that completed"))?;
    let mut reasons = Vec::new();
    if started.digest != plugin.digest() {
        reasons.push(format!("{run} planned for {} {}, this is {}", started.plugin, started.digest, plugin.digest()));
    }
    if started.parameters != Value::Object(parameters.clone()) {
        let now = Value::Object(parameters.clone());
        reasons.push(format!("{run} planned with parameters {}, these are {now}", started.parameters));
    }
    match reasons.is_empty() {
        true => Ok(plan),
        false => Err(Refused { reasons, next: Some("make a new dry run, and tie this run to it".to_owned()) }.into()),
    }
}

fn grant(args: &Args, plugin: &Plugin, policy: &HostPolicy, request: &Request) -> Result<Grants, Refused> {
    let manifest = plugin.manifest();
    let mut allowed = policy.allow.clone();
    allowed.extend(args.allow.iter().map(|capability| Allow { plugin: None, capability: capability.clone() }));
    let wishes = manifest.wishes(&request.parameters).map_err(|bad| Refused { reasons: bad.0, next: None })?;
    policy::grant_by_hand(manifest, &wishes, request.mode, &allowed)
        .map_err(|missing| not_granted(&missing, &manifest.plugin.name, policy))
}

/// Everything that is missing, with the lines that would allow it.
fn not_granted(missing: &[Missing], plugin: &str, policy: &HostPolicy) -> Refused {
    let mut line = policy.lines + 1;
    let mut reasons = Vec::new();
    for it in missing {
        reasons.push(format!(
            "`{}` ({}) is not granted: {}\n    add at {}:{line}\n      [[allow]]\n      plugin = \"{plugin}\"\n      capability = \"{}\"",
            it.capability, it.class, it.reason, policy.path.display(), it.capability,
        ));
        line += 3;
    }
    let flags: Vec<String> = missing.iter().map(|it| format!("--allow '{}'", it.capability)).collect();
    Refused { reasons, next: Some(format!("add these lines to host policy, or {} for this run", flags.join(" "))) }
}

fn write_record(path: &Path, events: &[Recorded]) -> anyhow::Result<()> {
    let lines: Result<Vec<String>, _> = events.iter().map(serde_json::to_string).collect();
    whole::write(path, (lines?.join("\n") + "\n").as_bytes()).with_context(|| format!("{}", path.display()))
}
