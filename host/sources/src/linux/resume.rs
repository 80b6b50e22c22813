//! The machine was suspended, and is awake again.
//!
//! The kernel has two clocks that differ by how long it slept. A timer that is cancelled where the clock is set is cancelled on
//! every resume too: it says when to compare them. That is all of it: logind's `PrepareForSleep` knows of suspends that were asked
//! of logind, and this of all of them, without a bus.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::unix::AsyncFd;

use super::boot::boot_id;
use super::ready::ready;
use crate::kept::Kept;
use crate::sink::happened;
use crate::{Error, Sink, Surroundings};

/// Sleep shorter than this is none: the two clocks are not read at the same instant.
const ASLEEP_MIN: Duration = Duration::from_millis(100);
/// How often the clocks are compared where no timer says so.
const EVERY: Duration = Duration::from_mins(1);
/// When the timer would fire: never.
const NEVER_S: i64 = i64::MAX / 2_000_000_000;

/// How long the machine has slept since it was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Slept {
    boot_id: String,
    total_ms: u64,
}

pub(super) async fn watch(around: &Surroundings, sink: &Sink, kept: &Kept) -> Result<(), Error> {
    let boot_id = boot_id()?;
    let timer = Timer::new().map_err(|source| Error::Io { what: "cannot make a timer".to_owned(), source })?;
    let mut known: Option<Slept> = kept.load().filter(|it: &Slept| it.boot_id == boot_id);
    loop {
        let now = Slept { boot_id: boot_id.clone(), total_ms: slept_ms() };
        let more = known.as_ref().and_then(|known| more(known, &now));
        if let Some(asleep_ms) = more {
            sink.room().await.send(happened(around.now_ms(), "", [("asleep-ms", json!(asleep_ms))]));
        }
        if known.is_none() || more.is_some() {
            kept.save(&now).await;
            known = Some(now);
        }
        timer.wait(EVERY).await;
    }
}

/// How long it slept between the two.
fn more(before: &Slept, now: &Slept) -> Option<u64> {
    let more = now.total_ms.checked_sub(before.total_ms)?;
    (u128::from(more) >= ASLEEP_MIN.as_millis()).then_some(more)
}

fn slept_ms() -> u64 {
    let ms = |clock| {
        let now = clock_gettime(clock);
        now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
    };
    u64::try_from(ms(ClockId::Boottime) - ms(ClockId::Monotonic)).unwrap_or_default()
}

/// Waits until the clock is set, which it is on every resume.
struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    fn new() -> std::io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let timer = Self(ready(fd)?);
        timer.set()?;
        Ok(timer)
    }

    fn set(&self) -> std::io::Result<()> {
        let never = Timespec { tv_sec: NEVER_S, tv_nsec: 0 };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: never };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(self.0.get_ref(), flags, &once)?;
        Ok(())
    }

    /// Says whether the clock was set, or only time is up.
    async fn wait(&self, at_most: Duration) -> bool {
        let set = async {
            loop {
                let Ok(mut ready) = self.0.readable().await else { return std::future::pending().await };
                let mut expirations = [0; 8];
                let read = rustix::io::read(self.0.get_ref(), &mut expirations);
                ready.clear_ready();
                if read == Err(rustix::io::Errno::CANCELED) {
                    break;
                }
            }
        };
        let is_set = tokio::time::timeout(at_most, set).await.is_ok();
        // It is armed again; where it cannot be, time alone says when to look.
        let _ = self.set();
        is_set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_difference_is_no_sleep() {
        let slept = |total_ms| Slept { boot_id: "boot".to_owned(), total_ms };
        assert_eq!(more(&slept(0), &slept(99)), None);
        assert_eq!(more(&slept(5_000), &slept(5_100)), Some(100));
        assert_eq!(more(&slept(5_000), &slept(0)), None);
    }

    /// A resume sets the clock, and so does this: to what it is.
    #[tokio::test]
    async fn a_clock_that_is_set_says_when_to_look() {
        let _root = ::tests::need_root!();
        let timer = Timer::new().unwrap();
        assert!(!timer.wait(Duration::from_millis(200)).await);
        rustix::time::clock_settime(ClockId::Realtime, clock_gettime(ClockId::Realtime)).unwrap();
        assert!(timer.wait(Duration::from_secs(10)).await);
        assert!(!timer.wait(Duration::from_millis(200)).await, "it is armed again");
    }
}
