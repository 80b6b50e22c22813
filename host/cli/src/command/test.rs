//! A plugin against its fixtures: devices in memory, each with what is expected of a run there. Nothing is recorded, and
//! nothing of this machine is touched.

mod differences;
mod form;
mod observed;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use artifact::{Cache, Plugin};
use backends::Device;
use console::style;
use contract::run::{Event as TriggerEvent, Trigger, TriggerKind};
use model::{Grants, Outcome, RunId};
use runtime::{Compiler, Engine, MemoryRecorder, NoObserver, Request, Resumed};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::run::limits;
use crate::context::Context;
use crate::output::Format;
use crate::{output, source};
use form::Case;
use observed::Observed;

/// Run a plugin on every device that a fixture describes
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with the plugin's source, a script, or a built plugin together with `--fixtures`
    #[arg(default_value = ".", value_name = "DIR")]
    plugin: PathBuf,

    /// Read fixtures from here instead of DIR/fixtures, or NAME.fixtures beside a script
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
}

/// How one fixture went.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Tested {
    fixture: String,
    passed: bool,
    mode: &'static str,
    /// Absent where it could not be run.
    run: Option<Observed>,
    /// What is not as expected, a line each.
    differences: Vec<String>,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let beside = match script::is_script(&args.plugin) {
        true => args.plugin.with_extension("fixtures"),
        false => args.plugin.join("fixtures"),
    };
    let folder = args.fixtures.clone().unwrap_or(beside);
    let cases = form::read(&folder)?;
    let bench = Bench {
        plugin: source::load(&args.plugin, context.cache().ok().as_ref()).await?,
        engine: context.engine()?,
        cache: context.cache()?,
        compiler: context.compiler()?,
    };
    let mut all = Vec::new();
    for case in &cases {
        let tested = bench.test(case).await;
        if context.output == Format::Table {
            print(&tested);
        }
        all.push(tested);
    }
    let failed = all.iter().filter(|tested| !tested.passed).count();
    match context.output {
        Format::Json => output::json(&all)?,
        Format::Table => output::text(&format!("{} fixtures, {failed} failed", all.len())),
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(tested: &Tested) {
    let (name, mode) = (&tested.fixture, tested.mode);
    let ended = match &tested.run {
        Some(run) if run.outcome == Outcome::Completed => run.verdict.to_string(),
        Some(run) => run.outcome.to_string(),
        None => "did not run".to_owned(),
    };
    match tested.passed {
        true => output::text_marked(style("ok    ").green(), &format!("{name} ({mode}: {ended})")),
        false => {
            let lines = tested.differences.join("; ").replace('\n', " ");
            output::text_marked(style("FAILED").red().bold(), &format!("{name} ({mode}: {ended}): {lines}"));
        }
    }
}

/// What all fixtures of a plugin run on.
struct Bench {
    plugin: Plugin,
    engine: Engine,
    cache: Cache,
    compiler: Compiler,
}

impl Bench {
    async fn test(&self, case: &Case) -> Tested {
        let mut tested = Tested {
            fixture: case.name.clone(),
            passed: false,
            mode: case.run.mode.word(),
            run: None,
            differences: Vec::new(),
        };
        match self.execute(case).await {
            Ok((observed, device)) => {
                tested.differences = differences::all(&case.expect, &observed);
                let plugin = &self.plugin.manifest().plugin.name;
                let device_id = &case.device.device.identity.device_id;
                tested.differences.extend(differences::after(&case.expect.after, &device, plugin, device_id).await);
                tested.run = Some(observed);
            }
            Err(error) => tested.differences.push(format!("{error:#}")),
        }
        tested.passed = tested.differences.is_empty();
        tested
    }

    async fn execute(&self, case: &Case) -> anyhow::Result<(Observed, Device)> {
        let manifest = self.plugin.manifest();
        let parameters = self.plugin.parameters(case.run.parameters.clone()).context("`[run.parameters]`")?;
        let clock = case.device.clock();
        let device = backends::memory(&case.device, &manifest.plugin.name, Arc::clone(&clock)).await?;
        let grants = self.grants(case, &parameters)?;
        let prepared = runtime::prepare(&self.engine, &self.plugin, &grants, Some(&self.cache), &self.compiler).await;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(refused @ runtime::Error::Refused(_)) => {
                return Ok((Observed::refused(refused.to_string()), device));
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
            roots: std::collections::BTreeMap::new(),
            cancel: CancellationToken::new(),
            resumed: None,
        };
        let recorder = MemoryRecorder::default();
        let kept = Box::new(recorder.clone());
        let ended = runtime::execute(&prepared, request.clone(), &device, &clock, kept, Arc::new(NoObserver)).await?;
        if ended.outcome == Outcome::Suspended && case.run.reboot {
            device.machine.reboot().await?;
            let resumed = Resumed::of(recorder.events().iter().map(|(_, event)| event));
            let request = Request { resumed: Some(resumed), ..request };
            let kept = Box::new(recorder.clone());
            runtime::execute(&prepared, request, &device, &clock, kept, Arc::new(NoObserver)).await?;
        }
        Ok((Observed::of(&recorder.events()), device))
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
