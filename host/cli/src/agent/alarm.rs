//! Waits for a time of day, and notices when the clock is set or the machine was asleep.
//!
//! A timer of tokio's counts what the machine was awake, and knows nothing of a clock that was set.

use std::io;
use std::os::fd::OwnedFd;

use agent::Elapsed;
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The latest that is waited for: a day, after which zones and calendars are looked at anew.
const WAIT_MS_MAX: i64 = 86_400_000;

/// One alarm, which may be set anew at any time.
pub(crate) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    pub(crate) fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe; the descriptor is this alarm's alone, and goes with it"
        )]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Waits until then, milliseconds since 1970, or until the clock is set; a day at most. Cancelling it loses nothing.
    pub(crate) async fn until(&self, at_ms: Option<i64>, now_ms: i64) -> io::Result<()> {
        let latest_ms = now_ms.saturating_add(WAIT_MS_MAX);
        let at_ms = at_ms.unwrap_or(latest_ms).clamp(now_ms.saturating_add(1), latest_ms);
        let at = Timespec { tv_sec: at_ms.div_euclid(1_000), tv_nsec: at_ms.rem_euclid(1_000) * 1_000_000 };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        match timerfd_settime(self.0.get_ref(), flags, &once) {
            // The clock was set since the last time: that is what is waited for.
            Err(Errno::CANCELED) => return Ok(()),
            other => {
                other?;
            }
        }
        loop {
            let mut ready = self.0.readable().await?;
            match rustix::io::read(self.0.get_ref(), &mut [0; 8]) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                // It went off, or the clock was set.
                Ok(_) | Err(Errno::CANCELED) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Measures time by clocks that nobody sets.
#[derive(Default)]
pub(crate) struct Stopwatch {
    last: Option<(i64, i64)>,
}

impl Stopwatch {
    /// How long it is since it was asked last; nothing, the first time.
    pub(crate) fn lap(&mut self) -> Option<Elapsed> {
        let (awake, whole) = (ms(clock_gettime(ClockId::Monotonic)), ms(clock_gettime(ClockId::Boottime)));
        let before = self.last.replace((awake, whole))?;
        let awake_ms = awake - before.0;
        Some(Elapsed { awake_ms, asleep_ms: (whole - before.1 - awake_ms).max(0) })
    }
}

fn ms(time: Timespec) -> i64 {
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use model::{Clock as _, SystemClock};

    use super::*;

    #[tokio::test]
    async fn an_alarm_goes_off_at_its_time_and_not_before() {
        let (alarm, mut stopwatch) = (Alarm::new().unwrap(), Stopwatch::default());
        assert_eq!(stopwatch.lap(), None);
        let now_ms = i64::try_from(SystemClock.now_ms()).unwrap();
        // One that was given up is forgotten.
        let long = alarm.until(Some(now_ms + 60_000), now_ms);
        assert!(tokio::time::timeout(Duration::from_millis(50), long).await.is_err());
        let began = Instant::now();
        alarm.until(Some(now_ms + 200), now_ms).await.unwrap();
        assert!((100..5_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        let lap = stopwatch.lap().unwrap();
        assert!(lap.awake_ms >= 100 && lap.asleep_ms < 1_000, "{lap:?}");
    }
}
