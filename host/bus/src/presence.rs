//! Who is there: derived from beats, and never said by anybody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Device;

/// How often a device beats.
pub const BEAT: Duration = Duration::from_secs(60);

/// How many beats in a row a device misses before it counts as away: one is lost to a restart of either side.
const MISSED_MAX: u32 = 3;

/// The most devices that a roll has: ten times what one hub is made for, at some 50 bytes each.
const DEVICES_MAX: usize = 100_000;

/// Whether a device is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It beat lately.
    Online,
    /// It did not, though somebody listened for long enough.
    Offline,
    /// Nobody listened for long enough to say.
    Unknown,
}

/// Who beat when, by a clock that nobody sets and that began with the hub.
///
/// A beat is missed only while somebody listens. So it needs no disk, and after a restart of the hub nobody is away before three
/// beats could have been missed.
#[derive(Debug, Default)]
pub struct Roll(Mutex<HashMap<Device, Duration>>);

impl Roll {
    /// A device beat, so long after the hub began.
    pub fn beat(&self, device: Device, at: Duration) {
        let mut roll = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if roll.len() >= DEVICES_MAX && !roll.contains_key(&device) {
            roll.retain(|_, last| at.saturating_sub(*last) < BEAT * MISSED_MAX);
        }
        if roll.len() < DEVICES_MAX {
            let last = roll.entry(device).or_default();
            *last = at.max(*last);
        }
    }

    /// Whether it is there, so long after the hub began.
    pub fn presence(&self, device: &Device, now: Duration) -> Presence {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(device).copied();
        let is_late = |since: Duration| now.saturating_sub(since) >= BEAT * MISSED_MAX;
        match last {
            Some(last) if !is_late(last) => Presence::Online,
            None if !is_late(Duration::ZERO) => Presence::Unknown,
            _ => Presence::Offline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_beats_are_missed_by_who_listens() {
        let (roll, device, other) = (Roll::default(), Device::from([1; 32]), Device::from([2; 32]));
        let at = Duration::from_secs;
        assert_eq!(roll.presence(&device, at(0)), Presence::Unknown);
        assert_eq!(roll.presence(&device, at(179)), Presence::Unknown);
        assert_eq!(roll.presence(&device, at(180)), Presence::Offline);
        roll.beat(device, at(200));
        assert_eq!(roll.presence(&device, at(200)), Presence::Online);
        assert_eq!(roll.presence(&device, at(379)), Presence::Online);
        assert_eq!(roll.presence(&device, at(380)), Presence::Offline);
        assert_eq!(roll.presence(&other, at(380)), Presence::Offline);
        roll.beat(device, at(400));
        roll.beat(device, at(390));
        assert_eq!(roll.presence(&device, at(579)), Presence::Online, "a beat that comes late takes none back");
    }

    #[test]
    fn a_roll_is_bounded_and_makes_room_of_those_who_are_away() {
        let roll = Roll::default();
        let device = |at: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&at.to_le_bytes());
            Device::from(bytes)
        };
        (0..DEVICES_MAX).for_each(|at| roll.beat(device(at), Duration::ZERO));
        roll.beat(device(DEVICES_MAX), Duration::from_secs(100));
        assert_eq!(roll.0.lock().unwrap().len(), DEVICES_MAX);
        assert_eq!(roll.presence(&device(DEVICES_MAX), Duration::from_secs(100)), Presence::Unknown);
        roll.beat(device(DEVICES_MAX), Duration::from_secs(300));
        assert_eq!(roll.presence(&device(DEVICES_MAX), Duration::from_secs(300)), Presence::Online);
        assert_eq!(roll.0.lock().unwrap().len(), 1);
    }
}
