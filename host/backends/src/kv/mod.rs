//! `kv`, `kv-write`: small values that a plugin keeps on the device. Documents, one collection a plugin; the twin in memory
//! is the same over a store in memory.

mod documents;
mod overlay;

pub use documents::Documents;
pub use overlay::Overlay;

use contract::types::Error;

use crate::errors;

/// The most bytes of a key.
const KEY_BYTES_MAX: usize = 255;
/// The most bytes of a value: a note, not a file.
const VALUE_BYTES_MAX: usize = 64 << 10;
/// The most keys in one answer.
const KEYS_MAX: usize = 1_000;

fn check_key(key: &str) -> Result<(), Error> {
    match key.len() {
        1..=KEY_BYTES_MAX => Ok(()),
        length => Err(errors::invalid("key", format!("a key has 1 to {KEY_BYTES_MAX} bytes, this one {length}"))),
    }
}

fn check_value(value: &str) -> Result<(), Error> {
    match value.len() {
        1..=VALUE_BYTES_MAX => Ok(()),
        length => Err(errors::invalid("value", format!("a value has 1 to {VALUE_BYTES_MAX} bytes, this one {length}"))),
    }
}

/// A revision as `before` and `after` have it.
fn revision(revision: Option<u64>) -> Option<String> {
    revision.map(|revision| revision.to_string())
}

#[cfg(test)]
mod conformance;
