//! The clock: nothing else in the workspace asks the system for the time of day.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The time of day.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> u64;

    /// How long the machine is up, which nobody sets; none where the platform does not say.
    fn uptime(&self) -> Option<Uptime> {
        None
    }

    /// Moves on as if so long had been waited, where that is possible: then nobody needs to wait. A real clock does not.
    fn skip(&self, _by_ms: u64) -> bool {
        false
    }
}

/// How long a machine is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Uptime {
    /// Which boot it is.
    pub boot: String,
    /// Since then, suspended or not.
    pub ms: u64,
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the module that everything else asks")]
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    #[cfg(target_os = "linux")]
    fn uptime(&self) -> Option<Uptime> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        // Seconds with two decimals, and the time that processors were idle.
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let (seconds, hundredths) = uptime.split(' ').next()?.split_once('.')?;
        let ms = seconds.parse::<u64>().ok()?.checked_mul(1_000)? + hundredths.parse::<u64>().ok()? * 10;
        Some(Uptime { boot: boot.trim().to_owned(), ms })
    }
}

/// A clock that stands until it is moved: for tests and fixtures.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that stands here.
    pub fn new(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Moves it.
    pub fn advance(&self, by_ms: u64) {
        self.0.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn skip(&self, by_ms: u64) -> bool {
        self.advance(by_ms);
        true
    }
}
