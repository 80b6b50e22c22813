//! `secrets`: opened by plugins, redeemed by backends, seen by neither plugin nor record. What is stored is in the [`Vault`], what may
//! be done with it in [`Secrets`], and what was redeemed is masked by the [`Masker`] wherever it comes back.
//!
//! A secret names the places where it may be redeemed. A backend that needs one asks for it by name and place, right where it
//! is used, and drops it there.

mod keeper;
mod masker;
mod memory;
mod place;
mod vault;

pub use keeper::Secrets;
pub use masker::Masker;
pub use memory::FixtureSecret;
pub use place::{NotAPlace, Place};
pub use vault::{Listed, Vault, VaultError};

use std::sync::Arc;

use contract::types::Error;
use zeroize::Zeroizing;

/// The fewest bytes of a secret: masking a shorter one would mask half of every answer.
pub const SECRET_BYTES_MIN: usize = 6;
/// The most bytes of a secret: the longest tokens of identity providers have about 8 KiB.
pub const SECRET_BYTES_MAX: usize = 16 << 10;
/// The most places that a secret names.
pub const PLACES_MAX: usize = 64;
/// The most bytes of a secret's name.
pub const NAME_BYTES_MAX: usize = 64;

/// A secret's bytes, for as long as somebody uses them.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Over these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. They go to where the secret is used, and nowhere else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Gives secrets to the backends that use them.
pub trait Redeem: Send + Sync {
    /// The secret, if it names the place; from here on the masker knows it. `not-found` where there is none, `denied` where it
    /// is for other places (code `place`) or has expired (`secret-expired`).
    fn redeem(&self, name: &str, place: &Place) -> Result<Secret, Error>;

    /// What masks every secret redeemed here.
    fn masker(&self) -> &Arc<Masker>;
}

/// What is kept of a secret.
#[derive(Clone, Debug)]
pub struct Kept {
    /// When it was set.
    pub set_ms: u64,
    /// When it expires; none for never.
    pub expires_ms: Option<u64>,
    /// Where it may be redeemed.
    pub places: Vec<Place>,
    /// Its bytes.
    secret: Arc<Secret>,
}

/// Where secrets are kept.
trait Keep: Send + Sync {
    fn get(&self, name: &str) -> Result<Option<Kept>, VaultError>;
}

/// Whether a text can name a secret. Names are file names and stand in scopes, so they are plain.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod conformance;
