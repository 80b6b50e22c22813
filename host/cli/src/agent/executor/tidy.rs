//! What runs leave behind goes again, while others run.

use std::sync::Arc;
use std::time::Duration;

use contract::run::Mode;
use model::Clock;
use store::{PURGED_MAX, Store};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::agent::idle;
use crate::context::Context;
use crate::machine::Machine;

/// How often what was queued is sent, and what has expired is removed, where no run ends.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// After a run more runs may end: what is due after each is done once for all of them.
const TIDY_AFTER: Duration = Duration::from_secs(2);

/// After runs, and now and then: what is queued is sent, what has expired goes.
pub(super) async fn keep_tidy(machine: Arc<Machine>, context: Arc<Context>, spool: store::Limits, asked: Arc<Notify>) {
    loop {
        let is_asked = tokio::time::timeout(TIDY_EVERY, asked.notified()).await.is_ok();
        if is_asked {
            tokio::time::sleep(TIDY_AFTER).await;
        }
        machine.wind_up(Mode::Enforce, &context).await;
        match make_room(&machine.store, &spool, &*context.clock).await {
            Ok(purged) if purged.bytes == 0 => {}
            Ok(store::Purged { lines, runs, bytes, .. }) => {
                tracing::info!(lines, runs, bytes, "the records of old runs went, so that there is room for new ones");
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "old records cannot be removed"),
        }
        idle::let_go();
    }
}

/// Removes what has expired, and the records of old runs until there is room.
async fn make_room(store: &Store, spool: &store::Limits, clock: &dyn Clock) -> Result<store::Purged, store::Error> {
    in_parts(|| Ok(store.purge(clock.now_ms())? >= PURGED_MAX)).await?;
    let mut all = store::Purged::default();
    in_parts(|| {
        let part = store.purge_runs(spool, clock.now_ms())?;
        all.lines += part.lines;
        all.runs += part.runs;
        all.bytes += part.bytes;
        // A part may have looked at runs only that have to stay: the next would look at the same ones.
        Ok(part.is_more && part.bytes > 0)
    })
    .await?;
    Ok(all)
}

/// Does something a part at a time, as long as it says that there is more: runs that want to write have their turns between, and as
/// much time.
async fn in_parts(mut part: impl FnMut() -> Result<bool, store::Error>) -> Result<(), store::Error> {
    loop {
        let began = Instant::now();
        if !tokio::task::block_in_place(&mut part)? {
            return Ok(());
        }
        tokio::time::sleep(began.elapsed()).await;
    }
}

#[cfg(test)]
mod tests {
    use model::SystemClock;
    use store::{Expected, Value, Write};

    use super::*;

    /// As many as a few seconds of load leave: several parts of both.
    #[tokio::test(flavor = "multi_thread")]
    async fn all_that_may_go_goes() {
        let store = Store::in_memory().unwrap();
        let write = |key: usize, value: Value| Write {
            collection: "agent",
            key: format!("run/{key}"),
            value,
            expected: Expected::Any,
            expires_ms: None,
        };
        let all = 0..2 * PURGED_MAX + 500;
        store
            .write(&all.clone().map(|key| write(key, Value::Is("x".to_owned()))).collect::<Vec<_>>(), 1)
            .unwrap()
            .unwrap();
        store.write(&all.map(|key| write(key, Value::Gone)).collect::<Vec<_>>(), 1).unwrap().unwrap();
        store.write(&[write(9, Value::Is("stays".to_owned()))], 1).unwrap().unwrap();
        let limits = store::Limits { bytes: 1 << 20, age_ms: 1 };
        let purged = make_room(&store, &limits, &SystemClock).await.unwrap();
        assert_eq!(purged, store::Purged::default(), "there were no runs");
        assert_eq!(store.purge(u64::MAX).unwrap(), 0, "nothing is left to go");
        assert_eq!(store.list("agent", "", "", 9, 2).unwrap().len(), 1);
    }
}
