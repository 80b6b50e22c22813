//! SSHSIG, detached: what `ssh-keygen -Y sign` writes, and `ssh-keygen -Y verify` reads.

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, PublicKey, SshSig};

use crate::{Key, Kind, Refusal};

/// The most signatures that are looked at. Anybody may attach some to what lies in a registry.
pub const SIGNATURES_MAX: usize = 16;

/// The most bytes of one; those of hardware keys have some 400.
pub const SIGNATURE_BYTES_MAX: usize = 4 << 10;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// The bit that a hardware key sets when somebody touched it, and how many bytes from the end of its signature the bits are: a
/// counter comes after them.
const USER_PRESENT: u8 = 1;
const FLAGS_FROM_END: usize = 5;

/// The signatures of a file that has one or several.
pub(crate) fn split(text: &str) -> Result<Vec<String>, Refusal> {
    let none = |problem: &str| Refusal::NotASignature { problem: problem.to_owned() };
    let mut signatures = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if !rest.starts_with(BEGIN) {
            return Err(none("it does not begin like one"));
        }
        let end = rest.find(END).ok_or_else(|| none("it does not end"))? + END.len();
        let (one, after) = rest.split_at(end);
        signatures.push(format!("{one}\n"));
        if signatures.len() > SIGNATURES_MAX {
            let found = text.matches(BEGIN).count();
            return Err(Refusal::TooManySignatures { found, most: SIGNATURES_MAX });
        }
        rest = after.trim_start();
    }
    Ok(signatures)
}

/// Whose signature it is, if it is one over these bytes, for this kind, by a key of a kind that counts, which somebody touched
/// where it can be touched.
pub(crate) fn verify(kind: Kind, statement: &[u8], text: &str) -> Result<Key, Refusal> {
    let none = |problem: String| Refusal::NotASignature { problem };
    if text.len() > SIGNATURE_BYTES_MAX {
        return Err(none(format!("it has {} bytes, and at most {SIGNATURE_BYTES_MAX} are read", text.len())));
    }
    let signature = SshSig::from_pem(text).map_err(|error| none(error.to_string()))?;
    let key = Key::new(signature.public_key().clone()).map_err(|problem| Refusal::KeyKind { problem })?;
    if signature.namespace() != kind.namespace() {
        let found = signature.namespace().chars().filter(|it| !it.is_control()).take(64).collect();
        return Err(Refusal::OtherNamespace { wanted: kind.namespace(), found });
    }
    // The library looks at the key's algorithm, and takes the signature's word for its own.
    let is_of_key = signature.algorithm() == key.data().algorithm();
    let public = PublicKey::from(KeyData::clone(key.data()));
    if !is_of_key || public.verify(kind.namespace(), statement, &signature).is_err() {
        return Err(Refusal::BadSignature { key: key.fingerprint() });
    }
    if signature.algorithm() == Algorithm::SkEd25519 {
        let flags = signature.signature_bytes().iter().rev().nth(FLAGS_FROM_END - 1);
        if flags.is_none_or(|flags| flags & USER_PRESENT == 0) {
            return Err(Refusal::NoTouch { key: key.fingerprint() });
        }
    }
    Ok(key)
}
