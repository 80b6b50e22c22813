//! The record of a run: events in the order in which they happened. Summaries are derived from them.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use contract::Undo;
use contract::detection::Report;
use contract::run::{LogLevel, Mode, Trigger};
use contract::types::{Attributes, Effect, Error, Finding};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::budget::Exhausted;
use crate::{Digest, Grants, Limits, Outcome, Plan, RunId, Verdict};

/// The form of a record; a reader refuses a newer one by name.
pub const FORMAT: u32 = 1;

/// An event, with its place in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recorded {
    /// The run.
    pub run: RunId,
    /// From 0, without gaps.
    pub sequence: u64,
    /// When, by the host's clock.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run begins; durable before any guest code runs.
    Started(Box<Started>),
    /// A phase begins.
    PhaseStarted {
        /// Which.
        phase: Phase,
    },
    /// A mutator is about to act; durable before it does. An intent without a call of its number was in flight when the host
    /// died, and its effect is `unknown`.
    Intent {
        /// The call's number in the run.
        call: u64,
        /// The interface.
        interface: String,
        /// The function.
        function: String,
        /// The arguments.
        arguments: Value,
        /// What it is about, one for each effect.
        targets: Vec<String>,
    },
    /// A host call was answered.
    Called(Box<Called>),
    /// A budget of the device has no room for what the run wanted. Once a run and budget, however often it is asked.
    Exhausted(Exhausted),
    /// The plugin, or what it wrote to standard output or error, said something.
    Log {
        /// How loud.
        level: LogLevel,
        /// What.
        message: String,
        /// More by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Attributes,
    },
    /// The plugin measured something.
    Metric {
        /// Of what.
        name: String,
        /// How much.
        value: f64,
        /// In which UCUM unit.
        unit: String,
        /// More by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Attributes,
    },
    /// `detect` answered.
    Reported {
        /// In which phase.
        phase: Phase,
        /// What.
        report: Report,
    },
    /// `remediate` answered.
    Remedied {
        /// For a person.
        summary: String,
        /// More by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attributes: Attributes,
    },
    /// What a replay needs beside the answers of host calls; only in recordings.
    Inputs {
        /// In which phase.
        phase: Phase,
        /// What the clocks said, in the order of asking, in nanoseconds.
        clock: Vec<u64>,
        /// What random numbers began with.
        #[serde(with = "contract::bytes")]
        seed: Vec<u8>,
    },
    /// The plugin keeps this through the reboot that it was granted.
    Checkpoint {
        /// Base64.
        #[serde(with = "contract::bytes")]
        state: Vec<u8>,
    },
    /// The run waits for the reboot that it was granted, and goes on after it; without a terminal event until then.
    Suspended {
        /// Until when it may go on.
        until_ms: u64,
        /// The boot that it waits to be over; empty where the platform does not say.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        boot: String,
        /// What `remediate` is called with again.
        findings: Vec<Finding>,
    },
    /// The run goes on after a reboot.
    Resumed,
    /// The run is over. The one terminal event.
    Ended(Box<Ended>),
}

/// How a run begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Started {
    /// The record's form.
    pub format: u32,
    /// The plugin's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The digest of the component that runs it, where it is a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Digest>,
    /// Who vouches for it: `unsigned` for a local file by hand.
    pub trust: String,
    /// What the run may do.
    pub mode: Mode,
    /// Why it was started.
    pub trigger: Trigger,
    /// The parameters, defaults filled in.
    pub parameters: Value,
    /// What was granted.
    pub grants: Grants,
    /// What it may use.
    pub limits: Limits,
    /// The plan that it is tied to, by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// The device.
    pub device: String,
    /// The folders that named roots stood for: what an undo needs to find them again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roots: BTreeMap<String, PathBuf>,
    /// The host's version.
    pub host: String,
    /// The run that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RunId>,
}

/// The three parts of a run, each in a fresh instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The first look.
    Detect,
    /// Putting right.
    Remediate,
    /// The second look, which measures.
    Verify,
    /// The host undoes an earlier run; no guest runs.
    Undo,
}

/// A host call and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Called {
    /// Its number in the run, from 0.
    pub call: u64,
    /// In which phase.
    pub phase: Phase,
    /// The interface.
    pub interface: String,
    /// The function.
    pub function: String,
    /// The arguments.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub arguments: Value,
    /// How long it took.
    pub duration_us: u64,
    /// The bytes that it handed over and got back, roughly.
    pub bytes: u64,
    /// The answer: kept of mutators always, of readers in recordings. One of `null` is an answer too.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there")]
    pub answer: Option<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// What it did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectRecord>,
    /// What would undo it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Undo>,
}

fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a mutator did to one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EffectRecord {
    /// What it is about, in the interface's words.
    pub target: String,
    /// What was done.
    pub effect: Effect,
    /// The state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The state after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl EffectRecord {
    /// Nobody knows whether it was done.
    pub fn unknown(target: &str) -> Self {
        Self { target: target.to_owned(), effect: Effect::Unknown, before: None, after: None }
    }
}

/// How a run ended; none while it is under way or waits.
pub fn end(events: &[Recorded]) -> Option<&Ended> {
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Ended(ended) => Some(&**ended),
        _ => None,
    })
}

/// The intents that no call answers.
pub fn in_flight(events: &[Recorded]) -> impl Iterator<Item = InFlight<'_>> {
    let answered: HashSet<u64> = events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Called(called) => Some(called.call),
            _ => None,
        })
        .collect();
    events.iter().filter_map(move |recorded| match &recorded.event {
        Event::Intent { call, interface, function, targets, .. } if !answered.contains(call) => {
            Some(InFlight { call: *call, interface, function, targets })
        }
        _ => None,
    })
}

/// A mutator that was announced, and of which nothing was heard since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight<'a> {
    /// The call's number in the run.
    pub call: u64,
    /// The interface.
    pub interface: &'a str,
    /// The function.
    pub function: &'a str,
    /// What it is about, one for each effect.
    pub targets: &'a [String],
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ended {
    /// What was found.
    pub verdict: Verdict,
    /// How the machinery ended.
    pub outcome: Outcome,
    /// Which limit, which trap, which refusal: for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The error with which the plugin gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// A dry run's plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// The plan's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<Digest>,
    /// What was used.
    pub resources: Resources,
}

impl Ended {
    /// The host's own word for a run of which the plugin says nothing more.
    pub fn by_host(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unknown,
            outcome,
            detail: detail.into(),
            error: None,
            plan: None,
            plan_digest: None,
            resources: Resources::default(),
        }
    }
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Resources {
    /// From start to end.
    pub wall_ms: u64,
    /// Processor time.
    pub cpu_ms: u64,
    /// The most memory that an instance had.
    pub memory_peak_bytes: u64,
    /// Host calls.
    pub calls: u64,
    /// What they handed over and answered.
    pub call_bytes: u64,
    /// Log lines that were not kept.
    pub log_lines_dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_nothing_is_not_the_same_as_none() {
        let called = |answer| Called {
            call: 0,
            phase: Phase::Detect,
            interface: "kv".to_owned(),
            function: "get-value".to_owned(),
            arguments: Value::Null,
            duration_us: 0,
            bytes: 0,
            answer,
            error: None,
            effects: Vec::new(),
            undo: Vec::new(),
        };
        for answer in [None, Some(Value::Null), Some(Value::Bool(true))] {
            let written = serde_json::to_string(&Event::Called(Box::new(called(answer.clone())))).unwrap();
            let Event::Called(read) = serde_json::from_str(&written).unwrap() else { unreachable!() };
            assert_eq!(read.answer, answer, "{written}");
        }
    }
}
