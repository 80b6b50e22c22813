//! A log that is the journal.
//!
//! Its files are read as they are. `journalctl` would be a process for every rule, and libsystemd a library that not every device
//! has. journald tells whoever watches its folder of every line, by a truncation that changes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sdjournal::{EntryRef, Journal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use tokio::time::sleep;

use super::file::APART;
use super::matches::Matches;
use crate::kept::Kept;
use crate::linux::named::{Happenings, Named};
use crate::{Error, Sink, Surroundings};

/// Where journals are: what lasts, and what is gone with a boot.
const FOLDERS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// A line is read when it is this old: journald writes several files, and what it wrote first must be seen first.
const SETTLE: Duration = Duration::from_secs(1);
/// The most lines read at once.
const LINES_MAX: usize = 20_000;
/// How often lines are read, at most.
const PACE: Duration = Duration::from_millis(100);

/// The last line that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Position {
    realtime_us: u64,
    /// journald counts its lines.
    number: u64,
}

pub(super) async fn watch(
    unit: &str,
    mut matches: Matches,
    around: &Surroundings,
    sink: &Sink,
    kept: &Kept,
) -> Result<(), Error> {
    let now_us = || around.clock.now_ms().saturating_mul(1_000);
    let mut named = Named::any(folders())?;
    let mut position = match kept.load() {
        Some(position) => position,
        None => {
            // What was written before is not news.
            let position = Position { realtime_us: now_us(), number: u64::MAX };
            kept.save(&position).await;
            position
        }
    };
    loop {
        let until_us = now_us().saturating_sub(u64::try_from(SETTLE.as_micros()).unwrap_or_default());
        // The clock was set back: what is written now is older than what was read.
        if now_us() < position.realtime_us {
            position = Position { realtime_us: until_us, number: u64::MAX };
        }
        let (unit_read, mut found) = (unit.to_owned(), matches);
        let (read, is_more);
        (found, read, is_more) = tokio::task::spawn_blocking(move || {
            let (read, is_more) = look(&unit_read, position, until_us, &mut found);
            (found, read, is_more)
        })
        .await
        .map_err(|error| Error::Io { what: "cannot read the journal".to_owned(), source: error.into() })?;
        matches = found;
        position = position.max(read);
        if matches.is_any() {
            let room = sink.room().await;
            room.send(matches.take(around.now_ms(), unit));
            kept.save(&position).await;
            sleep(APART).await;
        }
        sleep(PACE).await;
        if !is_more {
            named.wait().await?;
            named.take(&mut Happenings::default())?;
            // What comes while it sleeps is told again, and read the next time.
            sleep(SETTLE + PACE).await;
        }
    }
}

/// Where this machine's journal is.
fn folders() -> Vec<PathBuf> {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    FOLDERS.iter().map(|folder| Path::new(folder).join(id.trim())).collect()
}

/// Looks at the lines after this one, until this time. Says which was the last, and whether there are more.
fn look(unit: &str, after: Position, until_us: u64, matches: &mut Matches) -> (Position, bool) {
    // There is none where journald does not run, and may be one later.
    let Ok(journal) = Journal::open_dirs(&folders()) else { return (after, false) };
    let mut query = journal.query();
    query.since_realtime(after.realtime_us).until_realtime(until_us);
    let Ok(entries) = query.iter() else { return (after, false) };
    let (mut last, mut read) = (after, 0);
    // A damaged line is left out.
    for entry in entries.flatten() {
        let position = Position { realtime_us: entry.realtime_usec(), number: entry.seqnum() };
        if position <= last {
            continue;
        }
        last = position;
        read += 1;
        if let Some(line) = entry.get("MESSAGE").filter(|_| unit == "*" || is_of(&entry, unit)) {
            matches.look(line, || facts(&entry));
        }
        if read >= LINES_MAX {
            return (last, true);
        }
    }
    (last, false)
}

/// Whether it is the unit's, or systemd's word of it.
fn is_of(entry: &EntryRef, unit: &str) -> bool {
    let is = |field: &str, value: &str| entry.get(field) == Some(value.as_bytes());
    is("_SYSTEMD_UNIT", unit)
        || (is("_PID", "1") && is("UNIT", unit))
        || (is("_UID", "0") && is("OBJECT_SYSTEMD_UNIT", unit))
}

fn facts(entry: &EntryRef) -> Map<String, serde_json::Value> {
    let fields =
        [("unit", "_SYSTEMD_UNIT"), ("identifier", "SYSLOG_IDENTIFIER"), ("priority", "PRIORITY"), ("pid", "_PID")];
    let text = |field| entry.get(field).map(|it| String::from_utf8_lossy(it.get(..256).unwrap_or(it)).into_owned());
    fields.into_iter().filter_map(|(name, field)| Some((name.to_owned(), json!(text(field)?)))).collect()
}
