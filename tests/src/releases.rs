//! Releases of the agent for tests: the next version, and one that is not well.

use std::fs;
use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::package;

/// How a program's own version stands in its bytes.
const STAMP: &str = "remit-stamp:version=";

/// The `remit` of this repository under another version of as many letters: it tells that one, because it is what stands in its own bytes.
/// All else in it is the same, so what a test upgrades to is as well as what it upgrades from.
pub fn next(program: &Path, version: &str, to: &Path) {
    package::strip(program, to);
    let mut bytes = fs::read(to).unwrap();
    let old = format!("{STAMP}{};", package::version_of(to));
    let new = format!("{STAMP}{version};");
    assert_eq!(old.len(), new.len(), "a version of as many letters");
    let starts: Vec<usize> = find(&bytes, old.as_bytes());
    assert_eq!(starts.len(), 1, "one stamp");
    bytes[starts[0]..starts[0] + new.len()].copy_from_slice(new.as_bytes());
    fs::write(to, bytes).unwrap();
    assert_eq!(package::version_of(to), version);
}

/// A program that says that it is this version, and ends at once where it is to work.
pub fn failing(version: &str, to: &Path) {
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo remit {version} && exit 0\nexit 1\n");
    fs::write(to, script).unwrap();
}

/// The statement of a release of these bytes, as `remit release sign` would write it of a program: what is left is to sign it.
pub fn statement(program: &Path, version: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let bytes = fs::read(program).unwrap();
    let mut statement = json!({
        "created": "2026-01-01T00:00:00Z", "expires": "2049-01-01T00:00:00Z", "kind": "release", "format": 1,
        "version": version, "from": "0.0.0", "state": 3, "target": format!("{}-linux", std::env::consts::ARCH),
        "digest": format!("sha256:{}", hex::encode(Sha256::digest(&bytes))), "size-bytes": bytes.len(),
    });
    change(&mut statement);
    statement.to_string()
}

fn find(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    let starts = bytes.iter().enumerate().filter(|(_, it)| **it == what[0]).map(|(at, _)| at);
    starts.filter(|at| bytes[*at..].starts_with(what)).collect()
}
