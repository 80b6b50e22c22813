//! A plugin in parts, so that it travels as documents do: each is fetched by its digest, and any of them again.

use std::collections::BTreeSet;

use model::Digest;
use serde::{Deserialize, Serialize};

/// The most bytes of a part: several fit into one answer, and little is lost where a line breaks.
pub const PART_BYTES_MAX: usize = 512 << 10;

/// The most bytes of a plugin that travels so: three times what the largest language makes. What is larger comes from a registry.
pub const PARCEL_BYTES_MAX: usize = 64 << 20;

/// The most statements that travel with a plugin, as `distribution` has it.
const ATTACHMENTS_MAX: usize = 64;

/// The most bytes of a list that is read.
const LIST_BYTES_MAX: usize = 32 << 10;

/// The form of what is written.
const FORMAT: u32 = 1;

/// What makes up a plugin. Nothing of it is believed: what comes out is what an order signed, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Parcel {
    format: u32,
    /// The plugin's digest.
    pub plugin: Digest,
    /// Its parts, in their order.
    pub parts: Vec<Digest>,
    /// What was signed about it, each as [`trust::Signed::to_text`] writes it.
    pub attachments: Vec<Digest>,
}

/// Why a plugin does not come out of a parcel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadParcel {
    /// Beyond what travels.
    #[error("it has {found} {what}: at most {most} travel")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// Not of this form, or of a newer one.
    #[error("it is no list of parts: {problem}")]
    NotRead {
        /// Why.
        problem: String,
    },
    /// Together they are something else.
    #[error("its parts are {found} together, and not {expected}")]
    OtherBytes {
        /// What they are.
        found: Digest,
        /// What it says they are.
        expected: Digest,
    },
}

impl Parcel {
    /// Takes a plugin apart: the list, and the parts in its order.
    pub fn of(plugin: &[u8], attachments: Vec<Digest>) -> Result<(Self, Vec<&[u8]>), BadParcel> {
        let parts: Vec<&[u8]> = plugin.chunks(PART_BYTES_MAX).collect();
        let digests = parts.iter().map(|it| Digest::of(it)).collect();
        let parcel = Self { format: FORMAT, plugin: Digest::of(plugin), parts: digests, attachments };
        parcel.check()?;
        Ok((parcel, parts))
    }

    /// Reads a list.
    pub fn read(bytes: &[u8]) -> Result<Self, BadParcel> {
        few("bytes", bytes.len(), LIST_BYTES_MAX)?;
        let not_read = |error: serde_json::Error| BadParcel::NotRead { problem: error.to_string() };
        let parcel: Self = serde_json::from_slice(bytes).map_err(not_read)?;
        if parcel.format != FORMAT {
            let problem = format!("it has format {}, this remit reads {FORMAT}: update remit", parcel.format);
            return Err(BadParcel::NotRead { problem });
        }
        parcel.check()?;
        Ok(parcel)
    }

    /// Its bytes: whoever has their digest can fetch it.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The plugin out of its parts, if that is what they are.
    pub fn join<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BadParcel> {
        let mut plugin = Vec::new();
        for part in parts {
            few("bytes", plugin.len() + part.len(), PARCEL_BYTES_MAX)?;
            plugin.extend_from_slice(part);
        }
        let found = Digest::of(&plugin);
        match found == self.plugin {
            true => Ok(plugin),
            false => Err(BadParcel::OtherBytes { found, expected: self.plugin }),
        }
    }

    /// Everything that there is to fetch, each once.
    pub fn documents(&self) -> BTreeSet<Digest> {
        self.parts.iter().chain(&self.attachments).copied().collect()
    }

    fn check(&self) -> Result<(), BadParcel> {
        few("parts", self.parts.len(), PARCEL_BYTES_MAX / PART_BYTES_MAX)?;
        few("statements", self.attachments.len(), ATTACHMENTS_MAX)
    }
}

fn few(what: &'static str, found: usize, most: usize) -> Result<(), BadParcel> {
    if found > most { Err(BadParcel::TooMany { what, found, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_comes_out_as_it_went_in_and_nothing_else_does() {
        let plugin: Vec<u8> = (0..PART_BYTES_MAX * 2 + 7).map(|at| (at % 251) as u8).collect();
        let (parcel, parts) = Parcel::of(&plugin, vec![Digest::of(b"a statement")]).unwrap();
        assert_eq!((parts.len(), parcel.documents().len()), (3, 4));
        let read = Parcel::read(&parcel.write()).unwrap();
        assert_eq!((&read, read.join(parts.iter().copied())), (&parcel, Ok(plugin.clone())));
        let other = [parts[1], parts[0], parts[2]];
        assert!(matches!(parcel.join(other), Err(BadParcel::OtherBytes { .. })));
        assert!(matches!(parcel.join(parts[..2].iter().copied()), Err(BadParcel::OtherBytes { .. })));
    }

    #[test]
    fn what_is_too_much_does_not_travel() {
        let largest = vec![0; PARCEL_BYTES_MAX];
        let (parcel, parts) = Parcel::of(&largest, vec![Digest::of(b""); ATTACHMENTS_MAX]).unwrap();
        assert_eq!(Parcel::read(&parcel.write()).as_ref(), Ok(&parcel), "the largest list is read");
        let more = parts.iter().copied().chain([&b"x"[..]]);
        assert!(matches!(parcel.join(more), Err(BadParcel::TooMany { what: "bytes", .. })));
        assert!(Parcel::of(&[0; PART_BYTES_MAX], vec![Digest::of(b""); ATTACHMENTS_MAX + 1]).is_err());
        let text = String::from_utf8(parcel.write()).unwrap();
        for bad in [text.replace("\"format\":1", "\"format\":2"), text.replace("sha256:", "md5:"), " ".repeat(40_000)] {
            assert!(Parcel::read(bad.as_bytes()).is_err());
        }
    }
}
