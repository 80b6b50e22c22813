//! What the sources of many rules see together: fifty rules look as often as one does.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::listening_port::Looked;
use super::process::Table;
use super::reboot_pending::Wait;
use super::systemd::Bus;
use super::updates_available::Answer;

/// One of it for all rules of an agent.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(super) ports: Look<Looked>,
    pub(super) processes: Look<Table>,
    pub(super) bus: Bus,
    pub(super) updates: Look<Answer>,
    pub(super) reboot: Look<Result<Wait, contract::types::Error>>,
}

/// What was seen last, and when it was looked for.
#[derive(Debug)]
pub(super) struct Look<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Look<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Look<T> {
    /// What was seen at `since` or later. Where nobody looked since then, `look` does, and is told what was seen before.
    pub(super) async fn since<F>(&self, since: Instant, look: F) -> Arc<T>
    where
        F: AsyncFnOnce(Option<&T>) -> T,
    {
        let mut last = self.0.lock().await;
        if let Some((_, seen)) = last.as_ref().filter(|(at, _)| *at >= since) {
            return Arc::clone(seen);
        }
        let now = Instant::now();
        let seen = Arc::new(look(last.as_ref().map(|(_, seen)| &**seen)).await);
        *last = Some((now, Arc::clone(&seen)));
        seen
    }
}

/// Waits for the next beat of so long, and says when it was. All who wait for a beat are woken by one timer: fifty of them cost
/// little more than one.
pub(super) async fn beat(every: Duration) -> Instant {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let beats = BEGAN.elapsed().as_nanos() / every.as_nanos().max(1) + 1;
    let at = *BEGAN + every.saturating_mul(u32::try_from(beats).unwrap_or(u32::MAX));
    tokio::time::sleep_until(at).await;
    at
}
