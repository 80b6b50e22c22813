//! Whether and when a run that ended badly is tried again. It follows from how the machinery ended, and from nothing that a
//! plugin says.

use std::collections::BTreeSet;

use model::{Outcome, RunId};
use serde::{Deserialize, Serialize};

use crate::text;

/// The most runs of one firing, the first included.
const ATTEMPTS_MAX: u32 = 10;

/// The shortest wait: less is a loop.
const WAIT_MS_MIN: i64 = 1_000;

/// The longest wait: after more than a day the next firing is nearer.
const WAIT_MS_MAX: i64 = 86_400_000;

/// The longest wait, where an order says none.
const WAIT_MS: i64 = 3_600_000;

/// Keeps this use of a run's id apart from any other.
const CONTEXT: &[u8] = b"remit retry jitter\0";

/// `[retry]` of an order, as a person writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Retry {
    /// The most runs of one firing, the first included: 2 to 10.
    pub attempts: u32,
    /// The first wait: `5m`; it doubles with each try. `1s` to `24h`.
    pub backoff: String,
    /// No wait is longer: `1h`, where it is left out; at most `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<String>,
    /// After which ends: `timeout`, `host-error` and `interrupted`, where it is left out; beside these, `limit`, `trap` and
    /// `plugin-error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<BTreeSet<Retryable>>,
}

/// An outcome that may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retryable {
    /// Wall time ran out.
    Timeout,
    /// The host could not do its work.
    HostError,
    /// The host died during the run.
    Interrupted,
    /// It ran into a limit other than wall time.
    Limit,
    /// The guest trapped.
    Trap,
    /// The plugin answered with an error.
    PluginError,
}

impl Retryable {
    /// What may be tried again at all. The others were meant so: it completed, somebody or some policy stopped it, or it goes on
    /// after a reboot.
    pub fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Timeout => Some(Self::Timeout),
            Outcome::HostError => Some(Self::HostError),
            Outcome::Interrupted => Some(Self::Interrupted),
            Outcome::Limit => Some(Self::Limit),
            Outcome::Trap => Some(Self::Trap),
            Outcome::PluginError => Some(Self::PluginError),
            Outcome::Completed | Outcome::Refused | Outcome::Denied | Outcome::Cancelled | Outcome::Suspended => None,
        }
    }
}

/// How long is waited before each try.
#[derive(Clone, Copy)]
struct Backoff {
    first_ms: i64,
    most_ms: i64,
}

impl Retry {
    /// How long to wait before this firing runs again after its run, the so manieth, counted from 1, ended so; nothing, where it
    /// does not. The same run always waits as long.
    pub fn wait_ms(&self, run: RunId, attempt: u32, outcome: Outcome) -> Option<i64> {
        let word = Retryable::of(outcome)?;
        let is_meant = self.on.as_ref().map_or(outcome.is_retryable(), |on| on.contains(&word));
        (is_meant && attempt < self.attempts).then(|| self.backoff().wait_ms(run, attempt))
    }

    /// As it was read; [`Retry::problems`] has told what could not be.
    fn backoff(&self) -> Backoff {
        let most_ms = self.at_most.as_deref().map_or(Ok(WAIT_MS), text::duration_ms).unwrap_or(WAIT_MS);
        Backoff { first_ms: text::duration_ms(&self.backoff).unwrap_or(WAIT_MS_MAX), most_ms }
    }

    /// What is wrong, by field.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(2..=ATTEMPTS_MAX).contains(&self.attempts) {
            problems.push(("attempts", format!("expected 2 to {ATTEMPTS_MAX} runs, the first included")));
        }
        let waits = [("backoff", Some(&self.backoff)), ("at-most", self.at_most.as_ref())];
        for (field, text) in waits.into_iter().filter_map(|(field, text)| Some((field, text?))) {
            match text::duration_ms(text) {
                Ok(ms) if (WAIT_MS_MIN..=WAIT_MS_MAX).contains(&ms) => {}
                Ok(_) => problems.push((field, format!("`{text}`: expected `1s` to `24h`"))),
                Err(problem) => problems.push((field, problem)),
            }
        }
        if self.on.as_ref().is_some_and(BTreeSet::is_empty) {
            problems.push(("on", "it is empty: nothing would be tried again".to_owned()));
        }
        problems
    }
}

impl Backoff {
    /// Between half of a wait and all of it, so that devices that failed together do not come back together.
    fn wait_ms(self, run: RunId, attempt: u32) -> i64 {
        let doublings = attempt.saturating_sub(1).min(40);
        let whole_ms = self.first_ms.saturating_mul(1 << doublings).min(self.most_ms);
        let hash = blake3::Hasher::new().update(CONTEXT).update(run.to_string().as_bytes()).finalize();
        let first: [u8; 8] = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        let half = u128::from((whole_ms / 2).unsigned_abs());
        let part = (u128::from(u64::from_le_bytes(first)) * half) >> 64;
        whole_ms - i64::try_from(part).unwrap_or(0)
    }
}
