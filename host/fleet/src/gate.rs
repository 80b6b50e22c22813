//! When the next ring may go: what is asked of the ring before, and the certificate that shows it to a device.
//!
//! A certificate has the signed results of a sample of the ring before. Who is in the sample follows from the signed order, so
//! whoever makes a certificate picks nothing; what it leaves out counts as failed.

mod certificate;
mod shut;

use trust::Time;
use trust::statement::Gate;

use crate::Counters;

pub use certificate::{CERTIFICATE_BYTES_MAX, Certificate, Question, Shown};
pub use shut::Shut;

/// The most devices by which a ring is judged. See decision 24 for what a sample of that size finds.
pub const SAMPLE_MAX: u32 = 64;

/// All of what is counted in millionths.
const PPM: u64 = 1_000_000;

/// What may be said of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The next ring may go.
    Met,
    /// Too few have reported, well or badly; after this time, those that are missing may no longer be waited for.
    TooFew {
        /// How many are missing.
        missing: u32,
        /// Until when they count as failed.
        absent: Time,
    },
    /// All is well so far, and it has to stay so for a while.
    TooEarly {
        /// Until when.
        until: Time,
    },
    /// Too many failed. Only another result of one of them changes that.
    TooMany {
        /// How many failed.
        failed: u32,
        /// How many may.
        most: u32,
    },
}

/// Judges what was counted of a ring, or of its sample. Of an order that began at a time, this long after.
pub fn judge(gate: &Gate, from: Time, counted: &Counters, now: Time) -> Judged {
    let (failed, reported) = (counted.badly, counted.well + counted.badly);
    let missing = counted.missing();
    let absent = from.plus_seconds(i64::from(gate.absent_after_seconds));
    let may_fail = |of: u32| {
        let most = u64::from(of) * u64::from(gate.failures_max_ppm) / PPM;
        u32::try_from(most).unwrap_or(u32::MAX)
    };
    // Whoever is not meant is no part of what is judged; whoever is absent by rule is neither.
    let tried = reported + missing;
    if failed > may_fail(tried) {
        return Judged::TooMany { failed, most: may_fail(tried) };
    }
    let is_absent = now >= absent;
    if !is_absent && failed + missing > may_fail(tried) {
        return Judged::TooFew { missing, absent };
    }
    if is_absent && failed > may_fail(reported) {
        return Judged::TooMany { failed, most: may_fail(reported) };
    }
    // At least half of it must have been tried: else nobody was who goes first.
    if reported == 0 || u64::from(reported) * 2 < u64::from(counted.devices) {
        return Judged::TooFew { missing, absent };
    }
    let until = counted.last.unwrap_or(from).plus_seconds(i64::from(gate.soak_seconds));
    if now < until { Judged::TooEarly { until } } else { Judged::Met }
}

#[cfg(test)]
mod tests;
