//! The life of a run: `started` made durable, detect, remediate, detect again, each in a fresh store, and exactly one end.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backends::Device;
use backends::patch::Machine;
use contract::detection::{self, Report};
use contract::remediation::Remedy;
use contract::run::{Context, Mode, Trigger};
use contract::types::{Effect, Error as GuestError, Finding};
use contract::{Caller, Footprint, Mask};
use model::budget::{Amounts, Budget};
use model::event::FORMAT;
use model::{Clock, Ended, Event, Limits, Outcome, Phase, Plan, Resources, RunId, Started, Verdict};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Lift, Lower};
use wasmtime::{Store, UpdateDeadline};

use crate::gate::{Facts, Gate, Source};
use crate::journal::Journal;
use crate::meter::{CpuMeter, Metered};
use crate::prepare::Prepared;
use crate::state::{Run, Told};
use crate::stop::{End, Stopped};
use crate::wasi::Inputs;
use crate::{Error, Observer, Recorder, Refusal};

/// How long a suspended run waits for its reboot: a night, a day, and somebody who forgot.
const SUSPENDED_MS_MAX: u64 = 72 * 60 * 60 * 1_000;

/// The most bytes of a finding's fingerprint: the contract's figure, and that of tickets and alerts made of it.
const FINGERPRINT_BYTES_MAX: usize = 255;

/// How long a cancelled guest has to notice and return.
const CANCEL_GRACE_MAX: Duration = Duration::from_secs(1);

/// What is asked of a prepared plugin.
#[derive(Clone)]
pub struct Request {
    /// The run's id.
    pub run: RunId,
    /// What it may do.
    pub mode: Mode,
    /// Why it is started.
    pub trigger: Trigger,
    /// The parameters, validated, defaults filled in.
    pub parameters: Map<String, Value>,
    /// What it may use.
    pub limits: Limits,
    /// The plan that it is tied to.
    pub plan: Option<Plan>,
    /// Whether the record keeps all that a replay needs.
    pub recording: bool,
    /// The device's id.
    pub device: String,
    /// The folders that named roots stand for.
    pub roots: BTreeMap<String, PathBuf>,
    /// Stops the run: the guest is told, and after a second ended.
    pub cancel: CancellationToken,
    /// Where it goes on, after the reboot that it was granted.
    pub resumed: Option<Resumed>,
}

/// Where a suspended run goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resumed {
    /// What it kept.
    pub checkpoint: Vec<u8>,
    /// What it had found.
    pub findings: Vec<Finding>,
    /// Whether it had changed anything by then.
    pub has_changed: bool,
    /// How often it had called the host: its calls are numbered on, and count against the same limit.
    pub calls: u64,
}

impl Resumed {
    /// Out of what was recorded of the run so far.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut resumed = Self::default();
        for event in events {
            match event {
                Event::Checkpoint { state } => resumed.checkpoint.clone_from(state),
                Event::Suspended { findings, .. } => resumed.findings.clone_from(findings),
                Event::Called(called) => {
                    resumed.has_changed |= called.effects.iter().any(|effect| effect.effect != Effect::Unchanged);
                    resumed.calls = resumed.calls.max(called.call + 1);
                }
                _ => {}
            }
        }
        resumed
    }
}

/// Runs a plugin once on a device. Its record is in the recorder, from `started` to `ended`; of a run that waits for the reboot
/// that it was granted (outcome `suspended`) to `suspended`, and the caller then reboots and goes on with it.
pub async fn execute(
    prepared: &Prepared,
    request: Request,
    device: &Device,
    clock: &Arc<dyn Clock>,
    recorder: Box<dyn Recorder>,
    observer: Arc<dyn Observer>,
) -> Result<Ended, Error> {
    let mask = Arc::clone(&device.masker) as Arc<dyn Mask>;
    let allowance = device.allowance.clone();
    let journal = Journal::new(recorder, Arc::clone(clock), observer, mask, &request.limits, allowance);
    let began_ms = journal.now_ms();
    let (begin, charge) = match &request.resumed {
        Some(_) => (Event::Resumed, Amounts::default()),
        None => (Event::Started(Box::new(started(prepared, &request))), of_run(prepared, &request, device)),
    };
    let began = journal.charge(charge, Some(begin)).await.map_err(|error| Error::Record(error.to_string()))?;
    began.map_err(|exhausted| Error::Refused(vec![Refusal::Exhausted(exhausted)]))?;
    let recording = request.recording;
    let clock = Arc::clone(clock);
    let world = World {
        source: Source::of(device, request.mode),
        inputs: Box::new(move |_| Inputs::live(Arc::clone(&clock), recording)),
        reboots: Reboots::Live(Arc::clone(&device.machine)),
        machine: device.allowance.is_some().then(|| Arc::clone(&device.machine)),
        began_ms,
    };
    let mut drive = Drive::new(prepared, request, world, journal)?;
    let came = drive.run().await;
    drive.end(came).await
}

/// What an enforced run is charged for being one.
fn of_run(prepared: &Prepared, request: &Request, device: &Device) -> Amounts {
    let (class, _) = device.shared.policy.class_of(&prepared.grants, request.mode);
    let budget = Budget::of_runs(class).filter(|_| device.allowance.is_some() && request.mode == Mode::Enforce);
    budget.map(|budget| Amounts::of(budget, 1)).unwrap_or_default()
}

fn started(prepared: &Prepared, request: &Request) -> Started {
    let plugin = &prepared.plugin;
    Started {
        format: FORMAT,
        plugin: plugin.manifest().plugin.name.clone(),
        version: plugin.manifest().plugin.version.to_string(),
        digest: plugin.digest(),
        runtime: plugin.script().map(|_| *script::DIGEST),
        trust: plugin.trust().to_string(),
        mode: request.mode,
        trigger: request.trigger.clone(),
        parameters: Value::Object(request.parameters.clone()),
        grants: prepared.grants.clone(),
        limits: request.limits.clone(),
        plan: request.plan.as_ref().map(|plan| digest_of(prepared, request, plan)),
        device: request.device.clone(),
        roots: request.roots.clone(),
        host: env!("CARGO_PKG_VERSION").to_owned(),
        undoes: None,
    }
}

fn digest_of(prepared: &Prepared, request: &Request, plan: &Plan) -> model::Digest {
    plan.digest(prepared.plugin.digest(), &Value::Object(request.parameters.clone()))
}

/// All that a run meets: a device, or the record of one.
pub(crate) struct World {
    /// Who answers its calls.
    pub(crate) source: Source,
    /// What each phase's clocks and random numbers are.
    pub(crate) inputs: InputsOf,
    /// Whether it is granted a reboot.
    pub(crate) reboots: Reboots,
    /// The machine, where what is used of it is charged.
    pub(crate) machine: Option<Arc<dyn Machine>>,
    /// When it begins, or goes on after a reboot.
    pub(crate) began_ms: u64,
}

/// Makes what each phase's clocks and random numbers are.
pub(crate) type InputsOf = Box<dyn Fn(Phase) -> Inputs + Send + Sync>;

/// Who knows whether the run was granted a reboot.
pub(crate) enum Reboots {
    /// The machine.
    Live(Arc<dyn Machine>),
    /// A record: the event that it has of it, where it has one.
    Recorded(Option<Reboot>),
}

/// A reboot that a run was granted.
#[derive(Clone)]
pub(crate) struct Reboot {
    /// Until when the run waits for it.
    pub(crate) until_ms: u64,
    /// The boot that is to be over.
    pub(crate) boot: String,
}

/// One run under way.
pub(crate) struct Drive<'a> {
    prepared: &'a Prepared,
    request: Request,
    told: Arc<Told>,
    facts: Arc<Facts>,
    gate: Option<Gate>,
    inputs: InputsOf,
    reboots: Reboots,
    journal: Journal,
    meter: Arc<CpuMeter>,
    began: Instant,
    memory_bytes_peak: u64,
}

/// How a run came out, before what it used is added.
pub(crate) struct Came {
    verdict: Verdict,
    end: End,
}

impl Came {
    fn to(verdict: Verdict) -> Self {
        Self { verdict, end: End::new(Outcome::Completed, "") }
    }
}

impl<'a> Drive<'a> {
    pub(crate) fn new(prepared: &'a Prepared, request: Request, world: World, journal: Journal) -> Result<Self, Error> {
        let began = Instant::now();
        let facts = Arc::new(Facts {
            caller: Arc::new(caller(prepared, &request)),
            mode: request.mode,
            limits: request.limits.clone(),
            scopes: Arc::clone(&prepared.scopes),
            deadline: began + Duration::from_millis(request.limits.wall_ms),
            recording: request.recording,
        });
        let mut gate =
            Gate::new(Arc::clone(&facts), world.source, request.plan.clone(), journal.clone(), world.machine);
        if let Some(resumed) = &request.resumed {
            gate.go_on(resumed.calls, resumed.has_changed);
        }
        Ok(Self {
            told: Arc::new(told(prepared, &request, world.began_ms)),
            prepared,
            request,
            facts,
            gate: Some(gate),
            inputs: world.inputs,
            reboots: world.reboots,
            journal,
            meter: Arc::default(),
            began,
            memory_bytes_peak: 0,
        })
    }

    /// All phases. An `Err` is how a phase ended that gave no answer.
    pub(crate) async fn run(&mut self) -> Came {
        match self.phases().await {
            Ok(verdict) => self.judge_plan(verdict),
            Err(end) => Came { verdict: Verdict::Unknown, end },
        }
    }

    async fn phases(&mut self) -> Result<Verdict, End> {
        let findings = match self.request.resumed.clone() {
            Some(resumed) => resumed.findings,
            None => {
                let report = self.detect(Phase::Detect).await?;
                let verdict = verdict_of(report.verdict);
                let findings: Vec<Finding> = report.findings.into_iter().filter(|it| it.remediable).collect();
                if self.request.mode == Mode::Detect || verdict != Verdict::NonCompliant || findings.is_empty() {
                    return Ok(verdict);
                }
                findings
            }
        };
        if self.prepared.remediate.is_none() {
            return Ok(Verdict::NonCompliant);
        }
        self.remediate(findings.clone()).await?;
        if self.request.mode == Mode::DryRun {
            let has_planned = self.gate().has_changed();
            return Ok(if has_planned { Verdict::Planned } else { Verdict::NonCompliant });
        }
        self.suspend(&findings).await?;
        let after = self.detect(Phase::Verify).await?;
        Ok(measured(&findings, &after, self.gate().has_changed()))
    }

    async fn detect(&mut self, phase: Phase) -> Result<Report, End> {
        let detect = self.prepared.detect;
        let report: Report = self.phase(phase, &detect, ()).await?;
        check_report(&report, &self.facts.limits)?;
        self.journal.event(Event::Reported { phase, report: report.clone() });
        Ok(report)
    }

    async fn remediate(&mut self, findings: Vec<Finding>) -> Result<(), End> {
        let Some(remediate) = self.prepared.remediate else { return Ok(()) };
        let remedy: Remedy = self.phase(Phase::Remediate, &remediate, (findings,)).await?;
        check_result(&remedy, &self.facts.limits)?;
        self.journal.event(Event::Remedied { summary: remedy.summary, attributes: remedy.attributes });
        Ok(())
    }

    /// Ends here for now where the run was granted a reboot.
    async fn suspend(&mut self, findings: &[Finding]) -> Result<(), End> {
        let Some(Reboot { until_ms, boot }) = self.granted_reboot().await? else { return Ok(()) };
        self.journal.event(Event::Suspended { until_ms, boot, findings: findings.to_vec() });
        Err(End::new(Outcome::Suspended, "it waits for the reboot that it was granted"))
    }

    async fn granted_reboot(&self) -> Result<Option<Reboot>, End> {
        let machine = match &self.reboots {
            Reboots::Recorded(reboot) => return Ok(reboot.clone()),
            Reboots::Live(machine) => machine,
        };
        let host_error = |error: GuestError| End::new(Outcome::HostError, error.to_string());
        let accepted = machine.pending_reboot().await.map_err(host_error)?;
        let until_ms = self.journal.now_ms().saturating_add(SUSPENDED_MS_MAX);
        Ok(accepted
            .filter(|request| request.run == self.facts.caller.run)
            .map(|request| Reboot { until_ms, boot: request.boot }))
    }

    /// One call of one export, in a store of its own.
    async fn phase<P, R>(&mut self, phase: Phase, export: &ComponentExportIndex, params: P) -> Result<R, End>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: Lift + Send + Sync + 'static,
        Result<R, GuestError>: Lift,
    {
        let Some(mut gate) = self.gate.take() else { return Err(End::new(Outcome::HostError, "the gate is gone")) };
        gate.enter(phase);
        let inputs = (self.inputs)(phase);
        let slot = self.prepared.engine.enter(self.prepared.needs).await;
        let mut store = self.store(Run::new(gate, Arc::clone(&self.told), inputs.clone()));
        let answer = self.answer(&mut store, export, params).await;
        let run = store.into_data();
        drop(slot);
        self.memory_bytes_peak = self.memory_bytes_peak.max(run.limiter.memory_bytes_peak());
        let mut gate = run.gate;
        gate.give_up_in_flight();
        self.gate = Some(gate);
        if let Some((clock, seed)) = inputs.take() {
            self.journal.event(Event::Inputs { phase, clock, seed });
        }
        // A host call that was waiting when wall time ran out answers the guest first, which then gives up in its own words.
        let is_late = Instant::now() >= self.facts.deadline;
        answer?.map_err(|error| match check_result(&error, &self.facts.limits) {
            _ if is_late => Stopped::Timeout.into(),
            Err(too_large) => too_large,
            Ok(()) => End::gave_up(error),
        })
    }

    fn store(&self, run: Run) -> Store<Run> {
        let limits = &self.facts.limits;
        let mut store = Store::new(&self.prepared.engine.wasmtime, run);
        store.limiter(|run| &mut run.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.call_bytes).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        let (meter, cpu_ms_max) = (Arc::clone(&self.meter), limits.cpu_ms);
        store.epoch_deadline_callback(move |_| {
            if meter.used_now_ms() >= cpu_ms_max {
                return Err(Stopped::Limit("cpu-ms").into());
            }
            // Yields to whoever watches the clock, and to the neighbours.
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }

    async fn answer<P, R>(
        &self,
        store: &mut Store<Run>,
        export: &ComponentExportIndex,
        params: P,
    ) -> Result<Result<R, GuestError>, End>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: Lift + Send + Sync + 'static,
        Result<R, GuestError>: Lift,
    {
        let call = Box::pin(async {
            let instance = self.prepared.instance.instantiate_async(&mut *store).await?;
            let function = instance.get_typed_func::<P, (Result<R, GuestError>,)>(&mut *store, export)?;
            let (answer,) = function.call_async(&mut *store, params).await?;
            Ok::<_, wasmtime::Error>(answer)
        });
        let cancelled = async {
            self.facts.caller.cancel.cancelled().await;
            tokio::time::sleep(CANCEL_GRACE_MAX).await;
        };
        tokio::select! {
            biased;
            answer = Metered::new(call, Arc::clone(&self.meter)) => answer.map_err(|error| End::of(&error)),
            () = tokio::time::sleep_until(self.facts.deadline.into()) => Err(Stopped::Timeout.into()),
            () = cancelled => Err(Stopped::Cancelled.into()),
        }
    }

    /// A run that wanted more than its plan is not a success, whatever the plugin says.
    fn judge_plan(&self, verdict: Verdict) -> Came {
        match self.gate().off_plan() {
            Some(what) => {
                let end = End::new(Outcome::Denied, format!("the plan that the run is tied to does not have {what}"));
                Came { verdict, end }
            }
            None => Came::to(verdict),
        }
    }

    #[expect(clippy::expect_used, reason = "a phase takes the gate and gives it back before it returns")]
    pub(crate) fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("no phase is under way")
    }

    /// The terminal event, durable; a suspended run has none yet.
    pub(crate) async fn end(&mut self, came: Came) -> Result<Ended, Error> {
        let plan = (self.request.mode == Mode::DryRun && came.end.outcome == Outcome::Completed)
            .then(|| self.gate().plan().clone());
        let ended = Ended {
            verdict: came.verdict,
            outcome: came.end.outcome,
            detail: came.end.detail,
            error: came.end.error,
            plan_digest: plan.as_ref().map(|plan| digest_of(self.prepared, &self.request, plan)),
            plan,
            resources: self.resources(),
        };
        if ended.outcome != Outcome::Suspended {
            self.journal.event(Event::Ended(Box::new(ended.clone())));
        }
        self.journal.flush().await.map_err(|error| Error::Record(error.to_string()))?;
        Ok(ended)
    }

    fn resources(&self) -> Resources {
        Resources {
            wall_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            cpu_ms: self.meter.used_ms(),
            memory_peak_bytes: self.memory_bytes_peak,
            calls: self.gate().calls(),
            call_bytes: self.gate().call_bytes(),
            log_lines_dropped: self.journal.log_lines_dropped(),
        }
    }
}

fn caller(prepared: &Prepared, request: &Request) -> Caller {
    let plugin = &prepared.plugin.manifest().plugin.name;
    Caller {
        people: prepared.scopes.contains_key(contract::DEVICE_PEOPLE.name),
        http_body_bytes: request.limits.http_body_bytes,
        http_ms: request.limits.http_ms,
        cancel: request.cancel.clone(),
        ..Caller::new(&request.run.to_string(), plugin, &request.device)
    }
}

fn told(prepared: &Prepared, request: &Request, began_ms: u64) -> Told {
    Told {
        context: Context {
            run_id: request.run.to_string(),
            mode: request.mode,
            attempt: 1,
            started_ms: began_ms,
            deadline_ms: began_ms.saturating_add(request.limits.wall_ms),
            attributes: Vec::new(),
        },
        parameters: Value::Object(request.parameters.clone()).to_string(),
        trigger: request.trigger.clone(),
        resumed: request.resumed.as_ref().map(|resumed| resumed.checkpoint.clone()),
        script: prepared.plugin.script().cloned(),
    }
}

fn verdict_of(verdict: detection::Verdict) -> Verdict {
    match verdict {
        detection::Verdict::Compliant => Verdict::Compliant,
        detection::Verdict::NonCompliant => Verdict::NonCompliant,
        detection::Verdict::NotApplicable => Verdict::NotApplicable,
        detection::Verdict::Unknown => Verdict::Unknown,
    }
}

/// What detecting again says about what was to be put right.
fn measured(before: &[Finding], after: &Report, has_changed: bool) -> Verdict {
    let verdict = verdict_of(after.verdict);
    match verdict {
        // Nobody changed anything, and it is well all the same: it put itself right.
        Verdict::Compliant if !has_changed => Verdict::Compliant,
        Verdict::Compliant => Verdict::Fixed,
        Verdict::NonCompliant if has_changed => {
            let still: HashSet<&str> = after.findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
            let recurs = before.iter().any(|finding| still.contains(finding.fingerprint.as_str()));
            if recurs { Verdict::Recurred } else { Verdict::NonCompliant }
        }
        other => other,
    }
}

/// What a guest hands back is kept: in memory, in the record, and before a person.
fn check_result(result: &impl Footprint, limits: &Limits) -> Result<(), End> {
    match u64::try_from(result.footprint()).unwrap_or(u64::MAX) > limits.result_bytes {
        true => Err(End::new(Outcome::Limit, "result-bytes")),
        false => Ok(()),
    }
}

fn check_report(report: &Report, limits: &Limits) -> Result<(), End> {
    check_result(report, limits)?;
    if u64::try_from(report.findings.len()).unwrap_or(u64::MAX) > limits.findings {
        return Err(End::new(Outcome::Limit, "findings"));
    }
    let mut seen = HashSet::new();
    for finding in &report.findings {
        let length = finding.fingerprint.len();
        if !(1..=FINGERPRINT_BYTES_MAX).contains(&length) {
            let detail = format!(
                "finding `{}`: a fingerprint has 1 to {FINGERPRINT_BYTES_MAX} bytes, this one {length}",
                finding.title
            );
            return Err(End::new(Outcome::PluginError, detail));
        }
        if !seen.insert(&finding.fingerprint) {
            let detail = format!("two findings have the fingerprint `{}`", finding.fingerprint);
            return Err(End::new(Outcome::PluginError, detail));
        }
    }
    if report.verdict == detection::Verdict::NonCompliant && report.findings.is_empty() {
        return Err(End::new(Outcome::PluginError, "`non-compliant` without a finding: say what is wrong"));
    }
    Ok(())
}
