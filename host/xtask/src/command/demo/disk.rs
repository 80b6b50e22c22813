//! A scratch folder: planned, cleaned and restored.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::ensure;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::hand::{Hand, saw, text};

const DAY: Duration = Duration::from_secs(86_400);
/// Where the host keeps what it removed, on the same volume.
const QUARANTINE: &str = ".remit-quarantine/";
/// What is there, and how many days ago it was written.
const FILES: [(&str, usize, u32); 4] =
    [("old.log", 300_000, 60), ("cache/object.bin", 1_000_000, 45), ("cache/index", 10, 45), ("today.log", 5_000, 0)];

pub(super) fn cleanup(hand: &Hand) -> anyhow::Result<()> {
    let scratch = hand.path("scratch");
    for (name, bytes, days) in FILES {
        let path = scratch.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&scratch))?;
        fs::write(&path, vec![b'x'; bytes])?;
        File::options().write(true).open(&path)?.set_modified(SystemTime::now() - DAY * days)?;
    }
    // The first look moves the times of access; the second shows what there is.
    look(&scratch)?;
    let before = look(&scratch)?;
    let bind = format!("scratch={}", scratch.display());
    let args = ["--bind", &bind, "--allow", "files-write [scratch]"];

    let dry = hand.run("disk-cleanup", &[&["--mode", "dry-run"], &args[..]].concat())?.must("planned", &[0])?;
    ensure!(look(&scratch)? == before, "the dry run changed something under {}", scratch.display());
    saw(&format!("{} planned; no byte and no time under the folder has changed", dry.list("effects").len()));

    let plan = ["--mode", "enforce", "--plan", dry.text("run")];
    let enforced = hand.run("disk-cleanup", &[&plan, &args[..]].concat())?.must("fixed", &[0])?;
    let done: Vec<Value> = enforced.list("effects").iter().map(|effect| with(effect, "planned")).collect();
    ensure!(done == dry.list("effects"), "{done:?} was done, {:?} was planned", dry.list("effects"));
    let after = look(&scratch)?;
    let left: Vec<&String> = after.keys().filter(|name| !name.starts_with(QUARANTINE)).collect();
    ensure!(left == ["today.log"], "what is left is {left:?}");
    saw("the effects are those of the plan, `changed` for `planned`; only the file of today is left");
    bytes(hand, enforced.text("run"), &after)?;

    hand.remit(&["undo", enforced.text("run")])?;
    let restored = look(&scratch)?;
    let kept = |seen: &Seen| (seen.bytes, seen.modified, seen.digest.clone());
    ensure!(
        restored.iter().map(|(name, it)| (name, kept(it))).eq(before.iter().map(|(name, it)| (name, kept(it)))),
        "{restored:?} is not {before:?}"
    );
    saw("every file is back, with its bytes and the time it was written");
    Ok(())
}

/// That what is told of bytes is what the disk says.
fn bytes(hand: &Hand, run: &str, after: &BTreeMap<String, Seen>) -> anyhow::Result<()> {
    let events = hand.events(run)?;
    let told = |name: &str| {
        let metrics = events.iter().filter(|event| text(event, "event") == "metric" && text(event, "name") == name);
        metrics.filter_map(|event| event.get("value")?.as_f64()).sum::<f64>()
    };
    let (quarantined, freed) = (told("quarantined"), told("freed"));
    let held: u64 = after.iter().filter(|(name, _)| name.starts_with(QUARANTINE)).map(|(_, seen)| seen.on_disk).sum();
    ensure!(held > 0 && quarantined == held as f64, "{quarantined} bytes told, the quarantine holds {held}");
    saw(&format!(
        "{quarantined} bytes quarantined, which is what the quarantine takes on the disk; {freed} freed at once"
    ));
    Ok(())
}

/// The same effect in other words.
fn with(effect: &Value, word: &str) -> Value {
    let mut effect = effect.clone();
    if let Some(slot) = effect.get_mut("effect").filter(|slot| **slot == "changed") {
        *slot = word.into();
    }
    effect
}

/// All that a file system tells of a file.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    bytes: u64,
    on_disk: u64,
    modified: (i64, i64),
    others: [i64; 4],
    digest: String,
}

fn look(folder: &Path) -> anyhow::Result<BTreeMap<String, Seen>> {
    let mut seen = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Asked before it is read: reading is an access.
            let stat = fs::metadata(&path)?;
            let name = path.strip_prefix(folder)?.display().to_string();
            let it = Seen {
                bytes: stat.len(),
                on_disk: stat.blocks() * 512,
                modified: (stat.mtime(), stat.mtime_nsec()),
                others: [stat.ctime(), stat.ctime_nsec(), stat.atime(), stat.atime_nsec()],
                digest: hex::encode(Sha256::digest(fs::read(&path)?)),
            };
            seen.insert(name, it);
        }
    }
    Ok(seen)
}
