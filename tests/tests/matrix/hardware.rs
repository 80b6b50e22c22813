//! An authenticator in software: what a FIDO key signs.

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use ssh_key::public::{Ed25519PublicKey, KeyData, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, PublicKey, Signature, SshSig};
use trust::{Key, Kind};

const APPLICATION: &str = "ssh:";

fn authenticator() -> SigningKey {
    SigningKey::from_bytes(b"an authenticator, in software...")
}

fn data() -> KeyData {
    let public = Ed25519PublicKey(authenticator().verifying_key().to_bytes());
    KeyData::SkEd25519(SkEd25519::new(public, APPLICATION))
}

pub(crate) fn key() -> Key {
    PublicKey::new(data(), "").to_openssh().unwrap().parse().unwrap()
}

/// Its signature is over the application, the flags, a counter and the data; bit 0 of the flags says that somebody touched it.
pub(crate) fn sign(kind: Kind, statement: &[u8], flags: u8) -> String {
    let signed = SshSig::signed_data(kind.namespace(), HashAlg::Sha512, statement).unwrap();
    let counter = 7_u32.to_be_bytes();
    let mut asserted = Sha256::digest(APPLICATION).to_vec();
    asserted.push(flags);
    asserted.extend(counter);
    asserted.extend(Sha256::digest(signed));
    let mut signature = authenticator().sign(&asserted).to_bytes().to_vec();
    signature.push(flags);
    signature.extend(counter);
    let signature = Signature::new(Algorithm::SkEd25519, signature).unwrap();
    let signature = SshSig::new(data(), kind.namespace(), HashAlg::Sha512, signature).unwrap();
    signature.to_pem(LineEnding::LF).unwrap()
}
