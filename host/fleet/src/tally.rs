//! What became of an order, counted: a fold over the log of results.
//!
//! Of each device the latest result counts, so the order in which results come, how often, and in what portions they were counted
//! makes no difference.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use model::{Digest, Outcome, Verdict};
use serde::{Deserialize, Serialize};
use trust::statement::Report;
use trust::{Name, Time};

use crate::Device;

/// What a result comes to, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comes {
    /// It went as it should. What was found is another matter: a device that is not compliant was looked at.
    Well,
    /// It went wrong, or was refused.
    Badly,
    /// The device found that it is not meant. Nothing was tried, so it speaks neither for nor against.
    Aside,
    /// It is not over: it waits for a reboot.
    NotYet,
}

/// The code with which a device refuses an order because it is not among those that `where` means.
pub const NOT_MEANT: &str = "not-meant";

impl Comes {
    /// Of how a run ended, and why it was refused where it was.
    pub fn of(outcome: Outcome, verdict: Verdict, refused: Option<&str>) -> Self {
        match (outcome, verdict) {
            (Outcome::Completed, Verdict::Failed | Verdict::Recurred | Verdict::Unknown) => Self::Badly,
            (Outcome::Completed, _) => Self::Well,
            (Outcome::Suspended, _) => Self::NotYet,
            (Outcome::Refused, _) if refused == Some(NOT_MEANT) => Self::Aside,
            _ => Self::Badly,
        }
    }
}

/// One line of the log of results, as far as it is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ended {
    /// The device counts its results: the highest is the latest.
    pub sequence: u64,
    /// Of the signed result. Of two with one number, which only a device that cheats writes, everybody counts the same.
    pub result: Digest,
    /// What it comes to.
    pub comes: Comes,
    /// When it ended, by the device's clock.
    pub ended: Time,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Name>,
}

/// What is known of the devices of one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    latest: BTreeMap<Device, (u32, Ended)>,
}

/// A ring, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counters {
    /// Devices in it.
    pub devices: u32,
    /// For which it went well.
    pub well: u32,
    /// For which it went badly.
    pub badly: u32,
    /// Which are not meant.
    pub aside: u32,
    /// The latest end among these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
    /// Refusals by their code, of those that went badly or are not meant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<Name, u32>,
}

impl Ended {
    /// Out of what a device signed.
    pub fn of(result: Digest, body: &Report) -> Self {
        let comes = Comes::of(body.outcome, body.verdict, body.refused.as_ref().map(Name::as_str));
        Self { sequence: body.sequence, result, comes, ended: body.ended, refused: body.refused.clone() }
    }
}

impl Tally {
    /// Counts a result of a device in a ring.
    pub fn add(&mut self, device: Device, ring: u32, ended: Ended) {
        match self.latest.entry(device) {
            Entry::Vacant(it) => {
                it.insert((ring, ended));
            }
            Entry::Occupied(mut it) => {
                let (kept_ring, kept) = it.get();
                if (&ended, ring) > (kept, *kept_ring) {
                    it.insert((ring, ended));
                }
            }
        }
    }

    /// Counts what another counted, of the same order.
    pub fn merge(&mut self, other: Self) {
        other.latest.into_iter().for_each(|(device, (ring, ended))| self.add(device, ring, ended));
    }

    /// The latest result of each device that has one.
    pub fn latest(&self) -> impl Iterator<Item = (&Device, u32, &Ended)> {
        self.latest.iter().map(|(device, (ring, ended))| (device, *ring, ended))
    }

    /// The latest result of a device.
    pub fn of(&self, device: &Device) -> Option<&Ended> {
        self.latest.get(device).map(|(_, ended)| ended)
    }

    /// The rings, counted. In each there are so many devices; what says to be in another ring is not counted.
    pub fn counters(&self, rings: &[u32]) -> Vec<Counters> {
        let mut all: Vec<Counters> =
            rings.iter().map(|devices| Counters { devices: *devices, ..Counters::default() }).collect();
        for (ring, ended) in self.latest.values() {
            if let Some(counters) = usize::try_from(*ring).ok().and_then(|ring| all.get_mut(ring)) {
                counters.count(ended);
            }
        }
        all
    }
}

impl Counters {
    pub(crate) fn count(&mut self, ended: &Ended) {
        match ended.comes {
            Comes::Well => self.well += 1,
            Comes::Badly => self.badly += 1,
            Comes::Aside => self.aside += 1,
            Comes::NotYet => return,
        }
        self.last = self.last.max(Some(ended.ended));
        if let Some(code) = &ended.refused {
            *self.refused.entry(code.clone()).or_default() += 1;
        }
    }

    /// Devices of which nothing is known that counts.
    pub fn missing(&self) -> u32 {
        self.devices.saturating_sub(self.well).saturating_sub(self.badly).saturating_sub(self.aside)
    }
}

#[cfg(test)]
mod tests;
