//! Little room left in a file system, as `statvfs` says: what is free to everybody, as in `df`.

use std::path::Path;
use std::time::Duration;

use agent::Threshold;
use serde_json::json;

use crate::sink::{Level, data, percent};
use crate::{Error, Sink, Surroundings};

use super::shared::beat;

/// How often it is looked at. `statvfs` takes a microsecond, and tells nobody when it changes.
const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn watch(
    path: &Path,
    below: &str,
    clear: Option<&str>,
    around: &Surroundings,
    sink: &Sink,
) -> Result<(), Error> {
    let threshold = Threshold::falling(below, clear).map_err(Error::Bad)?;
    let mut level = Level::default();
    loop {
        let looked_at = path.to_owned();
        // On a thread of its own: a server that is gone may let it hang for ever, and only this rule waits then.
        let found = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&looked_at)).await;
        // A folder that is not there yet, or not any more, is no level at all: what was raised stays until it is known. Nor are
        // those that have no blocks, such as /proc.
        if let Ok(Ok(found)) = found
            && found.f_blocks > 0
        {
            let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
            let (free, total) = (bytes(found.f_bavail), bytes(found.f_blocks));
            let is_raised = threshold.is_raised(level.is_raised(), free, total);
            let said = || {
                data([
                    ("path", json!(path)),
                    ("free-bytes", json!(free)),
                    ("total-bytes", json!(total)),
                    ("free-percent", json!(percent(free, total))),
                ])
            };
            level.tell(sink, is_raised, around, &path.to_string_lossy(), said).await;
        }
        beat(EVERY).await;
    }
}
