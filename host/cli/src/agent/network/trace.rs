//! A run that ended, as far as a trace tells of it: who did what when, and nothing of what was looked at or changed.

use contract::run::{Mode, TriggerKind};
use model::{Event, Outcome, Phase, Recorded, RunId, Verdict};
use serde::{Deserialize, Serialize};

/// What is told of a run's calls: the first ones. One that makes a hundred thousand is told as that.
const CALLS_MAX: usize = 256;

/// What the executor answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Ended {
    /// What to ask after the next time.
    pub(crate) next: u64,
    /// The runs, oldest first; a bounded number at a time.
    pub(crate) runs: Vec<RunTrace>,
    /// How many ended since the place that was asked after, and are no longer remembered.
    pub(crate) lost: u64,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RunTrace {
    pub(crate) run: RunId,
    pub(crate) device: String,
    pub(crate) plugin: String,
    pub(crate) version: String,
    pub(crate) digest: String,
    pub(crate) mode: Mode,
    pub(crate) trigger: TriggerKind,
    /// The order or rule, where it was one.
    pub(crate) order: String,
    pub(crate) began_ms: u64,
    pub(crate) ended_ms: u64,
    pub(crate) verdict: Verdict,
    pub(crate) outcome: Outcome,
    pub(crate) phases: Vec<PhaseTrace>,
    pub(crate) calls: Vec<CallTrace>,
    /// Calls beyond what is told.
    pub(crate) calls_left_out: u64,
}

/// A phase of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PhaseTrace {
    pub(crate) phase: Phase,
    pub(crate) began_ms: u64,
    pub(crate) ended_ms: u64,
}

/// A host call of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CallTrace {
    pub(crate) phase: Phase,
    pub(crate) interface: String,
    pub(crate) function: String,
    pub(crate) ended_ms: u64,
    pub(crate) duration_us: u64,
    /// The error's code, where it failed.
    pub(crate) error: Option<String>,
}

impl RunTrace {
    /// Out of its record; nothing while it is under way.
    pub(crate) fn of(events: &[Recorded]) -> Option<Self> {
        let (first, last) = (events.first()?, events.last()?);
        let (Event::Started(started), Event::Ended(ended)) = (&first.event, &last.event) else { return None };
        let mut phases: Vec<PhaseTrace> = Vec::new();
        let mut calls = Vec::new();
        let mut calls_left_out = 0;
        for recorded in events {
            match &recorded.event {
                Event::PhaseStarted { phase } => {
                    if let Some(before) = phases.last_mut() {
                        before.ended_ms = recorded.at_ms;
                    }
                    phases.push(PhaseTrace { phase: *phase, began_ms: recorded.at_ms, ended_ms: last.at_ms });
                }
                Event::Called(_) if calls.len() == CALLS_MAX => calls_left_out += 1,
                Event::Called(called) => calls.push(CallTrace {
                    phase: called.phase,
                    interface: called.interface.clone(),
                    function: called.function.clone(),
                    ended_ms: recorded.at_ms,
                    duration_us: called.duration_us,
                    error: called.error.as_ref().map(|it| it.code.clone()),
                }),
                _ => {}
            }
        }
        Some(Self {
            run: first.run,
            device: started.device.clone(),
            plugin: started.plugin.clone(),
            version: started.version.clone(),
            digest: started.digest.to_string(),
            mode: started.mode,
            trigger: started.trigger.kind,
            order: started.trigger.name.clone(),
            began_ms: first.at_ms,
            ended_ms: last.at_ms,
            verdict: ended.verdict,
            outcome: ended.outcome,
            phases,
            calls,
            calls_left_out,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn recorded(events: &[(u64, Value)]) -> Vec<Recorded> {
        let of = |(at, (at_ms, event)): (usize, &(u64, Value))| {
            let mut whole = json!({ "run": "run_01ARZ3NDEKTSV4RRFFQ69G5FAV", "sequence": at, "at-ms": at_ms });
            whole.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
            serde_json::from_value(whole).unwrap()
        };
        events.iter().enumerate().map(of).collect()
    }

    fn called(call: usize) -> (u64, Value) {
        let secret = json!({ "path": "/home/ada/secret" });
        let event = json!({ "event": "called", "call": call, "phase": "detect", "interface": "files", "function": "list",
                            "arguments": secret, "duration-us": 700, "bytes": 1 });
        (30, event)
    }

    #[test]
    fn a_record_becomes_a_trace_that_tells_nothing_of_what_was_seen() {
        let started = json!({ "event": "started", "format": 1, "plugin": "disk-cleanup", "version": "1.2.3",
            "digest": format!("sha256:{}", "0".repeat(64)), "trust": "approved", "mode": "dry-run",
            "trigger": { "kind": "schedule", "name": "nightly", "event": null, "attributes": [] },
            "parameters": { "path": "/home/ada/secret" }, "grants": {}, "limits": model::Limits::default(), "device": "dev_1",
            "host": "0.1.0" });
        let ended = json!({ "event": "ended", "verdict": "planned", "outcome": "completed", "resources": model::event::Resources::default() });
        let phase = |name: &str| json!({ "event": "phase-started", "phase": name });
        let mut events = vec![(10, started), (20, phase("detect"))];
        events.extend((0..300).map(called));
        events.extend([(40, phase("remediate")), (60, ended)]);
        let events = recorded(&events);
        let trace = RunTrace::of(&events).unwrap();
        let phases: Vec<_> = trace.phases.iter().map(|it| (it.phase, it.began_ms, it.ended_ms)).collect();
        assert_eq!(phases, [(Phase::Detect, 20, 40), (Phase::Remediate, 40, 60)]);
        assert_eq!((trace.calls.len(), trace.calls_left_out, trace.order.as_str()), (CALLS_MAX, 44, "nightly"));
        let text = serde_json::to_string(&trace).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(serde_json::from_str::<RunTrace>(&text).unwrap(), trace);
        assert_eq!(RunTrace::of(&events[..300]), None, "it is not over");
    }
}
