//! How a run went, for a person and for a program: derived from its events.

use contract::types::Finding;
use model::budget::Exhausted;
use model::{EffectRecord, Ended, Event, Phase, Recorded, Started, outcome};
use serde::Serialize;

use crate::output::{self, Format, one_line};

/// A run in one value.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RunSummary {
    run: String,
    plugin: String,
    version: String,
    digest: String,
    trust: String,
    mode: String,
    verdict: Option<outcome::Verdict>,
    outcome: Option<outcome::Outcome>,
    blame: Option<outcome::Blame>,
    detail: String,
    summary: String,
    remedy: String,
    findings: Vec<Finding>,
    facts: Option<serde_json::Value>,
    effects: Vec<Effect>,
    failed_calls: Vec<FailedCall>,
    /// The device's budgets that had no room, each once.
    exhausted: Vec<Exhausted>,
    log: Vec<Line>,
    /// What would let a refused call through, a text each.
    advice: Vec<String>,
    plan_digest: Option<String>,
    plan_incomplete_from: Option<u64>,
    resources: Option<model::Resources>,
}

/// One effect of one host call.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Effect {
    interface: String,
    function: String,
    #[serde(flatten)]
    effect: EffectRecord,
}

impl Effect {
    /// In one line.
    fn shown(&self) -> String {
        let effect = &self.effect;
        let states = match (&effect.before, &effect.after) {
            (None, None) => String::new(),
            (before, after) => {
                let word = |state: &Option<String>| {
                    state.as_deref().map_or_else(|| "nothing".to_owned(), |state| one_line(state).into_owned())
                };
                format!(": {} -> {}", word(before), word(after))
            }
        };
        let (name, word) = (&self.interface, effect.effect.word());
        format!("{word:<9} {name}.{} {}{states}", self.function, one_line(&effect.target))
    }
}

/// What one list has and the other has not: `-` what is gone, `+` what is new.
fn differences(what: &str, before: Vec<String>, now: Vec<String>, changes: &mut Vec<String>) {
    changes.extend(before.iter().filter(|it| !now.contains(it)).map(|it| format!("- {what} {it}")));
    changes.extend(now.iter().filter(|it| !before.contains(it)).map(|it| format!("+ {what} {it}")));
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FailedCall {
    call: u64,
    interface: String,
    function: String,
    error: contract::types::Error,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    level: String,
    message: String,
}

/// What was announced and never answered: the host died meanwhile, or it is under way still. Nobody knows whether it was done.
fn in_flight(events: &[Recorded]) -> impl Iterator<Item = Effect> {
    model::event::in_flight(events).flat_map(|it| {
        it.targets.iter().map(move |target| Effect {
            interface: it.interface.to_owned(),
            function: it.function.to_owned(),
            effect: EffectRecord::unknown(target),
        })
    })
}

impl RunSummary {
    /// None where the events do not begin with a start.
    pub(crate) fn of(events: &[Recorded]) -> Option<Self> {
        let first = events.first()?;
        let Event::Started(started) = &first.event else { return None };
        let mut summary = Self::begin(first, started);
        events.iter().for_each(|recorded| summary.add(&recorded.event));
        summary.effects.extend(in_flight(events));
        Some(summary)
    }

    /// With what would let its refused calls through.
    pub(crate) fn advised(mut self, advice: Vec<String>) -> Self {
        self.advice = advice;
        self
    }

    fn begin(first: &Recorded, started: &Started) -> Self {
        Self {
            run: first.run.to_string(),
            plugin: started.plugin.clone(),
            version: started.version.clone(),
            digest: started.digest.to_string(),
            trust: started.trust.clone(),
            mode: started.mode.word().to_owned(),
            verdict: None,
            outcome: None,
            blame: None,
            detail: String::new(),
            summary: String::new(),
            remedy: String::new(),
            findings: Vec::new(),
            facts: None,
            effects: Vec::new(),
            failed_calls: Vec::new(),
            exhausted: Vec::new(),
            log: Vec::new(),
            advice: Vec::new(),
            plan_digest: None,
            plan_incomplete_from: None,
            resources: None,
        }
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::Reported { report, .. } => {
                self.summary.clone_from(&report.summary);
                self.findings.clone_from(&report.findings);
                self.facts = report.facts.as_deref().and_then(|facts| serde_json::from_str(facts).ok());
            }
            Event::Remedied { summary, .. } => self.remedy.clone_from(summary),
            Event::Called(called) => {
                let effect = |effect: &EffectRecord| Effect {
                    interface: called.interface.clone(),
                    function: called.function.clone(),
                    effect: effect.clone(),
                };
                self.effects.extend(called.effects.iter().map(effect));
                self.failed_calls.extend(called.error.clone().map(|error| FailedCall {
                    call: called.call,
                    interface: called.interface.clone(),
                    function: called.function.clone(),
                    error,
                }));
            }
            Event::Log { level, message, .. } => {
                self.log.push(Line { level: level.word().to_owned(), message: message.clone() });
            }
            Event::Exhausted(exhausted) => self.exhausted.push(exhausted.clone()),
            Event::Suspended { .. } => self.outcome = Some(outcome::Outcome::Suspended),
            Event::Resumed => self.outcome = None,
            Event::Ended(ended) => self.end(ended),
            Event::PhaseStarted { phase: Phase::Verify } => self.findings.clear(),
            _ => {}
        }
    }

    fn end(&mut self, ended: &Ended) {
        self.verdict = Some(ended.verdict);
        self.outcome = Some(ended.outcome);
        self.blame = Some(ended.outcome.blame());
        self.detail.clone_from(&ended.detail);
        self.plan_digest = ended.plan_digest.map(|digest| digest.to_string());
        self.plan_incomplete_from = ended.plan.as_ref().and_then(|plan| plan.incomplete_from);
        self.resources = Some(ended.resources);
    }

    pub(crate) fn print(&self, format: Format) -> anyhow::Result<()> {
        match format {
            Format::Json => output::json(self),
            Format::Table => {
                self.print_text();
                Ok(())
            }
        }
    }

    /// For a person who wrote the plugin, and wants its log.
    pub(crate) fn print_with_log(&self) {
        self.print_text();
        for line in &self.log {
            output::text(&format!("  {:<9} {}", line.level, line.message.replace('\n', "\n            ")));
        }
    }

    /// In what this run came out another way than an earlier one, a line each.
    pub(crate) fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let word = |it: &Self| match (it.outcome, it.verdict) {
            (Some(outcome::Outcome::Completed), Some(verdict)) => verdict.to_string(),
            (outcome, _) => outcome.map(|outcome| outcome.to_string()).unwrap_or_default(),
        };
        if word(before) != word(self) {
            changes.push(format!("verdict: {} -> {}", word(before), word(self)));
        }
        if before.summary != self.summary {
            changes.push(format!("summary: {} -> {}", before.summary, self.summary));
        }
        let findings = |it: &Self| it.findings.iter().map(|it| format!("{} [{}]", it.title, it.target)).collect();
        differences("finding", findings(before), findings(self), &mut changes);
        let effects = |it: &Self| it.effects.iter().map(Effect::shown).collect();
        differences("effect", effects(before), effects(self), &mut changes);
        changes
    }

    fn print_text(&self) {
        let word = |verdict: Option<outcome::Verdict>| verdict.map(|it| it.to_string()).unwrap_or_default();
        let outcome = self.outcome.map(|it| it.to_string()).unwrap_or_else(|| "under way".to_owned());
        output::text(&format!("{} {} {}: {} ({outcome})", self.run, self.plugin, self.mode, word(self.verdict)));
        for line in [&self.remedy, &self.summary, &self.detail].into_iter().filter(|line| !line.is_empty()) {
            // What goes on over lines is further in than anything that this program says.
            output::text(&format!("  {}", line.replace('\n', "\n      ")));
        }
        for finding in &self.findings {
            let (title, target) = (one_line(&finding.title), one_line(&finding.target));
            output::text(&format!("  {:<8} {title} [{target}]", finding.severity.word()));
        }
        for effect in &self.effects {
            output::text(&format!("  {}", effect.shown()));
        }
        for call in &self.failed_calls {
            let error = call.error.to_string();
            output::text(&format!("  refused   {}.{}: {}", call.interface, call.function, one_line(&error)));
        }
        for exhausted in &self.exhausted {
            let room = exhausted.room_at_ms.map(|at_ms| format!(" ({})", output::time(at_ms))).unwrap_or_default();
            output::text(&format!("  budget    {exhausted}{room}"));
        }
        for advice in &self.advice {
            output::text(&format!("  next      {}", advice.replace('\n', "\n              ")));
        }
        if let Some(digest) = &self.plan_digest {
            let incomplete =
                self.plan_incomplete_from.map(|at| format!(", incomplete from step {at}")).unwrap_or_default();
            output::text(&format!("  plan      {digest}{incomplete}"));
        }
    }
}
