use model::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Device;

/// The most devices of a ring. A proof then has at most 20 hashes, which is what a mailbox has room for.
pub const RING_DEVICES_MAX: u32 = 1 << 20;

/// The most hashes of a proof.
const PATH_MAX: usize = RING_DEVICES_MAX.ilog2() as usize;

type Hash = [u8; 32];

/// The tree over a ring's devices. Whoever has its root and how many devices there are can check who is in it.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Leaves first, root last; a node without a neighbour goes up as it is.
    levels: Vec<Vec<Hash>>,
}

/// That a device is in a ring: where, and the neighbours on the way from there to the root, nearest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Proof {
    /// Which leaf, from 0 on.
    pub leaf: u32,
    /// The neighbours.
    pub path: Vec<Digest>,
}

impl Tree {
    /// Over these devices, in this order.
    pub fn new(devices: &[Device]) -> Self {
        let mut level: Vec<Hash> = devices.iter().map(leaf).collect();
        let mut levels = vec![level.clone()];
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| if let [left, right] = pair { node(left, right) } else { alone(pair) })
                .collect();
            levels.push(level.clone());
        }
        Self { levels }
    }

    /// What the order names. Of no devices it is the hash of nothing.
    pub fn root(&self) -> Digest {
        let root = self.levels.last().and_then(|level| level.first());
        root.map_or_else(|| Digest::of(b""), |root| Digest::from(*root))
    }

    /// How many devices there are.
    pub fn devices(&self) -> u32 {
        self.levels.first().and_then(|leaves| u32::try_from(leaves.len()).ok()).unwrap_or_default()
    }

    /// That the device at this leaf is in it; nothing where there is no such leaf.
    pub fn prove(&self, leaf: u32) -> Option<Proof> {
        let mut at = usize::try_from(leaf).ok().filter(|_| leaf < self.devices())?;
        let mut path = Vec::new();
        for level in &self.levels {
            path.extend(level.get(at ^ 1).map(|hash| Digest::from(*hash)));
            at /= 2;
        }
        Some(Proof { leaf, path })
    }
}

impl Proof {
    /// Whether it shows that the device is in the ring of so many devices with this root (RFC 9162, 2.1.3.2). It takes at most 20
    /// hashes, whatever it says.
    pub fn holds(&self, device: &Device, devices: u32, root: Digest) -> bool {
        if self.leaf >= devices || devices > RING_DEVICES_MAX || self.path.len() > PATH_MAX {
            return false;
        }
        let (mut at, mut last, mut hash) = (self.leaf, devices - 1, leaf(device));
        for neighbour in &self.path {
            if last == 0 {
                return false;
            }
            let neighbour = neighbour.as_bytes();
            if at % 2 == 1 || at == last {
                hash = node(neighbour, &hash);
                // Levels at which it goes up alone have no neighbour in the path.
                while at % 2 == 0 && at != 0 {
                    (at, last) = (at / 2, last / 2);
                }
            } else {
                hash = node(&hash, neighbour);
            }
            (at, last) = (at / 2, last / 2);
        }
        last == 0 && Digest::from(hash) == root
    }
}

/// Leaves and nodes begin differently, so that no node passes for a device.
fn leaf(device: &Device) -> Hash {
    Sha256::new().chain_update([0]).chain_update(device.bytes()).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

fn alone(pair: &[Hash]) -> Hash {
    pair.first().copied().unwrap_or_default()
}
