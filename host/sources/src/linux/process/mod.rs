//! A process that is there, or is not.
//!
//! All rules share one look at /proc; beside it each waits for the end of the oldest process of its name. So an end is noticed at
//! once, and a start with the next look. The kernel's own messages about processes (`cn_proc`) would tell starts at once too, and
//! wake the agent for every process of a machine that compiles.

mod table;

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::sink::{Level, data};
use crate::{Error, Sink, Surroundings};

use super::pidfd::Pidfd;
use super::shared::beat;
use table::Process;
pub(super) use table::Table;

/// How often all look.
const EVERY: Duration = Duration::from_secs(2);
/// When the oldest of a name ends and the next, this is how long the following look waits: a shell script that starts the same
/// program again and again must not have us look at each of them.
const PAUSE: Duration = Duration::from_millis(200);
/// The most processes that a notice names.
const NAMED_MAX: usize = 32;

pub(super) async fn watch(name: &str, is_present: bool, around: &Surroundings, sink: &Sink) -> Result<(), Error> {
    let mut level = Level::default();
    let mut known: Vec<Process> = Vec::new();
    // A process that has ended may stay in the table until its parent asks after it.
    let mut ended: Vec<Process> = Vec::new();
    let mut since = Instant::now();
    loop {
        let table = around.shared.processes.since(since, async |before| Table::look(before)).await;
        let found = table.named(name);
        ended.retain(|process| found.contains(process));
        let mut now: Vec<Process> = found.into_iter().filter(|process| !ended.contains(process)).collect();
        let oldest = loop {
            let Some(&oldest) = now.first() else { break None };
            match Pidfd::open(oldest.pid).filter(|_| oldest.is_there()) {
                Some(pidfd) => break Some((oldest, pidfd)),
                None => ended.push(now.remove(0)),
            }
        };
        let is_replaced = !now.is_empty() && !known.is_empty() && !known.iter().any(|process| now.contains(process));
        if is_present && is_replaced {
            level.tell(sink, false, around, name, || said(name, &[])).await;
        }
        level.tell(sink, now.is_empty() != is_present, around, name, || said(name, &now)).await;
        known = now;
        since = match oldest {
            None => beat(EVERY).await,
            Some((oldest, pidfd)) => tokio::select! {
                () = pidfd.ended() => {
                    ended.push(oldest);
                    tokio::time::sleep(if known.len() > 1 { PAUSE } else { Duration::ZERO }).await;
                    Instant::now()
                }
                at = beat(EVERY) => at,
            },
        };
    }
}

fn said(name: &str, processes: &[Process]) -> serde_json::Map<String, serde_json::Value> {
    let pids: Vec<u32> = processes.iter().take(NAMED_MAX).map(|process| process.pid).collect();
    data([("name", json!(name)), ("count", json!(processes.len())), ("pids", json!(pids))])
}
