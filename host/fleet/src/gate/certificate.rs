use model::Digest;
use serde::{Deserialize, Serialize};
use trust::statement::{Order, Ring};
use trust::{Refusal, Signed, Time, Trust};

use super::{Judged, SAMPLE_MAX, Shut, judge};
use crate::{Counters, Device, Ended, Proof, ring};

/// The most bytes of a certificate: 64 results of 8 KiB each, with their proofs and signatures; 64 of a usual size have 150 KiB.
pub const CERTIFICATE_BYTES_MAX: usize = 1 << 20;

/// The most bytes of a result with its signatures in a certificate.
const RESULT_BYTES_MAX: usize = 12 << 10;

/// How far a device's clock may differ from that of whoever signed the order.
const SKEW_SECONDS: i64 = 300;

/// What is shown of a ring, so that the devices of the next one need to believe nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificate {
    /// The signed order.
    pub order: Digest,
    /// The ring that is shown, from 0 on.
    pub ring: u32,
    /// Of each leaf that is drawn, in the order of drawing, what its device signed; or nothing.
    pub sample: Vec<Option<Shown>>,
}

/// What one device of the sample signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Shown {
    /// Which device.
    pub device: Device,
    /// From its leaf to the ring's root. The leaf is the one that was drawn.
    pub path: Vec<Digest>,
    /// The result and its signature, as in a file.
    pub result: String,
}

/// A ring of an order, for which a certificate is made or looked at.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Of which root the devices are, and which of their keys were stolen.
    pub trust: &'a Trust,
    /// Digest of the signed order, whose signatures hold.
    pub order: Digest,
    /// What it says.
    pub body: &'a Order,
    /// The ring to be shown, from 0 on: the one before the device's own.
    pub ring: u32,
}

impl Certificate {
    /// Makes one, out of the ring's devices in the order of its tree, and the latest signed result of each that has one. What
    /// could not be shown to a device is left out, and counts as missing. Nothing, where the order has no such ring or that
    /// is not made of these devices.
    pub fn make(
        question: &Question<'_>,
        devices: &[Device],
        mut result: impl FnMut(&Device) -> Option<Signed>,
    ) -> Option<Self> {
        let ring = question.ring()?;
        let tree = ring::Tree::new(devices);
        if tree.root() != ring.root || tree.devices() != ring.devices {
            return None;
        }
        let mut show = |leaf: u32| {
            let device = *devices.get(usize::try_from(leaf).ok()?)?;
            let path = tree.prove(leaf)?.path;
            let result = String::from_utf8(result(&device)?.to_text()).ok()?;
            let shown = Shown { device, path, result };
            question.look(ring, leaf, &shown).is_ok().then_some(shown)
        };
        let sample = question.drawn(ring).into_iter().map(&mut show).collect();
        Some(Self { order: question.order, ring: question.ring, sample })
    }

    /// Its bytes.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Question<'_> {
    /// Whether these bytes show that the ring met the order's gate.
    pub fn answered(&self, bytes: &[u8], now: Time) -> Result<(), Shut> {
        self.judged(&self.counted(bytes)?, now)
    }

    /// Whether what was counted of a certificate is enough, at this time.
    pub fn judged(&self, counted: &Counters, now: Time) -> Result<(), Shut> {
        let Some(gate) = &self.body.gate else { return Err(Shut::OtherRing { found: self.ring, wanted: self.ring }) };
        match judge(gate, self.body.from, counted, now) {
            Judged::Met => Ok(()),
            Judged::TooFew { missing, absent } => Err(Shut::TooFew { missing, absent }),
            Judged::TooEarly { until } => Err(Shut::TooEarly { until }),
            Judged::TooMany { failed, most } => Err(Shut::TooMany { failed, most }),
        }
    }

    /// What these bytes show of the ring. At most 64 signatures are verified, and 21 hashes for each.
    pub fn counted(&self, bytes: &[u8]) -> Result<Counters, Shut> {
        if bytes.len() > CERTIFICATE_BYTES_MAX {
            return Err(Shut::TooLarge { bytes: bytes.len() });
        }
        let certificate: Certificate =
            serde_json::from_slice(bytes).map_err(|error| Shut::NotRead { problem: error.to_string() })?;
        let (found, wanted) = (certificate.order, self.order);
        if found != wanted {
            return Err(Shut::OtherOrder { found, wanted });
        }
        let (found, wanted) = (certificate.ring, self.ring);
        let Some(ring) = self.ring().filter(|_| found == wanted) else {
            return Err(Shut::OtherRing { found, wanted });
        };
        let leaves = self.drawn(ring);
        let (found, wanted) = (certificate.sample.len(), leaves.len());
        if found != wanted {
            return Err(Shut::OtherSample { found, wanted });
        }
        let mut counted = Counters { devices: u32::try_from(wanted).unwrap_or(u32::MAX), ..Counters::default() };
        for (leaf, shown) in leaves.into_iter().zip(&certificate.sample) {
            match shown.as_ref().map(|shown| self.look(ring, leaf, shown)) {
                Some(Ok(ended)) => counted.count(&ended),
                // Whoever made the certificate need not have known: nobody says anything for that device.
                Some(Err(Shut::Forged { refusals, .. })) if is_stolen(&refusals) => {}
                Some(Err(shut)) => return Err(shut),
                None => {}
            }
        }
        Ok(counted)
    }

    fn ring(&self) -> Option<&Ring> {
        self.body.rings.get(usize::try_from(self.ring).ok()?)
    }

    fn drawn(&self, ring: &Ring) -> Vec<u32> {
        ring::sample(self.order, self.ring, ring.devices, SAMPLE_MAX)
    }

    /// What the device at this leaf signed about this order; cheap things first.
    fn look(&self, ring: &Ring, leaf: u32, shown: &Shown) -> Result<Ended, Shut> {
        let device = shown.device;
        let proof = Proof { leaf, path: shown.path.clone() };
        if !proof.holds(&device, ring.devices, ring.root) {
            return Err(Shut::NotDrawn { device, leaf });
        }
        let forged = |refusals: Vec<Refusal>| Shut::Forged { device, refusals };
        let bytes = shown.result.len();
        if bytes > RESULT_BYTES_MAX {
            return Err(forged(vec![Refusal::TooLarge { bytes, most: RESULT_BYTES_MAX }]));
        }
        let signed = Signed::from_text(shown.result.as_bytes()).map_err(|refusal| forged(vec![refusal]))?;
        // One that was signed in the future is believed: its end is then in the future too, and the ring not watched for long.
        let reported = self.trust.report(&signed, Time::from_ms(u64::MAX)).map_err(forged)?;
        let (body, created) = (reported.report(), reported.created());
        let problem = match () {
            () if Device::of(&body.device) != device => "another device signed it",
            () if body.order != self.order => "it is about another order",
            () if body.mode != self.body.mode => "it is of another mode",
            // What ended before the order began says nothing of it, and would have been watched for long.
            () if body.ended < self.body.from.plus_seconds(-SKEW_SECONDS) => "it ended before the order began",
            () if created < body.ended.plus_seconds(-SKEW_SECONDS) => "it was signed before it ended",
            () => return Ok(Ended::of(reported.digest(), body)),
        };
        Err(Shut::OtherResult { device, problem })
    }
}

/// Whether nothing is wrong but that the device's key was stolen.
fn is_stolen(refusals: &[Refusal]) -> bool {
    matches!(refusals, [Refusal::KeyCompromised { .. }])
}
