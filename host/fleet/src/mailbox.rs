//! A device's mailbox: one document, replaced whole, that says what there is to look at.

use model::Digest;
use serde::{Deserialize, Serialize};

use crate::Proof;

/// The most bytes of a mailbox: what every bus carries in one message.
pub const MAILBOX_BYTES_MAX: usize = 64 << 10;

/// The most orders: with the longest proofs they fit.
pub const ORDERS_MAX: usize = 32;

/// The most trust documents, and the most pauses. Fewer fit beside many orders: what does not is posted later.
const DIGESTS_MAX: usize = 256;

/// The form of what is written. A newer hub adds fields that an older agent can do without, or writes a higher number.
const FORMAT: u32 = 1;

/// What there is for a device to look at. Nothing in it is believed: it names signed documents by their digests, and has what
/// shows that an order is meant for this device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Mailbox {
    /// Root, roster, policies, approvals, revocations, the device's assignment, and whatever else it should take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<Digest>,
    /// Orders that hold. One that is no longer here and has not begun is not begun; one that stands ends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Posted>,
    /// Pauses that hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Digest>,
    /// The hub came out of a backup, and this is which time: whatever a device told since, and still has, it tells again, once for
    /// each such word. What the hub has of it, it knows again. None where it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<Digest>,
}

/// An order for the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Posted {
    /// The signed order.
    pub order: Digest,
    /// The device's ring, from 0 on, and that it is in it. None where the order has no rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<Seat>,
    /// The certificate that the ring before met its gate. None for the first ring, or where it did not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Digest>,
    /// The list of the plugin's parts ([`Parcel`](crate::Parcel)). None where a device has the plugin, or gets it elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parcel: Option<Digest>,
}

/// A device's place in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seat {
    /// Which ring, from 0 on.
    pub ring: u32,
    /// That the device is in it.
    pub proof: Proof,
}

/// What is read first: whether the rest can be.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    trust: &'a [Digest],
    orders: &'a [Posted],
    pauses: &'a [Digest],
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<Digest>,
}

/// Why a mailbox is not read. What the device knew before still holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMailbox {
    /// Looked at no further.
    #[error("it has {bytes} bytes: at most {MAILBOX_BYTES_MAX} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not of this form.
    #[error("it is no mailbox: {problem}")]
    NotRead {
        /// Why.
        problem: String,
    },
    /// From a newer hub.
    #[error("it has format {found}, this remit reads {FORMAT}: update remit")]
    UnsupportedVersion {
        /// Its format.
        found: u32,
    },
    /// More than a device looks at.
    #[error("it has {found} {what}: at most {most} are looked at")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many there may be.
        most: usize,
    },
}

impl Mailbox {
    /// Reads one. An empty one is a device's first.
    pub fn read(bytes: &[u8]) -> Result<Self, BadMailbox> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if bytes.len() > MAILBOX_BYTES_MAX {
            return Err(BadMailbox::TooLarge { bytes: bytes.len() });
        }
        let not_read = |error: serde_json::Error| BadMailbox::NotRead { problem: error.to_string() };
        let Form { format } = serde_json::from_slice(bytes).map_err(not_read)?;
        if format != FORMAT {
            return Err(BadMailbox::UnsupportedVersion { found: format });
        }
        let mailbox: Self = serde_json::from_slice(bytes).map_err(not_read)?;
        mailbox.check()?;
        Ok(mailbox)
    }

    /// Its bytes; or that it has more than a device would read.
    pub fn write(&self) -> Result<Vec<u8>, BadMailbox> {
        self.check()?;
        let Self { trust, orders, pauses, restored } = self;
        let written = Written { format: FORMAT, trust, orders, pauses, restored: *restored };
        let bytes = serde_json::to_vec(&written).map_err(|error| BadMailbox::NotRead { problem: error.to_string() })?;
        match bytes.len() > MAILBOX_BYTES_MAX {
            true => Err(BadMailbox::TooLarge { bytes: bytes.len() }),
            false => Ok(bytes),
        }
    }

    fn check(&self) -> Result<(), BadMailbox> {
        let counts = [
            ("trust documents", self.trust.len(), DIGESTS_MAX),
            ("orders", self.orders.len(), ORDERS_MAX),
            ("pauses", self.pauses.len(), DIGESTS_MAX),
        ];
        match counts.into_iter().find(|(_, found, most)| found > most) {
            Some((what, found, most)) => Err(BadMailbox::TooMany { what, found, most }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(count: usize) -> Vec<Digest> {
        (0..count).map(|at| Digest::of(&at.to_be_bytes())).collect()
    }

    fn largest() -> Mailbox {
        let proof = Proof { leaf: crate::RING_DEVICES_MAX - 1, path: digests(20) };
        let posted = Posted {
            order: Digest::of(b"order"),
            ring: Some(Seat { ring: 15, proof }),
            gate: Some(Digest::of(b"gate")),
            parcel: Some(Digest::of(b"parcel")),
        };
        Mailbox {
            trust: digests(64),
            orders: vec![posted; ORDERS_MAX],
            pauses: digests(32),
            restored: Some(Digest::of(b"restored")),
        }
    }

    #[test]
    fn the_largest_one_fits_and_reads_the_same() {
        let bytes = largest().write().unwrap();
        assert_eq!(Mailbox::read(&bytes), Ok(largest()));
        assert_eq!(Mailbox::read(b""), Ok(Mailbox::default()));
        assert_eq!(Mailbox::read(&Mailbox::default().write().unwrap()), Ok(Mailbox::default()));
    }

    #[test]
    fn what_is_wrong_is_not_read() {
        let good = String::from_utf8(largest().write().unwrap()).unwrap();
        for (what, bytes) in [
            ("not JSON", good.replacen('{', "[", 1)),
            ("no format", "{}".to_owned()),
            ("a newer form", good.replacen("\"format\":1", "\"format\":2", 1)),
            ("a digest that is none", good.replacen("sha256:", "md5:", 1)),
            ("a ring that is no number", good.replacen("\"ring\":15", "\"ring\":-1", 1)),
            ("too long", format!("{good}{}", " ".repeat(MAILBOX_BYTES_MAX))),
            ("nested", "[".repeat(MAILBOX_BYTES_MAX)),
        ] {
            assert_ne!(bytes, good, "{what}");
            assert!(Mailbox::read(bytes.as_bytes()).is_err(), "{what}");
        }
        // What a newer hub adds is left out.
        let newer = good.replacen('{', "{\"greeting\":\"hello\",", 1);
        assert_eq!(Mailbox::read(newer.as_bytes()), Ok(largest()));
        for change in [
            (|it| it.orders.push(it.orders[0].clone())) as fn(&mut Mailbox),
            |it| *it = Mailbox { trust: digests(DIGESTS_MAX + 1), ..Mailbox::default() },
            |it| *it = Mailbox { pauses: digests(DIGESTS_MAX + 1), ..Mailbox::default() },
            |it| it.pauses = digests(DIGESTS_MAX),
        ] {
            let mut mailbox = largest();
            change(&mut mailbox);
            assert!(mailbox.write().is_err(), "{:?}", mailbox.write().map(|it| it.len()));
        }
    }
}
