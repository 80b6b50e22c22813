//! Who signed the documents of a host's folder: worked out when they are first read there, and kept by the digest of their very
//! bytes. A host that keeps a thousand revocations would verify a thousand signatures at each start otherwise.
//!
//! It lies beside the pin, and has no seal of its own: whoever may write there can pin another root.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::Digest;
use serde::{Deserialize, Serialize};

use crate::file;
use crate::{Key, Kind, Signed};

/// A folder's 10,000 documents of each kind come to less.
const BYTES_MAX: usize = 32 << 20;

/// As it lies in its file. Another version of this program may know better who signed, and works it out again.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    version: String,
    keys: Vec<Key>,
    /// By document, the places of its keys in the list.
    signed: BTreeMap<Digest, Vec<usize>>,
}

/// What is known, and what was met that is not.
pub(crate) struct Known {
    path: PathBuf,
    signed: BTreeMap<Digest, Vec<Key>>,
    /// What was read since, known or not.
    met: BTreeMap<Digest, Vec<Key>>,
}

impl Known {
    /// Out of its file. What cannot be read is as good as nothing.
    pub(crate) fn read(path: PathBuf) -> Self {
        let bytes = file::read_at_most(&path, BYTES_MAX).unwrap_or_default();
        let written: Written = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut signed = BTreeMap::new();
        if written.version == env!("CARGO_PKG_VERSION") {
            for (digest, at) in &written.signed {
                let keys: Option<Vec<Key>> = at.iter().map(|&at| written.keys.get(at).cloned()).collect();
                signed.extend(keys.map(|keys| (*digest, keys)));
            }
        }
        Self { path, signed, met: BTreeMap::new() }
    }

    /// A document of the folder, out of all its bytes, with those who signed it. One that not every signature of it holds for is
    /// looked at each time.
    pub(crate) fn meet(&mut self, kind: Kind, bytes: &[u8], mut signed: Signed) -> Signed {
        let digest = Digest::of(bytes);
        let keys = match self.signed.get(&digest) {
            Some(keys) => keys.clone(),
            None => {
                let signers = signed.signers(kind);
                if signers.keys.is_empty() || !signers.refused.is_empty() {
                    return signed;
                }
                signers.keys
            }
        };
        self.met.insert(digest, keys.clone());
        signed.know(kind, keys);
        signed
    }

    /// Keeps what was met, where that is not what was known. Where it cannot be kept, it is worked out again.
    pub(crate) fn keep(self) {
        if self.met == self.signed {
            return;
        }
        let mut written = Written { version: env!("CARGO_PKG_VERSION").to_owned(), ..Written::default() };
        for (digest, keys) in self.met {
            let mut place = |key: Key| {
                let at = written.keys.iter().position(|it| *it == key);
                at.unwrap_or_else(|| {
                    written.keys.push(key);
                    written.keys.len() - 1
                })
            };
            let places = keys.into_iter().map(&mut place).collect();
            written.signed.insert(digest, places);
        }
        let _ = file::replace(&self.path, &serde_json::to_vec(&written).unwrap_or_default());
    }
}
