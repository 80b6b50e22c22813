//! How often somebody may ask.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most askers of whom it is remembered how often they asked, at some 80 bytes each. Those who asked for longest go first.
const ASKERS_MAX: usize = 20_000;

/// So many at once, and then so many in a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) at_once: u32,
    pub(crate) per_second: u32,
}

impl Rate {
    /// Half of it.
    pub(crate) fn half(self) -> Self {
        Self { at_once: self.at_once.div_ceil(2), per_second: self.per_second.div_ceil(2) }
    }
}

/// Whoever asks: a session, or nobody's name for those who have none.
pub(crate) type Who = String;

/// When each may ask again, by endpoint and asker: the moment at which all that they asked for would be paid off.
pub(crate) struct Meter {
    paid: Mutex<HashMap<(usize, Who), Duration>>,
    began: Instant,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { paid: Mutex::default(), began: Instant::now() }
    }

    /// Counts a request, or says after how many seconds it may go.
    pub(crate) fn count(&self, endpoint: usize, who: &str, rate: Rate) -> Result<(), u64> {
        self.count_at(endpoint, who, rate, self.began.elapsed())
    }

    /// The same, where more askers than are remembered may ask: then nobody is counted, and what all share is the limit.
    pub(crate) fn count_some(&self, endpoint: usize, who: &str, rate: Rate) -> Result<(), u64> {
        if self.is_full() { Ok(()) } else { self.count(endpoint, who, rate) }
    }

    fn is_full(&self) -> bool {
        let now = self.began.elapsed();
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        if paid.len() >= ASKERS_MAX {
            paid.retain(|_, until| *until > now);
        }
        paid.len() >= ASKERS_MAX
    }

    fn count_at(&self, endpoint: usize, who: &str, rate: Rate, now: Duration) -> Result<(), u64> {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        if paid.len() >= ASKERS_MAX {
            paid.retain(|_, until| *until > now);
            if paid.len() >= ASKERS_MAX {
                return Err(1);
            }
        }
        let each = Duration::from_secs(1) / rate.per_second.max(1);
        let until = paid.entry((endpoint, who.to_owned())).or_insert(now);
        let start = (*until).max(now);
        match start.checked_sub(each * (rate.at_once.max(1) - 1)) {
            Some(earliest) if earliest > now => Err((earliest - now).as_secs() + 1),
            _ => {
                *until = start + each;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_at_once_and_then_so_many_a_second() {
        let meter = Meter::new();
        let rate = Rate { at_once: 3, per_second: 2 };
        let at = Duration::from_millis;
        let count = |who: &str, now: u64| meter.count_at(0, who, rate, at(now));
        assert_eq!([0, 0, 0, 0].map(|now| count("a", now).is_ok()), [true, true, true, false]);
        assert_eq!(count("a", 0), Err(1));
        assert!(count("b", 0).is_ok(), "another is not meant");
        assert!(meter.count_at(1, "a", rate, at(0)).is_ok(), "nor another endpoint");
        assert_eq!([500, 500].map(|now| count("a", now).is_ok()), [true, false]);
        assert_eq!([10_000; 4].map(|now| count("a", now).is_ok()), [true, true, true, false]);
    }

    #[test]
    fn who_asks_often_is_remembered_within_bounds() {
        let meter = Meter::new();
        let rate = Rate { at_once: 1, per_second: 1 };
        (0..ASKERS_MAX).for_each(|at| assert!(meter.count_at(0, &at.to_string(), rate, Duration::ZERO).is_ok()));
        assert_eq!(meter.count_at(0, "one more", rate, Duration::ZERO), Err(1));
        assert!(meter.count_at(0, "one more", rate, Duration::from_secs(2)).is_ok());
        assert_eq!(meter.paid.lock().unwrap().len(), 1);
    }
}
