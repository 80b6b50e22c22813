//! An authenticator in software: what a FIDO key signs, and what `ssh-keygen` says to it.

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use ssh_key::public::{Ed25519PublicKey, KeyData, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};

use super::openssh::ssh_keygen_verifies;
use super::world::World;
use crate::{Key, Kind, Signed};

const APPLICATION: &str = "ssh:";

fn authenticator() -> SigningKey {
    SigningKey::from_bytes(b"an authenticator, in software...")
}

pub(super) fn key() -> Key {
    let public = Ed25519PublicKey(authenticator().verifying_key().to_bytes());
    Key::new(KeyData::SkEd25519(SkEd25519::new(public, APPLICATION))).unwrap()
}

/// What the authenticator says to some data: its signature is over the application, the flags, a counter, and the data. The
/// flags that are told may be others than those that were signed.
pub(super) fn assertion(data: &[u8], flags: u8, told: u8) -> Vec<u8> {
    let counter = 7_u32.to_be_bytes();
    let mut asserted = Sha256::digest(APPLICATION).to_vec();
    asserted.push(flags);
    asserted.extend(counter);
    asserted.extend(Sha256::digest(data));
    let mut signature = authenticator().sign(&asserted).to_bytes().to_vec();
    signature.push(told);
    signature.extend(counter);
    signature
}

pub(super) fn sign(kind: Kind, statement: &[u8], flags: u8, told: u8) -> String {
    let data = SshSig::signed_data(kind.namespace(), HashAlg::Sha512, statement).unwrap();
    let signature = Signature::new(Algorithm::SkEd25519, assertion(&data, flags, told)).unwrap();
    let signature = SshSig::new(key().data().clone(), kind.namespace(), HashAlg::Sha512, signature).unwrap();
    signature.to_pem(LineEnding::LF).unwrap()
}

#[test]
fn ssh_keygen_takes_the_authenticator_s_signatures_for_a_hardware_key_s() {
    let statement = World::new().said.signed().statement().to_vec();
    let with = |flags: u8, told: u8| Signed::new(statement.clone(), vec![sign(Kind::Plugin, &statement, flags, told)]);
    assert!(ssh_keygen_verifies(&with(1, 1), Kind::Plugin, &key()));
    assert!(!ssh_keygen_verifies(&with(1, 5), Kind::Plugin, &key()), "flags that were not signed");
    // OpenSSH leaves it to the key's line in a file whether it must be touched; here it must.
    assert!(ssh_keygen_verifies(&with(0, 0), Kind::Plugin, &key()));
    let codes = |it: &Signed| it.signers(Kind::Plugin).refused.iter().map(crate::Refusal::code).collect::<Vec<_>>();
    assert_eq!(codes(&with(0, 0)), ["no-touch"]);
    assert_eq!(codes(&with(1, 1)), [""; 0]);
}
