//! When to ask again.

use std::time::Duration;

use rand::RngExt as _;

use crate::{Retry, Trouble};

/// Draws how long to wait after trouble: anything from nothing to a time that doubles from the second trouble in a row on, so that
/// those who fell together do not come back together. Whoever lost a line has learned nothing of how long the other side is away.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failed: u32,
}

impl Default for Backoff {
    /// For a line to a hub. Ten thousand that lost it at once come back at 500 a second, and those who came too soon within 40 s; one
    /// that is away for long is asked every two and a half minutes on average.
    fn default() -> Self {
        Self::new(Duration::from_secs(20), Duration::from_secs(300))
    }
}

impl Backoff {
    /// At first at most so long, and never longer than that.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, failed: 0 }
    }

    /// How long to wait after this; none where waiting does not help.
    pub fn after(&mut self, trouble: &Trouble) -> Option<Duration> {
        let doubled = self.failed.saturating_sub(1).min(20);
        let spread = self.most.min(self.first.saturating_mul(1 << doubled));
        match trouble.retry() {
            Retry::Never => None,
            // All were told the same time.
            Retry::After(least) => Some(least + draw(self.first)),
            Retry::Backoff => {
                self.failed = self.failed.saturating_add(1);
                Some(draw(spread))
            }
        }
    }

    /// It went.
    pub fn reset(&mut self) {
        self.failed = 0;
    }
}

/// From nothing to this.
pub(crate) fn draw(most: Duration) -> Duration {
    most.mul_f64(rand::rng().random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TooMuch;

    #[test]
    fn waits_are_spread_and_grow_to_a_limit() {
        let seconds = Duration::from_secs;
        let gone = Trouble::Unreachable { why: String::new() };
        let longest = |failed: u32| {
            let backoff = Backoff { failed, ..Backoff::new(seconds(10), seconds(60)) };
            (0..2_000).filter_map(|_| backoff.clone().after(&gone)).max().unwrap()
        };
        let near = |found: Duration, most: Duration| found <= most && found >= most.mul_f64(0.9);
        assert!(near(longest(0), seconds(10)) && near(longest(1), seconds(10)));
        assert!(near(longest(2), seconds(20)) && near(longest(3), seconds(40)));
        assert!(near(longest(4), seconds(60)) && near(longest(u32::MAX), seconds(60)));
        let shortest = (0..2_000).filter_map(|_| Backoff::default().after(&gone)).min().unwrap();
        assert!(shortest < seconds(1), "some come at once");
    }

    #[test]
    fn what_the_hub_wants_is_kept_and_what_is_refused_is_not_repeated() {
        let mut backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(60));
        let after = backoff.after(&Trouble::Busy { after: Duration::from_secs(100) }).unwrap();
        assert!((100.0..=110.0).contains(&after.as_secs_f64()));
        assert_eq!(backoff.after(&Trouble::TooMuch(TooMuch { what: "bytes", most: 1 })), None);
        assert_eq!(backoff.after(&Trouble::Refused { status: 400, why: String::new() }), None);
    }
}
