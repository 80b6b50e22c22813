//! What a device joins with, as one word that somebody types or pastes.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Digest;
use zeroize::Zeroizing;

use crate::{Key, SessionKey, Signer};

/// What one begins with, and its form: another form has another number.
const PREFIX: &str = "remit1_";

/// Root, authority and seed.
const CONTENT_BYTES: usize = 3 * 32;

/// So many bytes of the content's hash follow it: of four billion slips of the pen one passes.
const CHECK_BYTES: usize = 4;

/// A token that devices join with: whom they are to believe, how the hub is known, and a key that lets them in.
///
/// Its text is `remit1_` and 134 characters of base64url: the fingerprint of the MSP's root, the digest of the certificate of the
/// hub's authority, the seed of an Ed25519 key, and 4 bytes of a checksum. Whoever has it may join as long as it counts, so it is
/// shown to nobody else, and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The digest of the MSP's first root statement: what the device pins.
    pub root: Digest,
    /// The digest of the CA certificate of the hub.
    pub authority: Digest,
    seed: Zeroizing<[u8; 32]>,
}

/// The text is no token. It is not repeated: it may be one that was mistyped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// Not of the form at all.
    #[error("not a token: expected `{PREFIX}` and 134 characters of base64url")]
    Form,
    /// A character is wrong, or is missing.
    #[error("the token was mistyped: its checksum does not hold")]
    Mistyped,
}

impl Token {
    /// Of 32 random bytes, which nobody else has.
    pub fn new(root: Digest, authority: Digest, seed: &[u8; 32]) -> Self {
        Self { root, authority, seed: Zeroizing::new(*seed) }
    }

    /// Its public half: what the hub, and whoever signs an admission, know of it.
    pub fn key(&self) -> Key {
        SessionKey::from_seed(&self.seed).key()
    }

    /// Signs the enrolment of a device.
    pub fn signer(&self) -> Signer {
        Signer::from_seed(&self.seed)
    }

    /// The word that is handed to whoever joins.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(CONTENT_BYTES + CHECK_BYTES));
        for part in [self.root.as_bytes(), self.authority.as_bytes(), &*self.seed] {
            bytes.extend_from_slice(part);
        }
        let check = Digest::of(&bytes);
        bytes.extend(check.as_bytes().iter().take(CHECK_BYTES));
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes));
        Zeroizing::new([PREFIX, &text].concat())
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let coded = text.trim().strip_prefix(PREFIX).ok_or(NotAToken::Form)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(coded).map_err(|_| NotAToken::Form)?);
        let (content, check) = bytes.split_at_checked(CONTENT_BYTES).ok_or(NotAToken::Form)?;
        if check.len() != CHECK_BYTES {
            return Err(NotAToken::Form);
        }
        if !Digest::of(content).as_bytes().starts_with(check) {
            return Err(NotAToken::Mistyped);
        }
        let mut parts = content.chunks_exact(32).filter_map(|it| <[u8; 32]>::try_from(it).ok());
        let mut next = || parts.next().ok_or(NotAToken::Form);
        let (root, authority) = (next()?.into(), next()?.into());
        Ok(Self { root, authority, seed: Zeroizing::new(next()?) })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.key().fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::new(Digest::of(b"root"), Digest::of(b"authority"), &[7; 32])
    }

    #[test]
    fn what_is_printed_is_read() {
        let text = token().to_text();
        assert_eq!(text.len(), PREFIX.len() + 134);
        assert_eq!(text.parse(), Ok(token()));
        assert_eq!(format!(" {}\n", *text).parse(), Ok(token()), "as it is pasted");
        assert_eq!(token().key(), token().signer().key().unwrap());
        // Made by another program; tokens of this form are read for as long as there are any.
        let (half, other) = (
            "remit1_SBNJTRN-FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7KPdv1QG7aO9x9OJ2vCjym84QA7",
            "DCydlHjegbW_wM3h6QcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHQLou0w",
        );
        assert_eq!(*text, [half, other].concat());
    }

    #[test]
    fn a_slip_of_the_pen_is_found_and_nothing_of_it_is_repeated() {
        let text = token().to_text();
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let slipped = String::from_utf8(bytes).unwrap();
            let error = slipped.parse::<Token>().unwrap_err().to_string();
            assert!(!error.contains(&slipped[10..30]), "{at}: {error}");
            assert!(text[..at].parse::<Token>().is_err(), "{at}");
        }
        assert_eq!(format!("{}AAAA", *text).parse::<Token>(), Err(NotAToken::Form));
        assert!(!format!("{:?}", token()).contains("0707"));
    }
}
