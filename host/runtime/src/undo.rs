//! Undo: what an earlier run did, taken back by the backends that did it, latest first, as a run of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backends::Device;
use contract::run::Mode;
use contract::types::{Change, Effect, Error as GuestError, ErrorKind};
use contract::{Class, Context, Undo};
use model::event::InFlight;
use model::{
    Called, Clock, EffectRecord, Ended, Event, Outcome, Phase, Recorded, Resources, RunId, Started, Verdict, capability,
};
use serde_json::{Value, json};

use crate::{Error, Recorder};

/// What a caller says of the run that undoes.
pub struct UndoRequest {
    /// Its id.
    pub run: RunId,
    /// Why it is started.
    pub trigger: contract::run::Trigger,
}

/// Takes back the effects of a recorded run. What cannot be taken back is in the record of this one, with the reason.
pub async fn undo(
    events: &[Recorded],
    request: UndoRequest,
    device: &Device,
    clock: &Arc<dyn Clock>,
    mut recorder: Box<dyn Recorder>,
) -> Result<Ended, Error> {
    let started = started_of(events)?;
    let undone = events.first().map(|first| first.run);
    let begin = Started {
        mode: Mode::Enforce,
        trigger: request.trigger.clone(),
        parameters: json!({}),
        plan: None,
        undoes: undone,
        ..started.clone()
    };
    let append =
        |recorder: &mut Box<dyn Recorder>, event| recorder.append(vec![(clock.now_ms(), event)]).map_err(Error::Record);
    let began = Instant::now();
    append(&mut recorder, Event::Started(Box::new(begin)))?;
    append(&mut recorder, Event::PhaseStarted { phase: Phase::Undo })?;
    let (mut number, mut failures) = (0, Vec::new());
    let in_flight: Vec<Called> = model::event::in_flight(events).map(never_answered).collect();
    for called in in_flight.iter().rev().chain(mutations(events)) {
        for step in steps(called) {
            append(&mut recorder, intent(number, called, &step))?;
            let entry = take_back(number, called, step, &started, &request, device, STEP_TIME_MAX).await;
            failures.extend(entry.error.as_ref().map(|error| error.message.clone()));
            append(&mut recorder, Event::Called(Box::new(entry)))?;
            number += 1;
        }
    }
    let ended = ended(&failures, number, began);
    append(&mut recorder, Event::Ended(Box::new(ended.clone())))?;
    Ok(ended)
}

fn started_of(events: &[Recorded]) -> Result<Started, Error> {
    match events.first().map(|first| &first.event) {
        Some(Event::Started(started)) => Ok((**started).clone()),
        _ => Err(Error::BadRecord("the run has no record that begins with `started`".to_owned())),
    }
}

/// The calls of an enforce run that did something, latest first.
fn mutations(events: &[Recorded]) -> impl Iterator<Item = &Called> {
    let did = |effect: &EffectRecord| !matches!(effect.effect, Effect::Unchanged | Effect::Planned);
    events.iter().rev().filter_map(move |recorded| match &recorded.event {
        Event::Called(called) if called.effects.iter().any(did) => Some(&**called),
        _ => None,
    })
}

/// A call whose answer nobody heard, because the host died: nobody can take back what nobody knows to be done.
fn never_answered(it: InFlight<'_>) -> Called {
    Called {
        call: it.call,
        phase: Phase::Remediate,
        interface: it.interface.to_owned(),
        function: it.function.to_owned(),
        arguments: Value::Null,
        duration_us: 0,
        bytes: 0,
        answer: None,
        error: None,
        effects: it.targets.iter().map(|target| EffectRecord::unknown(target)).collect(),
        undo: Vec::new(),
    }
}

/// What to take back of one call: what its backend left, latest first, or the reason why there is nothing.
enum Step {
    Undo(Undo),
    Impossible { target: String, reason: String },
}

fn steps(called: &Called) -> Vec<Step> {
    if !called.undo.is_empty() {
        return called.undo.iter().rev().cloned().map(Step::Undo).collect();
    }
    let class = capability::interface(&called.interface).map(|row| row.class);
    let reason = match class {
        Some(class) if class > Class::L2 => format!("`{}` is of class {class}: it cannot be undone", called.interface),
        _ if called.effects.iter().any(|effect| effect.effect == Effect::Unknown) => {
            format!(
                "`{}.{}` was under way when the run was stopped: look whether it was done",
                called.interface, called.function
            )
        }
        _ => format!("`{}.{}` left nothing to undo it with", called.interface, called.function),
    };
    let impossible = |effect: &EffectRecord| Step::Impossible { target: effect.target.clone(), reason: reason.clone() };
    called.effects.iter().filter(|effect| effect.effect != Effect::Unchanged).map(impossible).collect()
}

impl Step {
    fn target(&self) -> &str {
        match self {
            Self::Undo(undo) => &undo.target,
            Self::Impossible { target, .. } => target,
        }
    }
}

fn arguments(called: &Called, step: &Step) -> Value {
    json!({ "call": called.call, "function": called.function, "target": step.target() })
}

fn intent(number: u64, called: &Called, step: &Step) -> Event {
    Event::Intent {
        call: number,
        interface: called.interface.clone(),
        function: "undo".to_owned(),
        arguments: arguments(called, step),
        targets: vec![step.target().to_owned()],
    }
}

/// How long taking back one effect may take.
const STEP_TIME_MAX: Duration = Duration::from_secs(120);

async fn take_back(
    number: u64,
    called: &Called,
    step: Step,
    started: &Started,
    request: &UndoRequest,
    device: &Device,
    time_max: Duration,
) -> Called {
    let asked = Instant::now();
    let arguments = arguments(called, &step);
    let target = step.target().to_owned();
    let scope = started.grants.get(&called.interface).map(<[String]>::to_vec).unwrap_or_default();
    let run = request.run.to_string();
    let cx = Context::new(&run, &started.plugin, &started.device, scope, asked + time_max);
    let result: Result<Change, GuestError> = match step {
        Step::Impossible { reason, .. } => Err(GuestError::new(ErrorKind::Unsupported, "not-undoable", reason)),
        Step::Undo(undo) => match device.undoers.get(called.interface.as_str()) {
            Some(undoer) => match tokio::time::timeout_at(cx.deadline.into(), undoer.undo(&cx, &undo)).await {
                Ok(result) => result,
                Err(_) => {
                    cx.cancel.cancel();
                    let message = format!("taking it back took more than {} ms", time_max.as_millis());
                    Err(GuestError::new(ErrorKind::Timeout, "undo", message))
                }
            },
            None => {
                let message = format!("this host does not undo `{}`", called.interface);
                Err(GuestError::new(ErrorKind::Unsupported, "not-undoable", message))
            }
        },
    };
    let record = |change: &Change| EffectRecord {
        target: target.clone(),
        effect: change.effect,
        before: change.before.clone(),
        after: change.after.clone(),
    };
    Called {
        call: number,
        phase: Phase::Undo,
        interface: called.interface.clone(),
        function: "undo".to_owned(),
        arguments,
        duration_us: u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX),
        bytes: 0,
        answer: None,
        effects: result.as_ref().map(record).into_iter().collect(),
        error: result.err().map(|error| GuestError { message: format!("{target}: {}", error.message), ..error }),
        undo: Vec::new(),
    }
}

fn ended(failures: &[String], calls: u64, began: Instant) -> Ended {
    let (verdict, detail) = match (failures, calls) {
        ([], 0) => (Verdict::NotApplicable, "the run left nothing to undo".to_owned()),
        ([], _) => (Verdict::Fixed, String::new()),
        (failures, _) => (Verdict::Failed, failures.join("\n")),
    };
    Ended {
        verdict,
        outcome: Outcome::Completed,
        detail,
        error: None,
        plan: None,
        plan_digest: None,
        resources: Resources {
            wall_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            calls,
            ..Resources::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use backends::{Shared, Undoer};
    use model::SystemClock;

    use super::*;

    /// Takes so long.
    struct Slow(Duration);

    #[async_trait::async_trait]
    impl Undoer for Slow {
        async fn undo(&self, _: &Context, _: &Undo) -> Result<Change, GuestError> {
            tokio::time::sleep(self.0).await;
            Ok(Change::new(Effect::Changed, None, None))
        }
    }

    #[tokio::test]
    async fn taking_back_is_bounded_in_time() {
        let shared = Shared::in_memory(Arc::new(SystemClock)).unwrap();
        let called = Called { interface: "kv-write".to_owned(), ..never_answered_example() };
        let started: Started = serde_json::from_value(json!({
            "format": 1, "plugin": "p", "version": "1.0.0", "digest": model::Digest::of(b"p"), "trust": "local",
            "mode": "enforce", "trigger": trigger(), "parameters": {}, "grants": {}, "limits": {}, "plan": null,
            "device": "d", "roots": {}, "host": "1.0.0", "undoes": null,
        }))
        .unwrap();
        let request = UndoRequest { run: RunId::new(), trigger: trigger() };
        let take = async |takes: Duration| {
            let mut device = backends::real(&shared);
            device.undoers.insert("kv-write", Arc::new(Slow(takes)));
            let step = Step::Undo(Undo { target: "key".to_owned(), token: Value::Null });
            take_back(0, &called, step, &started, &request, &device, Duration::from_millis(100)).await
        };
        let late = take(Duration::from_secs(60)).await;
        assert!(late.duration_us < 5_000_000, "{late:?}");
        let error = late.error.unwrap();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Timeout, "undo"), "{error}");
        assert_eq!(take(Duration::ZERO).await.error, None);
    }

    fn trigger() -> contract::run::Trigger {
        contract::run::Trigger {
            kind: contract::run::TriggerKind::ByHand,
            name: "test".to_owned(),
            event: None,
            attributes: Vec::new(),
        }
    }

    fn never_answered_example() -> Called {
        never_answered(InFlight { call: 0, interface: "", function: "", targets: &[] })
    }
}
