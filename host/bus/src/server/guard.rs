use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The most requests of one session at once, waits aside: one that pulls, one that delivers, and one of each that was given up.
const AT_ONCE_MAX: usize = 4;

/// So many requests in a row, and then so many a second: a device that was away for a week delivers 256 messages with each.
const BURST: u32 = 40;
const EACH: Duration = Duration::from_millis(100);

/// What one session may.
pub(super) struct Guard {
    places: Arc<Semaphore>,
    /// When all that was asked is paid off.
    paid: Mutex<Option<Instant>>,
    waits: watch::Sender<u64>,
}

impl Default for Guard {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE_MAX)), paid: Mutex::default(), waits: watch::Sender::new(0) }
    }
}

/// The one wait of a session.
pub(super) struct Turn(watch::Receiver<u64>);

impl Guard {
    /// A place for a request, or after which time there may be one.
    pub(super) fn enter(&self, now: Instant) -> Result<OwnedSemaphorePermit, Duration> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Duration::from_secs(1))?;
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let from = paid.map_or(now, |paid| paid.max(now));
        let owed = from.saturating_duration_since(now);
        if owed > EACH * (BURST - 1) {
            return Err(owed - EACH * (BURST - 1));
        }
        *paid = Some(from + EACH);
        Ok(place)
    }

    /// The turn to wait. Whoever waited before has had theirs: a device that comes anew has lost what it waited on.
    pub(super) fn wait(&self) -> Turn {
        self.end_wait();
        Turn(self.waits.subscribe())
    }

    /// Whoever waits has had their turn.
    pub(super) fn end_wait(&self) {
        self.waits.send_modify(|turn| *turn = turn.wrapping_add(1));
    }
}

impl Turn {
    /// Waits until it is over.
    pub(super) async fn over(&mut self) {
        // The session outlives it, or is gone: over either way.
        let _ = self.0.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_at_once_some_in_a_row_and_then_so_many_a_second() {
        let (guard, now) = (Guard::default(), Instant::now());
        let at_once: Vec<_> = (0..AT_ONCE_MAX).map(|_| guard.enter(now).unwrap()).collect();
        assert!(guard.enter(now).is_err());
        drop(at_once);
        let more = (0..100).filter(|_| guard.enter(now).is_ok()).count();
        assert_eq!(more + AT_ONCE_MAX, BURST as usize);
        assert_eq!(guard.enter(now).err(), Some(EACH));
        assert!(guard.enter(now + EACH).is_ok() && guard.enter(now + EACH).is_err());
        let later = now + Duration::from_secs(60);
        assert_eq!((0..100).filter(|_| guard.enter(later).is_ok()).count(), BURST as usize);
    }

    #[tokio::test]
    async fn one_waits_at_a_time_and_the_latest_stays() {
        let guard = Guard::default();
        let (mut first, mut second) = (guard.wait(), guard.wait());
        first.over().await;
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, second.over()).await.is_err());
        drop(guard);
        second.over().await;
    }
}
