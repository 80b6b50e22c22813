//! What holds for a device that lives for years: killed, cut off, full, and damaged.

#[cfg(target_os = "linux")]
mod damage;
#[cfg(target_os = "linux")]
mod full;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod power;

use std::sync::Arc;

use model::{Ended, Event, Outcome, RunId};

use super::*;

/// How a run begins of which nothing is known.
pub(crate) fn started() -> model::Started {
    let digest = format!("sha256:{}", "0".repeat(64));
    serde_json::from_value(serde_json::json!({
        "format": 1, "plugin": "p", "version": "1.0.0", "digest": digest, "trust": "unsigned", "mode": "detect",
        "trigger": { "kind": "by-hand", "name": "by hand", "event": null, "attributes": [] },
        "parameters": {}, "grants": {}, "limits": {}, "device": "", "host": "",
    }))
    .unwrap()
}

#[cfg(unix)]
#[test]
fn a_folder_that_somebody_else_may_fill_is_refused() {
    use std::os::unix::fs::{PermissionsExt, chown};

    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("state");
    let open = || Store::open(&folder).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(open(), Ok(()));
    for (mode, is_open) in [(0o700, true), (0o755, true), (0o775, false), (0o777, false), (0o1777, false)] {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(open().is_ok(), is_open, "{mode:o}");
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(open(), Ok(()));
    // Only root may give a folder away, and only then there is one of somebody else's to open.
    if rustix::process::geteuid().is_root() {
        chown(&folder, Some(1), None).unwrap();
        assert!(open().is_err());
    }
}

/// A run of three appends: how it begins, two events at once, and its end. Gives how often it was told that it is durable.
fn whole_run(store: &Arc<Store>, run: RunId, mut told: impl FnMut(usize)) -> Result<(), Error> {
    let mut log = store.begin(run)?;
    let said = serde_json::json!({ "event": "log", "level": "info", "message": "x".repeat(500) });
    let said: Event = serde_json::from_value(said).unwrap();
    let ended = Event::Ended(Box::new(Ended::by_host(Outcome::Completed, "")));
    let mut count = 0;
    for events in [vec![Event::Started(Box::new(started()))], vec![said, Event::Resumed], vec![ended]] {
        count += events.len();
        log.append(events.into_iter().map(|event| (1, event)).collect())?;
        told(count);
    }
    Ok(())
}

/// How many events a run of these has that somebody was told of, or not yet.
const WHOLE: [usize; 4] = [0, 1, 3, 4];

/// The events of a run, which are whole: none is missing in between, and what was appended at once is there at once.
fn events_of(store: &Store, run: RunId) -> usize {
    let events = store.events(run).unwrap();
    assert!(events.iter().enumerate().all(|(at, event)| event.sequence == at as u64), "{run}: no gaps");
    assert!(WHOLE.contains(&events.len()), "{run}: {} events", events.len());
    events.len()
}

/// Where the process of its own, in which a test runs again, has its store.
#[cfg(target_os = "linux")]
const FOLDER: &str = "REMIT_STORE_TEST_FOLDER";

#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "a test asks whether it runs again")]
fn folder_of_child() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// A test again, in a process of its own.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "a test that is killed runs in a process of its own")]
fn again(test: &str, folder: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("tests::{test}"), "--nocapture"]).env(FOLDER, folder);
    command
}
