//! Little room left in a file system, as `statvfs` says: what is free to everybody, as in `df`.

use std::path::Path;
use std::time::Duration;

use agent::Threshold;
use serde_json::{Map, json};

use crate::sink::Level;
use crate::{Error, Sink, Surroundings};

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
        // A folder that is not there yet, or not any more, is no level at all: what was raised stays until it is known.
        if let Ok(found) = rustix::fs::statvfs(path) {
            let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
            let (free, total) = (bytes(found.f_bavail), bytes(found.f_blocks));
            let is_raised = threshold.is_raised(level.is_raised(), free, total);
            let mut data = Map::new();
            data.insert("path".to_owned(), json!(path));
            data.insert("free-bytes".to_owned(), json!(free));
            data.insert("total-bytes".to_owned(), json!(total));
            data.insert("free-percent".to_owned(), json!(percent(free, total)));
            let now_ms = around.now_ms();
            if let Some(notice) = level.set(is_raised, now_ms, &path.to_string_lossy(), data) {
                sink.send(notice).await;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for a person")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1_000.0).round() / 10.0 }
}
