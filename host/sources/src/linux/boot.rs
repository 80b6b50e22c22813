//! The machine was started: the kernel gives each boot an identity, and the one that was told is kept.

use std::time::Duration;

use serde_json::json;

use crate::kept::Kept;
use crate::sink::happened;
use crate::{Error, Sink, Surroundings};

/// Where nothing is kept, a rule is new. The boot is news to it only where it was so short a time ago: an agent that comes with an
/// image starts within it, and a rule that is placed on a machine that has run for weeks waits for the next boot.
const NEWS: Duration = Duration::from_mins(10);
/// What the kernel counts in for programs, on every processor that is managed.
const TICKS_PER_SECOND: u64 = 100;

pub(super) async fn watch(around: &Surroundings, sink: &Sink, kept: &Kept) -> Result<(), Error> {
    let id = boot_id()?;
    let known: Option<String> = kept.load();
    let up = up_for();
    let is_news = match &known {
        Some(known) => *known != id,
        None => up.is_some_and(|up| up < NEWS),
    };
    if is_news {
        let up_ms = up.map_or(0, |up| i64::try_from(up.as_millis()).unwrap_or(i64::MAX));
        let room = sink.room().await;
        room.send(happened(
            around.now_ms().saturating_sub(up_ms),
            "",
            [("boot-id", json!(id)), ("last-boot-id", json!(known))],
        ));
    }
    if known.as_ref() != Some(&id) {
        kept.save(&id).await;
    }
    // There is no other boot while this agent runs.
    std::future::pending().await
}

/// What the kernel calls this boot.
pub(super) fn boot_id() -> Result<String, Error> {
    const PATH: &str = "/proc/sys/kernel/random/boot_id";
    let id = super::read(PATH)?;
    Ok(id.trim().to_owned())
}

/// How long its first process has run: in a container the kernel has run for longer.
fn up_for() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/1/stat").ok()?;
    // The name is in brackets, and may have some itself.
    let started: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = Duration::new(now.tv_sec.try_into().ok()?, now.tv_nsec.try_into().ok()?);
    now.checked_sub(Duration::from_millis(started * 1_000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;
    use agent::Watch;

    #[tokio::test]
    async fn a_boot_is_told_once_however_often_the_agent_starts() {
        let mut bench = Bench::new();
        // A boot that was before this one.
        bench.kept(&Watch::Boot).save(&"00000000-0000-0000-0000-000000000000").await;
        bench.start(Watch::Boot);
        let told = bench.next().await;
        assert_eq!(told.data["boot-id"], json!(boot_id().unwrap()));
        assert_eq!(told.data["last-boot-id"], json!("00000000-0000-0000-0000-000000000000"));
        assert!(told.at_ms <= bench.now_ms());
        bench.silence().await;
        for _ in 0..3 {
            bench.restart(Watch::Boot).await;
            bench.silence().await;
        }
    }

    #[tokio::test]
    async fn a_new_rule_knows_of_a_boot_only_while_it_is_news() {
        let mut bench = Bench::new();
        let is_news = up_for().unwrap() < NEWS;
        bench.start(Watch::Boot);
        match is_news {
            true => drop(bench.next().await),
            false => bench.silence().await,
        }
        bench.restart(Watch::Boot).await;
        bench.silence().await;
    }
}
