//! Every attack that a signed plugin must meet, on the whole system: through the real `remit`, none ends in a run, no byte of the guest
//! is compiled or mapped, each has its own error, and each its control.
//!
//! What is counted is counted where components are handed to wasmtime, in the process that refuses; the controls see the same counter
//! move.

mod compiling;
#[path = "../hostile/components.rs"]
#[allow(dead_code, reason = "these take a part")]
mod components;
mod documents;
mod hardware;
mod kept;
mod rows;
mod scene;
mod travel;

use std::collections::BTreeSet;

use rows::Row;
use scene::{Played, Scene};

/// The attacks, as they were asked for. Each is met by rows of that name.
#[rustfmt::skip]
const ASKED: &[&str] = &[
    "flipped byte in component", "flipped byte in manifest", "flipped byte in signature", "manifest of another plugin", "renamed",
    "older version", "other namespace's key", "expired", "not yet valid", "revoked", "retired key",
    "one person's two keys for a threshold of two", "approval for another client", "approval for fewer capabilities",
    "approval expired", "statement of another kind", "roster rolled back", "duplicate keys", "trailing data", "huge JSON",
    "deeply nested JSON", "non-canonical form", "`sk-` without touch", "tag moved between resolve and pull",
    "registry that serves other bytes", "registry that truncates", "registry that stalls",
    "registry that redirects to a private address", "tar with `..`", "tar with links", "tar with bombs", "cache file replaced",
    "a component that compiles for minutes", "a component that eats memory while compiling",
];

/// What an attack is called, and how it is played with its control.
pub(crate) type Attack = (&'static str, fn(&str));

/// What an attack meets.
pub(crate) enum Meets {
    /// The run is refused with these codes and no others.
    Codes(&'static [&'static str]),
    /// The documents are refused with these, and the run that follows with those.
    Documents(&'static [&'static str], &'static [&'static str]),
}

#[test]
fn every_attack_that_was_asked_for_has_its_row() {
    let of_rows = [rows::OF_BYTES, rows::OF_FORM, rows::OF_DOCUMENTS].into_iter().flatten().map(|row| row.of);
    let others = [travel::ATTACKS, kept::ATTACKS, compiling::ATTACKS].into_iter().flatten().map(|(of, _)| *of);
    let met: BTreeSet<&str> = of_rows.chain(others).collect();
    assert_eq!(met, ASKED.iter().copied().collect::<BTreeSet<_>>());
}

#[test]
fn bytes_that_are_not_what_was_signed_do_not_run() {
    rows::OF_BYTES.iter().for_each(check);
}

#[test]
fn a_statement_in_another_form_vouches_for_nothing() {
    rows::OF_FORM.iter().for_each(check);
}

#[test]
fn documents_that_do_not_hold_let_nothing_run() {
    rows::OF_DOCUMENTS.iter().for_each(check);
}

/// What had expired when the host last looked has expired, whatever its clock says now.
#[test]
fn a_clock_that_is_set_back_revives_nothing() {
    let scene = Scene::new();
    let place = scene.laid();
    place.lay("tidy.wasm", &scene.plugin, &scene.said.signed());
    let clock = place.remit.state().join("trust/clock");
    std::fs::write(&clock, format!("{}\n", documents::day(31))).unwrap();
    let met = place.run("tidy.wasm", "acme");
    assert_eq!(met.ran.codes(), ["expired"], "{}", met.ran);
    assert!(met.ran.stderr.contains("for what expires, that is what counts"), "{}", met.ran);
    refused_untouched("a clock set back", &met);
    std::fs::remove_file(&clock).unwrap();
    ran_once("a clock set back", &place.run("tidy.wasm", "acme"));
    assert!(clock.exists(), "and what was seen is kept");
}

fn check(row: &Row) {
    let play = |change: fn(&mut Scene)| {
        let mut scene = Scene::new();
        change(&mut scene);
        scene.play()
    };
    let met = play(row.attack);
    let (taken, refused): (&[&str], &[&str]) = match &row.meets {
        Meets::Codes(codes) => (&[], codes),
        Meets::Documents(taken, refused) => (taken, refused),
    };
    assert_eq!((&*met.taken, &*met.ran.codes()), (&*owned(taken), refused), "{}\n{}", row.of, met.ran);
    refused_untouched(row.of, &met);
    let control = play(row.control);
    assert_eq!(control.taken, [""; 0], "the control of {}", row.of);
    ran_once(row.of, &control);
}

fn owned(codes: &[&str]) -> Vec<String> {
    codes.iter().map(|&code| code.to_owned()).collect()
}

/// Nothing ran, and nothing of the guest was compiled or mapped.
pub(crate) fn refused_untouched(of: &str, played: &Played) {
    assert_eq!(played.ran.code, Some(20), "{of}\n{}", played.ran);
    assert_eq!((played.compiled, played.mapped, played.is_entered), (0, 0, false), "{of}\n{}", played.ran);
}

/// The same counter, where it runs for the first time on its machine.
pub(crate) fn ran_once(of: &str, played: &Played) {
    assert_eq!(played.ran.code, Some(0), "the control of {of}\n{}", played.ran);
    assert_eq!((played.compiled, played.mapped, played.is_entered), (1, 1, true), "the control of {of}");
}
