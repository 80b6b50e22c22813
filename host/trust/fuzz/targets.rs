//! What is fuzzed, as plain functions: libFuzzer calls them for ten minutes each in `cargo xtask soak`, and in `cargo xtask test` they
//! get the corpus. None may panic, whatever the bytes, and what is read must be what was written.

use model::Manifest;
use trust::statement::{
    Admission, AgentRelease, Approval, Assignment, Enrolment, Hub, Index, Order, Pause, Plugin, Policy, Report,
    Revocation, Root, Roster, Rotation, Secret, Session, read, write,
};
use trust::{Kind, Signed, Statement};

/// A statement of any kind.
pub(crate) fn statement(bytes: &[u8]) {
    once::<Root>(bytes);
    once::<Roster>(bytes);
    once::<Policy>(bytes);
    once::<Assignment>(bytes);
    once::<Rotation>(bytes);
    once::<Approval>(bytes);
    once::<Plugin>(bytes);
    once::<Revocation>(bytes);
    once::<Index>(bytes);
    once::<Order>(bytes);
    once::<Pause>(bytes);
    once::<Admission>(bytes);
    once::<Enrolment>(bytes);
    once::<Session>(bytes);
    once::<Report>(bytes);
    once::<Hub>(bytes);
    once::<AgentRelease>(bytes);
    once::<Secret>(bytes);
}

fn once<T: Statement>(bytes: &[u8]) {
    if let Ok(read) = read::<T>(bytes) {
        assert_eq!(write(read.created, &read.body).ok().as_deref(), Some(bytes), "one meaning, one form");
    }
}

/// A statement with its signatures.
pub(crate) fn signed(bytes: &[u8]) {
    if let Ok(signed) = Signed::from_text(bytes) {
        assert_eq!(Signed::from_text(&signed.to_text()).as_ref(), Ok(&signed));
        drop(signed.signers(signed.kind().unwrap_or(Kind::Plugin)));
    }
}

/// The manifest of a plugin.
pub(crate) fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::from_section(bytes) {
        let again = Manifest::from_section(&manifest.to_section()).map(|it| (it.plugin, it.capabilities));
        // A schema may have floats, which are read nearly as they were written.
        assert_eq!(again, Ok((manifest.plugin, manifest.capabilities)));
    }
}
