//! The sources of all rules: one task a rule, begun anew where it fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent::Watch;
use sources::{Noticed, Sink, Surroundings};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long after a failure a source is asked again: what failed may be mended, and nobody looks at a log that scrolls.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Why rules hear nothing, by their orders.
type Problems = Arc<Mutex<BTreeMap<String, String>>>;

/// What is watched for which order.
pub(crate) struct Watchers {
    around: Surroundings,
    notices: mpsc::Sender<Noticed>,
    watched: BTreeMap<String, (Watch, DropGuard)>,
    problems: Problems,
}

impl Watchers {
    pub(crate) fn new(around: Surroundings, notices: mpsc::Sender<Noticed>) -> Self {
        Self { around, notices, watched: BTreeMap::new(), problems: Problems::default() }
    }

    /// Watches for these orders, and for no others. One whose watch is as before is not disturbed: it would tell of what holds
    /// once more.
    pub(crate) fn watch(&mut self, wanted: BTreeMap<String, Watch>) {
        self.watched.retain(|order, (watch, _)| wanted.get(order) == Some(watch));
        lock(&self.problems).retain(|order, _| wanted.contains_key(order));
        let rules = wanted.iter().map(|(order, watch)| (order.as_str(), watch));
        if let Err(error) = sources::sweep(&self.around.folder, rules) {
            tracing::warn!(%error, "what was kept for rules that are gone stays for now");
        }
        for (order, watch) in wanted {
            // These are the agent's own to tell.
            if matches!(watch, Watch::RunFinished { .. } | Watch::Emitted { .. }) || self.watched.contains_key(&order) {
                continue;
            }
            let stop = CancellationToken::new();
            let sink = Sink::new(&order, self.notices.clone());
            let keeping =
                keep(order.clone(), watch.clone(), self.around.clone(), sink, self.problems.clone(), stop.clone());
            tokio::spawn(keeping);
            self.watched.insert(order, (watch, stop.drop_guard()));
        }
    }

    /// Why rules hear nothing, by their orders.
    pub(crate) fn problems(&self) -> BTreeMap<String, String> {
        lock(&self.problems).clone()
    }
}

/// Watches until it is stopped, however often the source fails.
async fn keep(
    order: String,
    watch: Watch,
    around: Surroundings,
    sink: Sink,
    problems: Problems,
    stop: CancellationToken,
) {
    loop {
        let Err(error) = sources::watch(watch.clone(), around.clone(), sink.clone(), stop.clone()).await else {
            return;
        };
        let chain = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(order, error = chain, "an event cannot be watched for");
        lock(&problems).insert(order.clone(), chain);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
        lock(&problems).remove(&order);
    }
}

fn lock(problems: &Problems) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
    problems.lock().unwrap_or_else(PoisonError::into_inner)
}
