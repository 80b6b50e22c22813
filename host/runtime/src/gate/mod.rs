//! The gate: every host call of every interface passes through [`Gate::pass`], and nothing else reaches a backend.
//!
//! In order: the budgets; then, live, grant, phase and plan; a mutator's intent made durable; the backend (in a dry run its
//! overlay), bounded in time; the answer bounded in size; the journal. In a replay the record answers instead.

mod budget;
mod handles;
mod replay;
mod spending;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backends::Device;
use backends::patch::Machine;
use backends::trouble::Trouble;
use contract::run::Mode;
use contract::types::{Effect, Error, ErrorKind};
use contract::{Backends, Call, Caller, Context, Footprint, Maskable, Undo};
use model::budget::{Amounts, Budget as DeviceBudget};
use model::plan::BoundPlan;
use model::{EffectRecord, Event, Limits, Mutation, Phase, Plan};
use serde_json::{Map, Value};

use crate::adapters::Adapter;
use crate::journal::{CallEntry, Journal, KeptAnswer, KeptCall};
use crate::prepare::Scopes;
use crate::stop::Stopped;

use budget::Budget;
use handles::OpenSecrets;
pub(crate) use replay::Replay;

/// What stays the same for all calls of a run.
pub(crate) struct Facts {
    pub(crate) caller: Arc<Caller>,
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
    pub(crate) scopes: Scopes,
    pub(crate) deadline: Instant,
    /// Whether the answers of readers are kept.
    pub(crate) recording: bool,
}

/// Where answers come from.
pub(crate) enum Source {
    /// From a device, or from the overlay over one; and what goes wrong there, where it is a fixture's.
    Live(Box<Backends>, Option<Arc<Trouble>>),
    /// From a record.
    Record(Replay),
}

impl Source {
    /// A device as this mode sees it: only enforce runs hold its mutators.
    pub(crate) fn of(device: &Device, mode: Mode) -> Self {
        let backends = match mode {
            Mode::Enforce => device.backends.clone(),
            Mode::DryRun | Mode::Detect => device.overlay(),
        };
        Self::Live(Box::new(backends), device.trouble.clone())
    }
}

/// One run's gate. It lives through all phases.
pub(crate) struct Gate {
    facts: Arc<Facts>,
    source: Source,
    phase: Phase,
    bound: Option<BoundPlan>,
    plan: Plan,
    unseen: HashSet<&'static str>,
    budget: Budget,
    secrets: OpenSecrets,
    pub(crate) journal: Journal,
    in_flight: Option<InFlight>,
    /// What is used of it is charged to the device's budgets; none where nothing is.
    machine: Option<Arc<dyn Machine>>,
    /// The device's budgets that had no room, each told once.
    exhausted: BTreeSet<DeviceBudget>,
    off_plan: Option<String>,
    changed: bool,
}

/// A mutator whose answer is not there yet.
struct InFlight {
    entry: Box<dyn FnOnce() -> CallEntry + Send + Sync>,
}

/// An answer on its way to the journal.
struct Answered<T> {
    result: Result<T, Error>,
    effects: Vec<EffectRecord>,
    undo: Vec<Undo>,
    /// Interfaces that the overlay cannot overlay after this.
    unforeseen: Vec<&'static str>,
}

impl<T> Answered<T> {
    fn refused(error: Error) -> Self {
        Self { result: Err(error), effects: Vec::new(), undo: Vec::new(), unforeseen: Vec::new() }
    }
}

impl Gate {
    pub(crate) fn new(
        facts: Arc<Facts>,
        source: Source,
        bound: Option<Plan>,
        journal: Journal,
        machine: Option<Arc<dyn Machine>>,
    ) -> Self {
        Self {
            budget: Budget::new(&facts.limits),
            secrets: OpenSecrets::new(&facts.limits),
            facts,
            source,
            phase: Phase::Detect,
            bound: bound.map(BoundPlan::new),
            plan: Plan::default(),
            unseen: HashSet::new(),
            journal,
            in_flight: None,
            machine,
            exhausted: BTreeSet::new(),
            off_plan: None,
            changed: false,
        }
    }

    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.secrets.close_all();
        self.journal.event(Event::PhaseStarted { phase });
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The mutations of a dry run so far.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The first mutation that the plan, to which the run is tied, does not have.
    pub(crate) fn off_plan(&self) -> Option<&str> {
        self.off_plan.as_deref()
    }

    /// Whether any mutator did, or planned, anything.
    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// An earlier part of the run, before a reboot, made so many calls, and perhaps changed something.
    pub(crate) fn go_on(&mut self, calls: u64, has_changed: bool) {
        self.budget.go_on(calls);
        self.changed = has_changed;
    }

    pub(crate) fn calls(&self) -> u64 {
        self.budget.calls()
    }

    pub(crate) fn call_bytes(&self) -> u64 {
        self.budget.bytes()
    }

    /// A replay that has answers left which nobody asked for.
    pub(crate) fn unasked(&self) -> Option<String> {
        match &self.source {
            Source::Live(..) => None,
            Source::Record(replay) => replay.unasked(),
        }
    }

    pub(crate) fn drop_handle(&mut self, handle: u32) {
        self.secrets.close(handle);
    }

    /// A guest's call: its parameters in, its answer out. An error stops the guest.
    pub(crate) async fn call<C: Adapter>(&mut self, params: C::Params) -> Result<Result<C::Lowered, Error>, Stopped> {
        let call = match C::lift(params, &mut self.secrets) {
            Ok(call) => call,
            Err(error) => return Ok(Err(error)),
        };
        let answer = self.pass(call).await?;
        Ok(answer.and_then(|ok| C::lower(ok, &mut self.secrets)))
    }

    async fn pass<C: Adapter>(&mut self, call: C) -> Result<Result<C::Ok, Error>, Stopped> {
        let asked = Instant::now();
        let handed_over = bytes(call.footprint());
        let number = self.budget.begin_call()?;
        let mut answered = match self.budget.take(handed_over, call.charges())? {
            Err(error) => Answered::refused(error),
            Ok(()) => self.answer(number, &call, asked).await?,
        };
        let returned = answered.result.as_ref().map_or(0, |ok| bytes(ok.footprint()));
        if let Err(error) = self.budget.give(returned)? {
            answered.result = Err(error);
        }
        let keeps = self.facts.recording || C::INTERFACE.changes;
        let answer = answered.result.as_ref().ok().filter(|_| keeps).cloned();
        self.in_flight = None;
        let is_full = self.journal.call(CallEntry {
            call: number,
            phase: self.phase,
            interface: C::INTERFACE.name,
            function: C::FUNCTION,
            kept: match answer {
                Some(answer) => Box::new(KeptAnswer { call, answer }),
                None => Box::new(KeptCall(call)),
            },
            duration: asked.elapsed(),
            bytes: handed_over + returned,
            error: answered.result.as_ref().err().cloned(),
            effects: answered.effects,
            undo: answered.undo,
        });
        if is_full {
            Box::pin(self.journal.flush()).await?;
        }
        Ok(answered.result)
    }

    /// Writes what is journalled, where it is so much that it should no longer be kept in memory.
    pub(crate) async fn flush_if_full(&self) -> Result<(), Stopped> {
        match self.journal.is_full() {
            true => self.journal.flush().await,
            false => Ok(()),
        }
    }

    async fn answer<C: Adapter>(&mut self, number: u64, call: &C, asked: Instant) -> Result<Answered<C::Ok>, Stopped> {
        if let Source::Record(replay) = &mut self.source {
            let (result, effects) = replay.answer(self.phase, call)?;
            self.changed |= has_effect(&effects);
            return Ok(Answered { result, effects, undo: Vec::new(), unforeseen: Vec::new() });
        }
        let cx = match self.check_scope(call) {
            Ok(scope) => self.context(scope, asked),
            Err(error) => return Ok(Answered::refused(error)),
        };
        match C::INTERFACE.changes {
            false => {
                self.note_unseen::<C>();
                match C::SPENDS.is_empty() || self.machine.is_none() {
                    true => Ok(self.perform(call, cx).await),
                    false => Box::pin(self.read_charged(call, cx)).await,
                }
            }
            // On the heap, with the two other rare ways: what a call that only reads takes with it stays small.
            true => Box::pin(self.mutate(number, call, cx)).await,
        }
    }

    async fn mutate<C: Adapter>(&mut self, number: u64, call: &C, cx: Context) -> Result<Answered<C::Ok>, Stopped> {
        if self.phase != Phase::Remediate {
            let message = format!("`{}` changes something, and `detect` only looks", C::FUNCTION);
            return Ok(Answered::refused(Error::new(ErrorKind::Denied, "phase", message)));
        }
        if self.facts.mode == Mode::DryRun {
            return Ok(self.plan_mutation(call, cx).await);
        }
        let call = match self.bind(call) {
            Ok(call) => call,
            Err(error) => return Ok(Answered::refused(error)),
        };
        let reserved = match self.reserve(&call, &cx).await {
            Ok(reserved) => reserved,
            Err(error) => return Ok(Answered::refused(error)),
        };
        if let Err(error) = self.announce(number, &call, &reserved).await? {
            return Ok(Answered::refused(error));
        }
        let answered = self.perform(&call, cx).await;
        self.settle(&call, &reserved, &answered.result);
        Ok(answered)
    }

    /// The overlay did it; what it did becomes part of the plan.
    async fn plan_mutation<C: Adapter>(&mut self, call: &C, cx: Context) -> Answered<C::Ok> {
        let mut answered = self.perform(call, cx).await;
        if let Ok(ok) = &mut answered.result {
            for change in C::changes(ok) {
                change.effect = planned(change.effect);
            }
            answered.effects.iter_mut().for_each(|effect| effect.effect = planned(effect.effect));
            let (arguments, guards) = split_guards(call);
            self.plan.mutations.push(Mutation {
                interface: C::INTERFACE.name.to_owned(),
                function: C::FUNCTION.to_owned(),
                arguments,
                guards,
            });
            self.unseen.extend(C::UNSEEN_BY.iter().chain(&answered.unforeseen));
        }
        answered
    }

    /// The call as the plan has it, with the plan's guards; `denied` where the plan has it not.
    fn bind<C: Adapter>(&mut self, call: &C) -> Result<C, Error> {
        let Some(bound) = &mut self.bound else { return Ok(call.clone()) };
        let (arguments, _) = split_guards(call);
        let Some(mutation) = bound.take(C::INTERFACE.name, C::FUNCTION, &arguments) else {
            let what = format!("{}.{} {}", C::INTERFACE.name, C::FUNCTION, call.targets().join(", "));
            let error = Error::new(ErrorKind::Denied, "plan", format!("the plan does not have {what}"));
            self.off_plan.get_or_insert(what);
            return Err(error);
        };
        let mut whole = mutation.arguments.clone();
        if let (Value::Object(whole), Value::Object(guards)) = (&mut whole, &mutation.guards) {
            whole.extend(guards.clone());
        }
        serde_json::from_value(whole).map_err(|error| Error::new(ErrorKind::Failed, "plan", error.to_string()))
    }

    /// Makes the intent durable, and with it what the device is charged: from here on, a host that dies leaves an effect that is
    /// `unknown`, never one unheard of. Where the device has no room for it, there is no intent.
    async fn announce<C: Adapter>(
        &mut self,
        number: u64,
        call: &C,
        reserved: &Amounts,
    ) -> Result<Result<(), Error>, Stopped> {
        let targets = call.targets();
        let intent = Event::Intent {
            call: number,
            interface: C::INTERFACE.name.to_owned(),
            function: C::FUNCTION.to_owned(),
            arguments: serde_json::to_value(call).unwrap_or_default(),
            targets: targets.clone(),
        };
        let (call, phase) = (call.clone(), self.phase);
        self.in_flight = Some(InFlight { entry: Box::new(move || interrupted(number, phase, call, targets)) });
        let charged = self.journal.charge(reserved.clone(), Some(intent)).await?;
        Ok(charged.map_err(|exhausted| {
            self.in_flight = None;
            self.no_room(exhausted)
        }))
    }

    /// Journals a mutator that was under way when the run was stopped.
    pub(crate) fn give_up_in_flight(&mut self) {
        if let Some(in_flight) = self.in_flight.take() {
            self.journal.call((in_flight.entry)());
        }
    }

    async fn perform<C: Adapter>(&mut self, call: &C, cx: Context) -> Answered<C::Ok> {
        let Source::Live(backends, trouble) = &self.source else {
            return Answered::refused(Error::new(ErrorKind::Failed, "replay", "a replay has no device"));
        };
        let mut result = bounded(asked(call, backends, trouble.as_deref(), &cx), &cx).await;
        // Before anybody sees it: guest, journal and record are given the same.
        let mask = self.journal.mask();
        match &mut result {
            _ if mask.is_idle() => {}
            Ok(ok) => ok.mask(mask),
            Err(error) => error.mask(mask),
        }
        let mut effects = Vec::new();
        if C::INTERFACE.changes {
            let targets = call.targets();
            effects = match &mut result {
                Ok(ok) => effects_of::<C>(ok, targets),
                // It may go on behind our back, or have been done in part.
                Err(error) if error.kind == ErrorKind::Timeout => unknown(&targets),
                Err(_) => Vec::new(),
            };
            self.changed |= has_effect(&effects);
        }
        let undo = match self.facts.mode {
            Mode::Enforce => cx.take_undo(),
            Mode::DryRun | Mode::Detect => Vec::new(),
        };
        Answered { result, effects, undo, unforeseen: cx.take_unforeseen() }
    }

    fn context(&self, scope: Arc<[String]>, asked: Instant) -> Context {
        let facts = &self.facts;
        let deadline = facts.deadline.min(asked + Duration::from_millis(facts.limits.call_ms));
        Context::of(Arc::clone(&facts.caller), scope, deadline)
    }

    /// The scope's entries, if the call is inside.
    fn check_scope<C: Adapter>(&self, call: &C) -> Result<Arc<[String]>, Error> {
        let name = C::INTERFACE.name;
        let Some(scope) = self.facts.scopes.get(name) else {
            let message = format!("`{name}` is not granted");
            let subjects = call.subjects().join(", ");
            let needed = if subjects.is_empty() { name.to_owned() } else { format!("{name} [{subjects}]") };
            return Err(Error::new(ErrorKind::Denied, "grant", message).with("capability", needed));
        };
        match call.subjects().iter().find(|subject| !scope.allows(subject)) {
            None => Ok(Arc::clone(scope.entries())),
            Some(outside) => {
                let granted = scope.entries().join(", ");
                let message = format!("`{outside}` is outside the scope of `{name} [{granted}]`");
                Err(Error::new(ErrorKind::Denied, "scope", message).with("capability", format!("{name} [{outside}]")))
            }
        }
    }

    /// A read that cannot see what was planned before it makes the plan incomplete from here.
    fn note_unseen<C: Call>(&mut self) {
        if self.plan.incomplete_from.is_none() && self.unseen.contains(C::INTERFACE.name) {
            self.plan.incomplete_from = Some(u64::try_from(self.plan.mutations.len()).unwrap_or(u64::MAX));
        }
    }
}

/// The backend's answer, after what a fixture has go wrong: here and nowhere else, so no interface can forget it.
fn asked<'a, C: Call>(
    call: &'a C,
    backends: &'a Backends,
    trouble: Option<&'a Trouble>,
    cx: &'a Context,
) -> contract::Answer<'a, C::Ok> {
    let Some(trouble) = trouble else { return call.perform(backends, cx) };
    Box::pin(async move {
        trouble.before(C::INTERFACE.name, C::FUNCTION, cx).await?;
        call.perform(backends, cx).await
    })
}

/// The answer, or `timeout`. A timer is made only for an answer that is not there at once.
async fn bounded<T>(mut answer: contract::Answer<'_, T>, cx: &Context) -> Result<T, Error> {
    match poll_once(&mut answer).await {
        Some(result) => result,
        None => Box::pin(in_time(answer, cx)).await,
    }
}

async fn in_time<T>(mut answer: contract::Answer<'_, T>, cx: &Context) -> Result<T, Error> {
    tokio::select! {
        biased;
        result = &mut answer => result,
        () = cx.cancel.cancelled() => Err(Error::new(ErrorKind::Cancelled, "cancelled", "the run is being cancelled")),
        () = tokio::time::sleep_until(cx.deadline.into()) => {
            Err(Error::new(ErrorKind::Timeout, "call-ms", "the time for this call ran out"))
        }
    }
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

fn effects_of<C: Call>(ok: &mut C::Ok, targets: Vec<String>) -> Vec<EffectRecord> {
    let changes = C::changes(ok);
    debug_assert_eq!(changes.len(), targets.len(), "{}.{}: a target for each change", C::INTERFACE.name, C::FUNCTION);
    let record = |(target, change): (String, &mut contract::types::Change)| EffectRecord {
        target,
        effect: change.effect,
        before: change.before.clone(),
        after: change.after.clone(),
    };
    targets.into_iter().zip(changes).map(record).collect()
}

fn unknown(targets: &[String]) -> Vec<EffectRecord> {
    targets.iter().map(|target| EffectRecord::unknown(target)).collect()
}

fn interrupted<C: Call>(call: u64, phase: Phase, kept: C, targets: Vec<String>) -> CallEntry {
    CallEntry {
        call,
        phase,
        interface: C::INTERFACE.name,
        function: C::FUNCTION,
        kept: Box::new(KeptCall(kept)),
        duration: Duration::ZERO,
        bytes: 0,
        error: Some(Error::new(ErrorKind::Timeout, "stopped", "the run was stopped while this was under way")),
        effects: unknown(&targets),
        undo: Vec::new(),
    }
}

/// In a dry run nothing is done: what would be is planned.
fn planned(effect: Effect) -> Effect {
    match effect {
        Effect::Changed | Effect::RebootPending => Effect::Planned,
        Effect::Unchanged | Effect::Planned | Effect::Unknown => effect,
    }
}

fn has_effect(effects: &[EffectRecord]) -> bool {
    effects.iter().any(|effect| effect.effect != Effect::Unchanged)
}

/// The arguments that bind, and those that only narrow.
fn split_guards<C: Adapter>(call: &C) -> (Value, Value) {
    let mut arguments = serde_json::to_value(call).unwrap_or_default();
    let mut guards = Map::new();
    if let Value::Object(arguments) = &mut arguments {
        for name in C::GUARDS {
            guards.extend(arguments.remove(*name).map(|value| ((*name).to_owned(), value)));
        }
    }
    let guards = if guards.is_empty() { Value::Null } else { Value::Object(guards) };
    (arguments, guards)
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
