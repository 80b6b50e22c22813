use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::types::Error;
use serde::{Deserialize, Serialize};
use store::{Expected, Value, Write};
use tokio::task::JoinSet;

use crate::secrets::Redeem;
use crate::{Shared, errors};

use super::WAITING_MAX;
use super::deliver::{Failure, deliver};
use super::format::Saying;
use super::outbox::{MESSAGES, Outbox, message_key, write_message};
use super::record::{Action, Message};

/// What was sent or given up, for a while.
const DONE: &str = "notify-done";
/// How long one try may take.
const TRY_MAX: Duration = Duration::from_secs(15);
/// How much longer than that a message belongs to who is sending it.
const CLAIM_MARGIN_MS: u64 = 15_000;
/// The pause after the first failure; it doubles.
const PAUSE_MS: u64 = 30_000;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 3_600_000;
/// How long a message is tried: what is older is no news.
const AGE_MS_MAX: u64 = 24 * 3_600_000;
/// How long it is kept how a message ended.
const DONE_MS: u64 = 30 * 24 * 3_600_000;

/// How a message went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The receiver took it.
    Delivered {
        /// What it said.
        receipt: String,
    },
    /// It failed, and will be tried again.
    Waiting {
        /// Not before then.
        until_ms: u64,
        /// What failed.
        problem: String,
    },
    /// It failed, and will not be tried again.
    Failed {
        /// What failed.
        problem: String,
    },
    /// It was no news any more before it could be sent.
    Expired,
}

/// One message that a flush dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The route.
    pub audience: String,
    /// The message's number there.
    pub message: u64,
    /// What it said.
    pub action: Action,
    /// The runs that said it.
    pub runs: Vec<String>,
    /// Of which alerts, by their plugins' keys.
    pub dedup_keys: Vec<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// How it went.
    pub outcome: Outcome,
}

/// Sends what waits and is due, route by route at the same time, until all is sent or the deadline passes; what is left waits
/// for the next flush. A message is sent at least once: who dies between sending and noting so has it sent again, with the
/// same id. The host calls this when a run ends, and now and then.
pub async fn flush(shared: &Shared, deadline: Instant) -> Result<Vec<Report>, Error> {
    let outbox = Outbox::new(shared);
    let secrets: Arc<dyn Redeem> = Arc::clone(&shared.secrets) as Arc<dyn Redeem>;
    let source = sysinfo::System::host_name().unwrap_or_else(|_| "this machine".to_owned());
    let mut lanes = JoinSet::new();
    for audience in audiences(&outbox)? {
        // The agent has the hub tell of it.
        if outbox.is_for_hub(&audience)? {
            continue;
        }
        let lane = Sender { outbox: outbox.clone(), secrets: Arc::clone(&secrets), source: source.clone(), audience };
        lanes.spawn(async move { lane.flush(deadline).await });
    }
    let mut reports = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        reports.extend(lane.map_err(|error| errors::failed("task", error.to_string()))??);
    }
    reports.sort_by(|a, b| (&a.audience, a.message).cmp(&(&b.audience, b.message)));
    Ok(reports)
}

/// Every route for which something waits, also one that policy no longer has.
fn audiences(outbox: &Outbox) -> Result<BTreeSet<String>, Error> {
    let mut audiences = BTreeSet::new();
    let mut after = String::new();
    loop {
        let page = outbox.store.list(MESSAGES, "", &after, 1, outbox.clock.now_ms());
        let page = page.map_err(|error| errors::store(&error))?;
        let Some((audience, _)) = page.first().and_then(|document| document.key.rsplit_once('/')) else { break };
        audiences.insert(audience.to_owned());
        // `0` follows `/`: the first key behind all of this route's.
        after = format!("{audience}0");
    }
    Ok(audiences)
}

struct Sender {
    outbox: Outbox,
    secrets: Arc<dyn Redeem>,
    source: String,
    audience: String,
}

impl Sender {
    /// In order. An alert whose message must wait has its later ones wait too: nobody hears of an end before its beginning.
    async fn flush(&self, deadline: Instant) -> Result<Vec<Report>, Error> {
        let mut reports = Vec::new();
        let mut blocked: BTreeSet<String> = BTreeSet::new();
        for number in self.waiting()? {
            if Instant::now() >= deadline {
                break;
            }
            let Some(mut message) = self.claim(number, &mut blocked)? else { continue };
            let outcome = self.attempt(&mut message, deadline).await;
            let is_down = matches!(outcome, Outcome::Waiting { .. });
            self.note(&message, &outcome)?;
            reports.push(self.report(&message, outcome));
            if is_down {
                // The next one would fail as well, and cost as much time.
                break;
            }
        }
        Ok(reports)
    }

    fn waiting(&self) -> Result<Vec<u64>, Error> {
        let most = u32::try_from(WAITING_MAX * 2).unwrap_or(u32::MAX);
        let (prefix, now_ms) = (format!("{}/", self.audience), self.outbox.clock.now_ms());
        let page = self.outbox.store.list(MESSAGES, &prefix, "", most, now_ms);
        let page = page.map_err(|error| errors::store(&error))?;
        Ok(page.iter().filter_map(|document| document.key.rsplit('/').next()?.parse().ok()).collect())
    }

    /// Takes a message for this process, unless it is not its time, or somebody else has it.
    fn claim(&self, number: u64, blocked: &mut BTreeSet<String>) -> Result<Option<Message>, Error> {
        let Some(found) = self.outbox.get::<Message>(MESSAGES, &message_key(&self.audience, number))? else {
            return Ok(None);
        };
        let (mut message, now_ms) = (found.value, self.outbox.clock.now_ms());
        let alerts: Vec<String> = message.events.iter().map(super::Event::alert).collect();
        let must_wait = message.not_before_ms > now_ms || message.claimed_until_ms > now_ms;
        if must_wait || alerts.iter().any(|alert| blocked.contains(alert)) {
            blocked.extend(alerts);
            return Ok(None);
        }
        message.attempts = message.attempts.saturating_add(1);
        let try_ms = u64::try_from(TRY_MAX.as_millis()).unwrap_or(u64::MAX);
        message.claimed_until_ms = now_ms.saturating_add(try_ms).saturating_add(CLAIM_MARGIN_MS);
        if self.outbox.write(&[write_message(&self.audience, &message, found.expected)?])? {
            return Ok(Some(message));
        }
        blocked.extend(alerts);
        Ok(None)
    }

    async fn attempt(&self, message: &mut Message, deadline: Instant) -> Outcome {
        let now_ms = self.outbox.clock.now_ms();
        if message.action == Action::Trigger {
            message.events.retain(|event| !event.is_expired(now_ms));
        }
        // Quiet hours are no failure: a message is as old as its first try could be.
        let age_ms = now_ms.saturating_sub(message.queued_ms);
        if message.events.is_empty() || (age_ms > AGE_MS_MAX && !message.held) {
            return Outcome::Expired;
        }
        let Some(route) = self.outbox.policy.routes.get(&self.audience) else {
            let problem = format!("host policy no longer has `[notify.routes.{}]`", self.audience);
            return self.later(message, problem, None);
        };
        let saying = Saying { source: &self.source, audience: &self.audience, message };
        let timeout = deadline.saturating_duration_since(Instant::now()).min(TRY_MAX);
        match deliver(&route.way, &saying, &*self.secrets, timeout).await {
            Ok(receipt) => Outcome::Delivered { receipt },
            Err(Failure::Never { problem }) => Outcome::Failed { problem },
            Err(Failure::Later { problem, retry_after_ms }) => self.later(message, problem, retry_after_ms),
        }
    }

    fn later(&self, message: &mut Message, problem: String, retry_after_ms: Option<u64>) -> Outcome {
        let doubled = PAUSE_MS.saturating_mul(1 << message.attempts.saturating_sub(1).min(16));
        let pause_ms = retry_after_ms.unwrap_or_default().max(doubled).min(PAUSE_MS_MAX);
        let until_ms = self.outbox.clock.now_ms().saturating_add(pause_ms);
        message.not_before_ms = until_ms;
        message.claimed_until_ms = 0;
        // From here on its age counts.
        if message.held {
            message.held = false;
            message.queued_ms = self.outbox.clock.now_ms();
        }
        message.problem.clone_from(&problem);
        Outcome::Waiting { until_ms, problem }
    }

    /// Whoever has the claim is the only one to write, so nothing is expected.
    fn note(&self, message: &Message, outcome: &Outcome) -> Result<(), Error> {
        if matches!(outcome, Outcome::Waiting { .. }) {
            self.outbox.write(&[write_message(&self.audience, message, Expected::Any)?])?;
            return Ok(());
        }
        let key = message_key(&self.audience, message.number);
        let report = serde_json::to_string(&self.report(message, outcome.clone()));
        let report = report.map_err(|error| errors::failed("outbox", error.to_string()))?;
        let expires_ms = Some(self.outbox.clock.now_ms().saturating_add(DONE_MS));
        let gone = Write {
            collection: MESSAGES,
            key: key.clone(),
            value: Value::Gone,
            expected: Expected::Any,
            expires_ms: None,
        };
        let done = Write { collection: DONE, key, value: Value::Is(report), expected: Expected::Any, expires_ms };
        self.outbox.write(&[gone, done])?;
        Ok(())
    }

    fn report(&self, message: &Message, outcome: Outcome) -> Report {
        let mut runs: Vec<String> = message.events.iter().map(|event| event.run.clone()).collect();
        runs.sort();
        runs.dedup();
        Report {
            audience: self.audience.clone(),
            message: message.number,
            action: message.action,
            runs,
            dedup_keys: message.events.iter().map(|event| event.stated.dedup_key.clone()).collect(),
            attempts: message.attempts,
            outcome,
        }
    }
}
