use model::Digest;
use trust::{Refusal, Time};

use super::CERTIFICATE_BYTES_MAX;
use crate::Device;

/// Why a certificate does not open the next ring.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the sentence above them says")]
pub enum Shut {
    /// Looked at no further.
    #[error("the certificate has {bytes} bytes: at most {CERTIFICATE_BYTES_MAX} are read")]
    TooLarge { bytes: usize },
    /// Not of this form.
    #[error("it is no certificate: {problem}")]
    NotRead { problem: String },
    /// Made for another order.
    #[error("the certificate is about the order {found}, and not {wanted}")]
    OtherOrder { found: Digest, wanted: Digest },
    /// Made for another ring.
    #[error("the certificate is about ring {found}, and ring {wanted} comes before this device's")]
    OtherRing { found: u32, wanted: u32 },
    /// Not as many as are drawn.
    #[error("the certificate has {found} of the sample, {wanted} are drawn")]
    OtherSample { found: usize, wanted: usize },
    /// A device that is not the one that was drawn.
    #[error("{device} is not in the ring at leaf {leaf}, which was drawn")]
    NotDrawn { device: Device, leaf: u32 },
    /// A result that its device did not sign.
    #[error("the result of {device} does not hold: {}", refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Forged { device: Device, refusals: Vec<Refusal> },
    /// A result of something else.
    #[error("the result of {device} is not one of this order: {problem}")]
    OtherResult { device: Device, problem: &'static str },
    /// Not enough of the sample.
    #[error("{missing} of the sample are missing, and count as failed until {absent}")]
    TooFew { missing: u32, absent: Time },
    /// It has to stay well for a while.
    #[error("the ring before is watched until {until}")]
    TooEarly { until: Time },
    /// The order's own measure.
    #[error("{failed} of the sample failed, at most {most} may")]
    TooMany { failed: u32, most: u32 },
}

impl Shut {
    /// Whether somebody made it up: what is only not yet so is waited for, and may be shown again.
    pub fn is_forged(&self) -> bool {
        !matches!(self, Self::TooFew { .. } | Self::TooEarly { .. } | Self::TooMany { .. })
    }
}
