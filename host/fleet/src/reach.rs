//! How far one technician's orders reach before anybody else had the time to see them.

use std::collections::BTreeSet;

use contract::Class;
use trust::Given;

use crate::Device;

/// So long an order of one technician alone is watched, in milliseconds: what is wrong with it is seen in its first devices, and any
/// one technician stops it.
pub const WATCHED_MS: u64 = 3_600_000;

/// The fewest devices that such orders reach together, however small the fleet is.
const DEVICES_MIN: usize = 10;

/// They reach one in so many.
const ONE_IN: usize = 100;

/// How far the orders of one key reach that one technician alone signed, while they are younger than [`WATCHED_MS`] where this is
/// asked: all of them together at most the larger of 10 devices and one in a hundred. A second technician's signature lifts it.
///
/// It is an honest hub's rule. Whoever has the hub as well as the key is bounded by the key's seat, and nothing else.
#[derive(Clone, Debug)]
pub struct Reach {
    reached: BTreeSet<Device>,
    most: usize,
}

impl Reach {
    /// Whether an order is bounded at all: what only looks is not, nor what two technicians signed.
    pub fn bounds(given: &Given) -> bool {
        given.order().risks() > Class::L1 && given.technicians().len() < 2
    }

    /// Of a key, in a fleet of so many devices, of which these were shown such orders of that key in the last hour.
    pub fn new(devices: usize, reached: impl IntoIterator<Item = Device>) -> Self {
        Self { reached: reached.into_iter().collect(), most: DEVICES_MIN.max(devices / ONE_IN) }
    }

    /// Whether this device may be shown one more of them now; if so, it is reached.
    pub fn admits(&mut self, device: Device) -> bool {
        if self.reached.len() < self.most {
            self.reached.insert(device);
        }
        self.reached.contains(&device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::device;

    #[test]
    fn ten_or_one_in_a_hundred_and_those_who_were_reached_before() {
        for (fleet, most) in [(3, 10), (999, 10), (1_000, 10), (1_100, 11), (10_000, 100)] {
            let mut reach = Reach::new(fleet, []);
            assert_eq!((0..500).filter(|number| reach.admits(device(*number))).count(), most, "{fleet}");
        }
        let before = || (0..8).map(device);
        let mut reach = Reach::new(1_000, before());
        let admitted: Vec<u32> = (0..20).rev().filter(|number| reach.admits(device(*number))).collect();
        assert_eq!(admitted, [19, 18, 7, 6, 5, 4, 3, 2, 1, 0], "two more, and those again");
        assert!(!Reach::new(1_000, (0..10).map(device)).admits(device(10)));
    }
}
