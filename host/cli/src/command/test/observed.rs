//! What a run did, as far as a fixture may expect it.

use contract::types::{Error, Finding};
use model::{EffectRecord, Event, Outcome, Verdict};
use serde::Serialize;
use serde_json::Value;

/// A run, after its end.
#[derive(Serialize)]
pub(super) struct Observed {
    pub(super) verdict: Verdict,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
    pub(super) summary: String,
    /// Those of the last look.
    pub(super) findings: Vec<Finding>,
    pub(super) facts: Value,
    /// With interface and function.
    pub(super) effects: Vec<(String, EffectRecord)>,
    pub(super) failed: Vec<(String, Error)>,
    pub(super) calls: Vec<String>,
    pub(super) log: Vec<String>,
}

impl Observed {
    /// It was not started.
    pub(super) fn refused(detail: String) -> Self {
        Self {
            verdict: Verdict::Unknown,
            outcome: Outcome::Refused,
            detail,
            summary: String::new(),
            findings: Vec::new(),
            facts: Value::Null,
            effects: Vec::new(),
            failed: Vec::new(),
            calls: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Out of its events.
    pub(super) fn of(events: &[(u64, Event)]) -> Self {
        let mut observed = Self { outcome: Outcome::Interrupted, ..Self::refused(String::new()) };
        events.iter().for_each(|(_, event)| observed.add(event));
        observed
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::Reported { report, .. } => {
                self.summary.clone_from(&report.summary);
                self.findings.clone_from(&report.findings);
                let facts = report.facts.as_deref().and_then(|facts| serde_json::from_str(facts).ok());
                self.facts = facts.unwrap_or_default();
            }
            Event::Called(called) => {
                let name = format!("{}.{}", called.interface, called.function);
                self.effects.extend(called.effects.iter().map(|effect| (name.clone(), effect.clone())));
                self.failed.extend(called.error.iter().map(|error| (name.clone(), error.clone())));
                self.calls.push(name);
            }
            Event::Log { message, .. } => self.log.push(message.clone()),
            Event::Suspended { .. } => self.outcome = Outcome::Suspended,
            Event::Ended(ended) => {
                self.verdict = ended.verdict;
                self.outcome = ended.outcome;
                self.detail.clone_from(&ended.detail);
            }
            _ => {}
        }
    }
}
