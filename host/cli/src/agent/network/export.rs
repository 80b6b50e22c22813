//! Sends traces to a collector: what it does not take within a time is given up and counted, so that nothing piles up here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use distribution::{Network, Posted};
use tokio::time::{Instant, sleep};
use url::Url;

use super::executor::Executor;
use super::otlp;
use super::trace::RunTrace;

/// How often it is looked for runs that ended.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The first wait for a collector that is away; each further one is twice as long.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long some runs are tried to be sent. What ends in that time is kept by the executor, a bounded number of them.
const TRY_TIME_MAX: Duration = Duration::from_secs(300);

/// What became of them, since this half runs.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Runs that a collector took.
    pub(super) exported: AtomicU64,
    /// Runs that were given up.
    pub(super) dropped: AtomicU64,
}

/// Who sends them, and where.
pub(super) struct Exporter {
    network: Network,
    endpoint: Url,
    headers: Vec<(String, String)>,
    counts: Arc<Counts>,
    look_every: Duration,
    try_time_max: Duration,
}

/// What came of one try.
enum Tried {
    Taken {
        rejected: u64,
    },
    /// It may be taken later.
    Later {
        why: String,
        after: Option<Duration>,
    },
    /// It never will.
    Never {
        why: String,
    },
}

impl Exporter {
    pub(super) fn new(
        network: Network,
        endpoint: Url,
        mut headers: Vec<(String, String)>,
        counts: Arc<Counts>,
    ) -> Self {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        Self { network, endpoint, headers, counts, look_every: LOOK_EVERY, try_time_max: TRY_TIME_MAX }
    }

    #[cfg(test)]
    pub(super) fn hurried(self, look_every: Duration, try_time_max: Duration) -> Self {
        Self { look_every, try_time_max, ..self }
    }

    /// It never ends.
    pub(super) async fn run(&self, executor: &Executor) {
        let mut after = None;
        loop {
            match executor.ended(after).await {
                Ok(ended) => {
                    after = Some(ended.next);
                    self.drop_runs(ended.lost);
                    if !ended.runs.is_empty() {
                        self.send(&ended.runs).await;
                        // There may be more.
                        continue;
                    }
                }
                // That it is away is said elsewhere.
                Err(error) => tracing::debug!(error = format!("{error:#}"), "no runs to tell of"),
            }
            sleep(self.look_every).await;
        }
    }

    /// Sends them, or gives them up.
    async fn send(&self, runs: &[RunTrace]) {
        let body = otlp::request(runs).to_string();
        let (deadline, mut wait) = (Instant::now() + self.try_time_max, WAIT_FIRST);
        let count = runs.len() as u64;
        loop {
            let (why, after) = match self.attempt(body.as_bytes()).await {
                Tried::Taken { rejected } => {
                    if rejected > 0 {
                        tracing::warn!(rejected, "the collector left out spans");
                    }
                    self.counts.exported.fetch_add(count, Ordering::Relaxed);
                    return;
                }
                Tried::Never { why } => (why, None),
                Tried::Later { why, after } => (why, Some(after.unwrap_or(wait).min(WAIT_MAX))),
            };
            match after.filter(|after| Instant::now() + *after < deadline) {
                Some(after) => {
                    tracing::debug!(why, "the collector does not take traces now");
                    sleep(after).await;
                    wait = (wait * 2).min(WAIT_MAX);
                }
                None => {
                    self.drop_runs(count);
                    tracing::warn!(runs = count, why, "traces were given up");
                    return;
                }
            }
        }
    }

    /// By the words of OTLP: these four may be tried again, all else not.
    async fn attempt(&self, body: &[u8]) -> Tried {
        match self.network.post(&self.endpoint, &self.headers, body).await {
            Ok(Posted { status: 200..=299, body, .. }) => Tried::Taken { rejected: otlp::rejected(&body) },
            Ok(Posted { status: status @ (429 | 502 | 503 | 504), retry_after, .. }) => {
                Tried::Later { why: format!("it answered {status}"), after: retry_after }
            }
            Ok(Posted { status, .. }) => Tried::Never { why: format!("it answered {status}") },
            Err(error) => Tried::Later { why: format!("{:#}", anyhow::Error::from(error)), after: None },
        }
    }

    fn drop_runs(&self, count: u64) {
        self.counts.dropped.fetch_add(count, Ordering::Relaxed);
    }
}
