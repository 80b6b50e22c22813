//! A log that is a file.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, json};
use tokio::time::{Instant, sleep};

use super::follower::{Follower, Kept as Position};
use super::matches::Matches;
use crate::kept::Kept;
use crate::linux::named::{Happenings, Named};
use crate::{Error, Sink, Surroundings};

/// How far apart two notices of a rule are: what matches in between is merged.
pub(super) const APART: Duration = Duration::from_secs(1);
/// How much is read at once, and how long nothing is read after it: at most some 20 MB/s, and a flood waits on the disk.
const READ_BYTES: usize = 1 << 20;
const PACE: Duration = Duration::from_millis(50);
/// How often a file is looked at that was moved away, of which nobody tells.
const MOVED_EVERY: Duration = Duration::from_secs(1);
/// How often what was read without a match is kept: what is not is only read again.
const KEPT_EVERY: Duration = Duration::from_mins(1);

pub(super) async fn watch(
    path: &Path,
    mut matches: Matches,
    around: &Surroundings,
    sink: &Sink,
    kept: &Kept,
) -> Result<(), Error> {
    let mut named = Named::new(path)?;
    let mut follower = Follower::new(path, kept.load());
    let mut last: Option<Position> = None;
    let (mut told, mut saved) = (None, Instant::now());
    loop {
        named.take(&mut Happenings::default())?;
        let mut is_more = false;
        // A disk may take its time, and so may a pattern: other sources do not wait for them.
        (follower, matches, is_more) = tokio::task::spawn_blocking(move || {
            is_more |= follower.read(READ_BYTES, &mut |line| matches.look(line, Map::new));
            (follower, matches, is_more)
        })
        .await
        .map_err(|error| Error::Io { what: "cannot read a log".to_owned(), source: error.into() })?;
        let is_due = told.is_none_or(|told: Instant| told.elapsed() >= APART);
        if matches.is_any() && is_due {
            // While nobody has room for it nothing is read, and the log keeps what comes.
            let room = sink.room().await;
            let mut notice = matches.take(around.now_ms(), &path.to_string_lossy());
            notice.data.insert("path".to_owned(), json!(path.to_string_lossy()));
            room.send(notice);
            told = Some(Instant::now());
        }
        let position = follower.kept();
        let is_news = last.as_ref() != Some(&position);
        // What was found and is not told yet is found again after a restart.
        if is_news && !matches.is_any() && (last.is_none() || told >= Some(saved) || saved.elapsed() >= KEPT_EVERY) {
            saved = Instant::now();
            kept.save(&position).await;
            last = Some(position);
        }
        sleep(PACE).await;
        if !is_more {
            let until_told = if matches.is_any() { APART } else { Duration::MAX };
            let until_moved = if follower.has_moved() { MOVED_EVERY } else { Duration::MAX };
            let until_saved = if is_news { KEPT_EVERY } else { Duration::MAX };
            let at_most = until_told.min(until_moved).min(until_saved);
            if let Ok(ready) = tokio::time::timeout(at_most, named.wait()).await {
                ready?;
            }
        }
    }
}
