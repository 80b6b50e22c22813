//! Results: one a run, signed and chained; and beside it the details that it names by their digest.

use ::fleet::Told;
use model::{Digest, Ended, Event, Mode, Outcome, Recorded, RunId, Verdict, event};
use serde_json::{Value, json};
use trust::{Name, Time};

use super::super::Executor;
use crate::keys;

/// The most bytes of details. A run's record has them all; what a technician reads first is here.
const DETAILS_BYTES_MAX: usize = 128 << 10;

/// The most characters of a text among them.
const TEXT_CHARS_MAX: usize = 4_096;

/// The form of details.
const FORMAT: u32 = 1;

/// What is told of one order.
pub(super) struct Result {
    pub(super) order: Digest,
    pub(super) mode: Mode,
    /// Whether it may go from the outbox before others: of an order that stands, the chain shows that one is missing.
    pub(super) may_go: bool,
    pub(super) details: Details,
}

/// What became of it.
pub(super) struct Details {
    run: Option<RunId>,
    attempt: u32,
    outcome: Outcome,
    verdict: Verdict,
    code: Option<Name>,
    ended: Time,
    plan: Option<Digest>,
    text: String,
}

impl Details {
    /// Of a run, as its record has it.
    pub(super) fn of_run(order: Digest, run: RunId, outcome: Outcome, events: &[Recorded]) -> Self {
        let none = || Ended::by_host(outcome, "its record has no end");
        let ended = event::end(events).cloned().unwrap_or_else(none);
        let at_ms = events.last().map_or(0, |it| it.at_ms);
        let started = events.iter().find_map(|it| match &it.event {
            Event::Started(started) => Some(started),
            _ => None,
        });
        let attempt = started.and_then(|it| {
            it.trigger.attributes.iter().find(|(name, _)| name == "attempt").and_then(|(_, value)| value.parse().ok())
        });
        let reports: Vec<Value> = events
            .iter()
            .filter_map(|it| match &it.event {
                Event::Reported { .. } | Event::Remedied { .. } | Event::Exhausted(_) => {
                    serde_json::to_value(&it.event).ok()
                }
                _ => None,
            })
            .collect();
        let mut whole = json!({
            "format": FORMAT,
            "order": order,
            "run": run,
            "plugin": started.map(|it| format!("{} {}", it.plugin, it.version)),
            "outcome": ended.outcome,
            "verdict": ended.verdict,
            "detail": shown(&ended.detail),
            "error": ended.error,
            "plan": ended.plan,
            "resources": ended.resources,
            "reports": reports,
        });
        if whole.to_string().len() > DETAILS_BYTES_MAX {
            // What is left is always small: the record on the device has the rest.
            if let Some(whole) = whole.as_object_mut() {
                whole.retain(|name, _| !["reports", "plan", "error"].contains(&name.as_str()));
                whole.insert("cut".to_owned(), Value::Bool(true));
            }
        }
        Self {
            run: Some(run),
            attempt: attempt.unwrap_or(1),
            outcome: ended.outcome,
            verdict: ended.verdict,
            code: (ended.outcome == Outcome::Refused).then(|| code_in(&ended.detail)).flatten(),
            ended: Time::from_ms(at_ms),
            plan: ended.plan_digest,
            text: whole.to_string(),
        }
    }

    /// Of an order that is refused.
    pub(super) fn of_refusal(order: Digest, code: &str, why: &str, ended: Time) -> Self {
        let text = json!({ "format": FORMAT, "order": order, "refused": code, "detail": shown(why) }).to_string();
        Self {
            run: None,
            attempt: 1,
            outcome: Outcome::Refused,
            verdict: Verdict::Unknown,
            code: code.parse().ok().or_else(|| "refused".parse().ok()),
            ended,
            plan: None,
            text,
        }
    }
}

impl Executor {
    /// Signs it as the next of this device's results, and lays it into the outbox with its details. Both are durable with what they
    /// tell of, or neither is.
    pub(super) fn tell_result(&mut self, result: Result) {
        let now = keys::now(&self.context);
        let Some(fleet) = &mut self.fleet else { return };
        let Result { order, mode, may_go, details } = result;
        let told = Told {
            order,
            run: details.run,
            attempt: details.attempt,
            outcome: details.outcome,
            verdict: details.verdict,
            refused: details.code,
            mode,
            ended: details.ended,
            plan: details.plan,
            record: Digest::of(details.text.as_bytes()),
        };
        let signing = match fleet.member.tell(&told, &mut fleet.signer, now) {
            Ok(signing) => signing,
            Err(error) => {
                let why = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(%order, why, "a result could not be signed");
                self.problems.insert("results".to_owned(), vec![why]);
                return;
            }
        };
        let text = String::from_utf8_lossy(&signing.signed.to_text()).into_owned();
        let (Ok(record), Ok(kind)) = ("record".parse(), "result".parse()) else { return };
        fleet.outbox.push(record, details.text, true, &mut self.rows);
        fleet.outbox.push(kind, text, may_go, &mut self.rows);
        self.rows.keep(super::KEPT, signing.keep);
    }
}

/// What a program reads of a refusal: the code behind its first reason that has one.
fn code_in(detail: &str) -> Option<Name> {
    let coded = |line: &str| line.trim_end().strip_suffix(')')?.rsplit_once('(')?.1.parse().ok();
    detail.lines().find_map(coded).or_else(|| "refused".parse().ok())
}

fn shown(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_of_a_run_are_bounded_and_say_how_it_ended() {
        let (order, run) = (Digest::of(b"order"), RunId::new());
        let ended = |detail: String| {
            let ended = Event::Ended(Box::new(Ended::by_host(Outcome::Refused, detail)));
            vec![Recorded { run, sequence: 1, at_ms: 1_000, event: ended }]
        };
        let details = Details::of_run(order, run, Outcome::Refused, &ended("no window".to_owned()));
        assert_eq!((details.outcome, details.code.unwrap().as_str()), (Outcome::Refused, "refused"));
        assert!(details.text.contains("no window") && details.ended.to_string() == "1970-01-01T00:00:01Z");
        assert_eq!(code_in("it is not approved (no-approval)\nmore").unwrap().as_str(), "no-approval");
        let large = Details::of_run(order, run, Outcome::Refused, &ended("x".repeat(1 << 20)));
        assert!(large.text.len() <= DETAILS_BYTES_MAX, "{}", large.text.len());
        let lost = Details::of_run(order, run, Outcome::Interrupted, &[]);
        assert_eq!((lost.outcome, lost.code), (Outcome::Interrupted, None));
    }
}
