//! How devices behave: drawn by a seed, so that the same seed plays the same fleet.

use std::time::Duration;

use model::Digest;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// All of what is counted in millionths.
const PPM: u32 = 1_000_000;

/// A device that flaps is there or not for so long.
const FLAP_MS: u64 = 90_000;

/// How the devices of a fleet behave.
#[derive(Clone, Debug, PartialEq)]
pub struct Nature {
    /// What everything is drawn by.
    pub seed: u64,
    /// How long a run takes, half of them longer, and seldom more than ten times as long.
    pub latency: Duration,
    /// So many runs in a million fail.
    pub failures_ppm: u32,
    /// So many devices in a million are off at any time.
    pub offline_ppm: u32,
    /// So long a device is on or off, before it is drawn anew.
    pub spell: Duration,
    /// So many devices in a million are there and gone all the time.
    pub flapping_ppm: u32,
}

impl Default for Nature {
    /// Everybody is there, answers at once, and nothing fails.
    fn default() -> Self {
        Self {
            seed: 1,
            latency: Duration::ZERO,
            failures_ppm: 0,
            offline_ppm: 0,
            spell: Duration::from_secs(8 * 3_600),
            flapping_ppm: 0,
        }
    }
}

impl Nature {
    /// What is drawn for a device and a purpose is drawn again by asking again.
    pub(crate) fn draw(&self, device: u32, purpose: &str) -> StdRng {
        let text = format!("{} {device} {purpose}", self.seed);
        StdRng::from_seed(*Digest::of(text.as_bytes()).as_bytes())
    }

    fn happens(&self, ppm: u32, device: u32, purpose: &str) -> bool {
        ppm > 0 && self.draw(device, purpose).random_range(0..PPM) < ppm
    }

    /// Whether a device is on.
    pub fn is_online(&self, device: u32, now_ms: u64) -> bool {
        if self.happens(self.flapping_ppm, device, "flaps") {
            return self.draw(device, &format!("flap {}", now_ms / FLAP_MS)).random();
        }
        if self.offline_ppm == 0 {
            return true;
        }
        let spell = u64::try_from(self.spell.as_millis()).unwrap_or(u64::MAX).max(1);
        // Not everybody goes at the same moment.
        let shift = self.draw(device, "shift").random_range(0..spell);
        let number = now_ms.saturating_add(shift) / spell;
        !self.happens(self.offline_ppm, device, &format!("off {number}"))
    }

    /// How long a run of this order takes there.
    pub fn takes(&self, device: u32, order: &Digest) -> Duration {
        let drawn: f64 = self.draw(device, &format!("latency {order}")).random();
        // Half of all are below the middle, and one in a thousand takes ten times as long.
        self.latency.mul_f64((1.0 / (1.0 - drawn.min(0.999))).log2().max(0.05))
    }

    /// Whether that run fails.
    pub fn fails(&self, device: u32, order: &Digest) -> bool {
        self.happens(self.failures_ppm, device, &format!("fails {order}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_what_was_asked_for_and_a_seed_plays_the_same() {
        let nature = Nature { offline_ppm: 300_000, failures_ppm: 100_000, flapping_ppm: 50_000, ..Nature::default() };
        let order = Digest::of(b"order");
        let share = |is: &dyn Fn(u32) -> bool| (0..4_000).filter(|it| is(*it)).count();
        let near = |found: usize, wanted: usize| found.abs_diff(wanted) < wanted / 5;
        let steady = Nature { flapping_ppm: 0, ..nature.clone() };
        assert!(near(share(&|it| !steady.is_online(it, 1_000_000_000)), 1_200));
        assert!(near(share(&|it| nature.fails(it, &order)), 400));
        assert_eq!(share(&|it| Nature::default().is_online(it, 5)), 4_000);
        let day = |nature: &Nature| -> Vec<bool> { (0..96).map(|at| nature.is_online(7, at * 900_000)).collect() };
        assert_eq!(day(&steady), day(&steady.clone()));
        assert_ne!(day(&steady), day(&Nature { seed: 2, ..steady.clone() }));
        let nature = Nature { latency: Duration::from_millis(100), ..Nature::default() };
        let slower = share(&|it| nature.takes(it, &order) > Duration::from_millis(100));
        assert!(near(slower, 2_000), "{slower}");
        assert!((0..4_000).all(|it| nature.takes(it, &order) <= Duration::from_secs(1)));
    }
}
