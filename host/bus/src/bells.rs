//! Doorbells of the devices whose connections this process holds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::{Device, Whom};

/// Who rings many looks at each shard once, and who comes and goes holds up a sixty-fourth of the others.
const SHARDS: usize = 64;

/// How often it rang, and within which time whoever heard the last one is to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// From when it is heard.
    pub within: Duration,
    count: u64,
}

/// All bells. What rings twice before somebody looks is heard once.
#[derive(Debug)]
pub struct Bells([Mutex<HashMap<Device, watch::Sender<Ring>>>; SHARDS]);

impl Default for Bells {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Bells {
    /// Listens to a device's bell. Two may listen at once: a new connection, and the old one that nobody closed.
    pub fn listen(&self, device: Device) -> Ears<'_> {
        let mut shard = self.shard(&device);
        let bell = shard.entry(device).or_insert_with(|| watch::Sender::new(Ring::default()));
        Ears { bells: self, device, rings: bell.subscribe() }
    }

    /// Rings.
    pub fn ring(&self, whom: Whom<'_>, within: Duration) {
        let ring = |bell: &watch::Sender<Ring>| {
            bell.send_modify(|last| *last = Ring { within, count: last.count.wrapping_add(1) });
        };
        match whom {
            Whom::All => self.0.iter().for_each(|shard| lock(shard).values().for_each(ring)),
            Whom::These(devices) => devices.iter().for_each(|device| {
                if let Some(bell) = self.shard(device).get(device) {
                    ring(bell);
                }
            }),
        }
    }

    /// How many devices are listened for.
    pub fn count(&self) -> usize {
        self.0.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, device: &Device) -> MutexGuard<'_, HashMap<Device, watch::Sender<Ring>>> {
        let at = usize::from(device.bytes().first().copied().unwrap_or_default()) % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "a remainder is below what it is divided by")]
        lock(&self.0[at])
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who listens, until they go.
#[derive(Debug)]
pub struct Ears<'a> {
    bells: &'a Bells,
    device: Device,
    rings: watch::Receiver<Ring>,
}

impl Ears<'_> {
    /// Waits until it rings. What rang since the last time was heard counts.
    pub async fn rung(&mut self) -> Ring {
        // The bell hangs as long as somebody listens.
        let _ = self.rings.changed().await;
        *self.rings.borrow_and_update()
    }
}

impl Drop for Ears<'_> {
    fn drop(&mut self) {
        let mut shard = self.bells.shard(&self.device);
        // These ears still count.
        if shard.get(&self.device).is_some_and(|bell| bell.receiver_count() <= 1) {
            shard.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_listens_hears_it_once_and_nobody_else() {
        let bells = Bells::default();
        let (one, other) = (Device::from([1; 32]), Device::from([65; 32]));
        let (mut ears, mut neighbour) = (bells.listen(one), bells.listen(other));
        let second = Duration::from_secs(1);
        bells.ring(Whom::These(&[one, one, Device::from([9; 32])]), second);
        assert_eq!(ears.rung().await.within, second);
        assert!(!ears.rings.has_changed().unwrap() && !neighbour.rings.has_changed().unwrap());
        bells.ring(Whom::All, Duration::ZERO);
        assert_eq!((ears.rung().await.within, neighbour.rung().await.within), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn a_bell_goes_with_the_last_who_listens() {
        let bells = Bells::default();
        let device = Device::from([1; 32]);
        let (first, second) = (bells.listen(device), bells.listen(device));
        drop(first);
        assert_eq!(bells.count(), 1);
        drop(second);
        assert_eq!(bells.count(), 0);
    }
}
