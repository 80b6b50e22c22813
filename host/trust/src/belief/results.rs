//! What devices tell. Only a device's own key says what became of an order there.

use model::Digest;
use serde::{Deserialize, Serialize};

use super::authority::signed_by;
use super::{Document, Trust, in_time};
use crate::statement::Report;
use crate::{Refusal, Signed, Time};

/// A result that its device signed. Only [`Trust::report`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    report: Report,
    digest: Digest,
    created: Time,
}

impl Reported {
    /// What it says. The order is one that the device says it was given: whether there is such an order, whoever gave it knows.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Which statement that is: what the device's next result names as the one before it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// When it was made, by the device's clock.
    pub fn created(&self) -> Time {
        self.created
    }
}

impl Trust {
    /// What anybody makes of a result that came from anywhere.
    pub fn report(&self, signed: &Signed, now: Time) -> Result<Reported, Vec<Refusal>> {
        let document = Document::<Report>::open(signed).map_err(|refusal| vec![refusal])?;
        let body = &document.read.body;
        let mut refusals = Vec::new();
        if body.tenant != self.pin {
            refusals.push(Refusal::OtherTenant { found: body.tenant, pinned: self.pin });
        }
        refusals.extend(in_time("the result", &document, self.time(now)).err());
        refusals.extend(self.ended.check_compromised(&body.device).err());
        if refusals.is_empty() {
            refusals.extend(signed_by(&document, &[&body.device]).err().into_iter().flatten());
        }
        match refusals.is_empty() {
            true => Ok(Reported {
                digest: document.read.digest,
                created: document.read.created,
                report: document.read.body,
            }),
            false => Err(refusals),
        }
    }
}

/// The results of one device, as far as they are known: each names the one before it. A removed, inserted or second one shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Chain {
    /// How many there were.
    sequence: u64,
    /// The last one.
    head: Option<Digest>,
}

impl Chain {
    /// From this result on, for whoever has none of before it.
    pub fn since(reported: &Reported) -> Self {
        Self { sequence: reported.report.sequence, head: Some(reported.digest) }
    }

    /// A device's own, after so many of which this is the last.
    pub fn after(sequence: u64, last: Digest) -> Self {
        Self { sequence, head: Some(last) }
    }

    /// How many there were, and the last one.
    pub fn head(&self) -> (u64, Option<Digest>) {
        (self.sequence, self.head)
    }

    /// Goes on by the next result; whether it was new. Results come more than once: of one before the last, whoever kept them
    /// knows by its digest whether it is the same, and asks here only if it is not.
    pub fn follow(&mut self, reported: &Reported) -> Result<bool, Refusal> {
        let (found, kept) = (reported.report.sequence, self.sequence);
        if self.head == Some(reported.digest) {
            return Ok(false);
        }
        if found > kept + 1 {
            return Err(Refusal::ResultGap { kept, found });
        }
        // Two devices with one key, one that was put back to an earlier state, or somebody who wrote history anew.
        if found <= kept || reported.report.previous != self.head {
            return Err(Refusal::ResultForked { device: reported.report.device.fingerprint(), sequence: found });
        }
        *self = Self { sequence: found, head: Some(reported.digest) };
        Ok(true)
    }
}
