//! A file that changes, or the files of a folder.
//!
//! However fast they change, what is told last is told after the last change and says what is there then: whatever waits is
//! gathered by name, and the facts are read when there is room to tell them. Where the kernel forgot what happened, everything
//! has changed. What changed while the agent was off is told when it starts.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::named::{Happenings, Named};
use crate::kept::Kept;
use crate::sink::happened;
use crate::{Error, Sink, Surroundings};

/// Who writes a file truncates it first: a moment later it is whole more often than not.
const SETTLE: Duration = Duration::from_millis(100);
/// How far apart two notices of a rule are: what happens in between is gathered.
const APART: Duration = Duration::from_secs(1);
/// Files of a folder that are known one by one. Of a folder with more, changes while the agent was off are not told by name.
const FILES_MAX: usize = 4_096;

pub(super) async fn watch(path: &Path, around: &Surroundings, sink: &Sink, kept: &Kept) -> Result<(), Error> {
    // Before anything is looked at, so that nothing falls between.
    let named = Named::new(path)?;
    let known = kept.load().unwrap_or_else(|| Known::look(path));
    let mut source = Source { path, around, sink, kept, named, pending: Happenings::default(), known };
    source.tell_changed(true).await?;
    source.kept.save(&source.known).await;
    loop {
        if source.pending.is_empty() {
            source.named.wait().await?;
            sleep(SETTLE).await;
            source.named.take(&mut source.pending)?;
            continue;
        }
        let since = Instant::now();
        let mut batch = std::mem::take(&mut source.pending);
        while !batch.is_empty() {
            source.tell_next(&mut batch).await?;
        }
        if !source.known.is_whole {
            source.known = Known::look(path);
        }
        source.kept.save(&source.known).await;
        sleep_until(since + APART).await;
    }
}

struct Source<'a> {
    path: &'a Path,
    around: &'a Surroundings,
    sink: &'a Sink,
    kept: &'a Kept,
    named: Named,
    /// What is to be told.
    pending: Happenings,
    /// What was there when it was last told.
    known: Known,
}

/// What is there, by name: nothing of it says what is in the files. The path itself has no name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Known {
    facts: BTreeMap<String, String>,
    /// Whether these are all.
    is_whole: bool,
}

impl Source<'_> {
    /// Tells one thing of a batch, as it is when there is room for it. What happens meanwhile is pending.
    async fn tell_next(&mut self, batch: &mut Happenings) -> Result<(), Error> {
        let sink = self.sink;
        let room = sink.room();
        tokio::pin!(room);
        let room = loop {
            tokio::select! {
                biased;
                room = &mut room => break room,
                ready = self.named.wait() => {
                    ready?;
                    self.named.take(&mut self.pending)?;
                    // A file that changes without end while nobody has room for it is looked at now and then.
                    sleep(SETTLE).await;
                }
            }
        };
        if batch.is_overflowed || batch.more > 0 {
            let times = batch.more.max(1);
            let all = std::mem::take(batch);
            self.known = Known::look(self.path);
            let times = times + all.itself + all.names.values().sum::<u64>();
            room.send(self.notice("", times, &[("is-everything", json!(true))]));
        } else if batch.itself > 0 {
            let times = std::mem::take(&mut batch.itself);
            // What is told says all that the path may have become.
            let is_folder = self.known.renew(self.path, "");
            batch.is_perhaps &= is_folder;
            room.send(self.notice("", times, &[]));
        } else if let Some((name, times)) = batch.names.pop_first() {
            batch.closed.remove(&name);
            let name = name.to_string_lossy().into_owned();
            self.known.renew(self.path, &name);
            room.send(self.notice(&name, times, &[]));
        } else if let Some(name) = batch.closed.pop_first() {
            let name = name.to_string_lossy().into_owned();
            if self.known.is_other(self.path, &name) {
                self.known.renew(self.path, &name);
                room.send(self.notice(&name, 1, &[]));
            }
        } else if std::mem::take(&mut batch.is_perhaps) {
            drop(room);
            self.tell_changed(false).await?;
        }
        Ok(())
    }

    /// Tells what is no longer as it was told.
    async fn tell_changed(&mut self, is_away: bool) -> Result<(), Error> {
        let now = Known::look(self.path);
        let more: &[(&str, Value)] = if is_away { &[("while-away", json!(true))] } else { &[] };
        let names: Vec<String> = match now.is_whole && self.known.is_whole {
            true => now.differing(&self.known),
            false if now == self.known => Vec::new(),
            false => vec![String::new()],
        };
        self.known = now;
        for name in names {
            self.sink.room().await.send(self.notice(&name, 1, more));
        }
        Ok(())
    }

    fn notice(&self, name: &str, times: u64, more: &[(&str, Value)]) -> agent::Notice {
        let path = at(self.path, name);
        let found = look(self.path, name);
        let found = found.as_ref();
        let at_ms = self.around.now_ms();
        let mut notice = happened(
            at_ms,
            &path.to_string_lossy(),
            [
                ("path", json!(path.to_string_lossy())),
                ("exists", json!(found.is_some())),
                ("kind", json!(found.map(kind))),
                ("size-bytes", json!(found.map(Metadata::len))),
                ("modified-ms", json!(found.map(|it| it.mtime() * 1_000 + it.mtime_nsec() / 1_000_000))),
                ("mode", json!(found.map(|it| format!("{:04o}", it.mode() & 0o7777)))),
                ("uid", json!(found.map(Metadata::uid))),
                ("gid", json!(found.map(Metadata::gid))),
                ("occurrences", json!(times)),
            ],
        );
        notice.data.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        notice
    }
}

impl Known {
    fn look(path: &Path) -> Self {
        let mut known = Self { facts: BTreeMap::new(), is_whole: true };
        let Some(itself) = look(path, "") else { return known };
        known.facts.insert(String::new(), facts(&itself));
        if itself.is_dir() {
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                if known.facts.len() > FILES_MAX {
                    // When one came or went is all that is known of so many.
                    let facts = format!("{} {}.{:09}", facts(&itself), itself.mtime(), itself.mtime_nsec());
                    known = Self { facts: BTreeMap::from([(String::new(), facts)]), is_whole: false };
                    break;
                }
                if let Ok(found) = entry.metadata() {
                    known.facts.insert(entry.file_name().to_string_lossy().into_owned(), facts(&found));
                }
            }
        }
        known
    }

    /// Knows one thing as it is now. Says whether it is a folder.
    fn renew(&mut self, path: &Path, name: &str) -> bool {
        let found = look(path, name);
        match &found {
            Some(found) if self.is_whole || name.is_empty() => drop(self.facts.insert(name.to_owned(), facts(found))),
            _ => drop(self.facts.remove(name)),
        }
        if self.facts.len() > FILES_MAX + 1 {
            *self = Self::look(path);
        }
        found.is_some_and(|it| it.is_dir())
    }

    /// Whether one thing is not as it was, as far as is known.
    fn is_other(&self, path: &Path, name: &str) -> bool {
        !self.is_whole || look(path, name).map(|it| facts(&it)) != self.facts.get(name).cloned()
    }

    /// Names of what is not the same in both.
    fn differing(&self, other: &Self) -> Vec<String> {
        let names = self.facts.keys().chain(other.facts.keys().filter(|name| !self.facts.contains_key(*name)));
        names.filter(|&name| self.facts.get(name) != other.facts.get(name)).cloned().collect()
    }
}

fn at(path: &Path, name: &str) -> PathBuf {
    if name.is_empty() { path.to_owned() } else { path.join(name) }
}

/// What is there. A link is what it leads to where it is the path itself, and a link where it is in the folder.
fn look(path: &Path, name: &str) -> Option<Metadata> {
    if name.is_empty() { std::fs::metadata(path).ok() } else { std::fs::symlink_metadata(path.join(name)).ok() }
}

/// What makes it the same as before. When its status changed is what nobody can set; of a folder that says only that something in
/// it came or went, which that says itself.
fn facts(found: &Metadata) -> String {
    let same = format!("{} {:o} {} {}", found.ino(), found.mode(), found.uid(), found.gid());
    match found.is_dir() {
        true => same,
        false => format!("{same} {} {}.{:09}", found.size(), found.ctime(), found.ctime_nsec()),
    }
}

fn kind(found: &Metadata) -> &'static str {
    let kind = found.file_type();
    if kind.is_file() {
        "file"
    } else if kind.is_dir() {
        "folder"
    } else if kind.is_symlink() {
        "link"
    } else {
        "other"
    }
}
