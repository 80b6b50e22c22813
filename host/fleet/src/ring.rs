//! Who goes first: rings of devices, drawn by hash, each fixed in the signed order by the root of a tree over its devices
//! (RFC 6962, 2.1).

mod tree;
mod written;

use std::collections::BTreeMap;

use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::Device;

pub use tree::{Proof, RING_DEVICES_MAX, Tree};
pub use written::{BadRings, RINGS_MAX, Rings};

/// What hashes begin with: one that was made for one purpose is none for another.
const DRAW: &[u8] = b"remit-ring-v1\0";
const SAMPLE: &[u8] = b"remit-sample-v1\0";

/// The rings of an order, first ring first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The devices of each ring, in the order of its tree.
    pub rings: Vec<Vec<Device>>,
}

impl Drawn {
    /// Who of these is in which ring of the order with this id. A ring that would add nobody is left out. Nobody can say where
    /// a device comes without the id, and whoever has it finds the same.
    pub fn new(rings: &Rings, order: &str, devices: &[Device]) -> Self {
        let place = |device: &Device| {
            let mut hash = Sha256::new();
            hash.update(DRAW);
            hash.update(order.as_bytes());
            hash.update([0]);
            hash.update(device.bytes());
            <[u8; 32]>::from(hash.finalize())
        };
        let drawn: BTreeMap<([u8; 32], Device), Device> =
            devices.iter().map(|device| ((place(device), *device), *device)).collect();
        let drawn: Vec<Device> = drawn.into_values().collect();
        let mut rings: Vec<Vec<Device>> = rings
            .bounds(drawn.len())
            .into_iter()
            .scan(0, |from, until| {
                let ring = drawn.get(*from..until).unwrap_or_default().to_vec();
                *from = until.max(*from);
                Some(ring)
            })
            .collect();
        rings.retain(|ring| !ring.is_empty());
        Self { rings }
    }

    /// The tree of each ring.
    pub fn trees(&self) -> Vec<Tree> {
        self.rings.iter().map(|ring| Tree::new(ring)).collect()
    }
}

/// The leaves of a ring by which it is judged: all of a small one, else so many, drawn by a hash of what nobody can choose once
/// the order is signed. Each leaf once, in the order in which they were drawn.
pub fn sample(order: Digest, ring: u32, devices: u32, most: u32) -> Vec<u32> {
    // Cards from the top of a deck that is shuffled only so far: those that moved are remembered.
    let mut moved = BTreeMap::new();
    let draw = |at: u32| {
        let mut hash = Sha256::new();
        hash.update(SAMPLE);
        hash.update(order.hex().as_bytes());
        hash.update(ring.to_be_bytes());
        hash.update(at.to_be_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        // The rest is below `devices`, which is an u32; over 64 bits no leaf is drawn noticeably more often than another.
        let rest = number % u64::from(devices - at);
        let drawn = at + u32::try_from(rest).unwrap_or_default();
        let card = moved.get(&drawn).copied().unwrap_or(drawn);
        let top = moved.get(&at).copied().unwrap_or(at);
        moved.insert(drawn, top);
        card
    };
    (0..most.min(devices)).map(draw).collect()
}

#[cfg(test)]
mod tests;
