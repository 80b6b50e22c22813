//! What this program says that it is, as it stands in its own bytes: whoever signs a release reads it there without running anything,
//! so that the version that is signed is the one that the program tells.

use std::hint::black_box;

use anyhow::{Context as _, bail};
use semver::Version;

/// `state` is the newest form of the store that it reads and the one that it writes.
const STAMP: &str = concat!("remit-stamp:version=", env!("CARGO_PKG_VERSION"), ";state=3;");

/// The most bytes of a stamp.
const STAMP_BYTES_MAX: usize = 128;

/// The machine types of ELF, in the words of Rust.
const MACHINES: [(u16, &str); 2] = [(62, "x86_64"), (183, "aarch64")];

/// What a program's file says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) version: Version,
    pub(crate) state: u32,
}

/// This program's version. It is read out of the stamp, and is nowhere else.
pub(crate) fn version() -> &'static str {
    field(black_box(STAMP), "version").unwrap_or_default()
}

/// What this program is.
pub(crate) fn own() -> anyhow::Result<Stamp> {
    read(black_box(STAMP))
}

/// The machines that this program is for, as a release says it.
pub(crate) fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// What a program's bytes say of it.
pub(crate) fn of(program: &[u8]) -> anyhow::Result<Stamp> {
    let begin = black_box(STAMP).split_inclusive('=').next().unwrap_or_default().as_bytes();
    let at = program.windows(begin.len()).position(|it| it == begin).context("it is no `remit`: it has no stamp")?;
    let text = program.get(at..(at + STAMP_BYTES_MAX).min(program.len())).unwrap_or_default();
    let end = text.iter().rposition(|it| *it == b';').map_or(0, |at| at + 1);
    // What lies behind it in the file need be no text.
    let text = text.get(..end).unwrap_or_default();
    read(&String::from_utf8_lossy(text))
}

/// The machines that a program of Linux is for.
pub(crate) fn target_of(program: &[u8]) -> anyhow::Result<String> {
    if !program.starts_with(b"\x7fELF") {
        bail!("it is no program of Linux");
    }
    let machine = program.get(18..20).and_then(|it| it.try_into().ok()).map(u16::from_le_bytes);
    let known = MACHINES.iter().find(|(number, _)| Some(*number) == machine);
    known.map(|(_, name)| format!("{name}-linux")).context("it is for a machine that nobody released anything for")
}

fn read(text: &str) -> anyhow::Result<Stamp> {
    let version = field(text, "version").context("its stamp has no version")?;
    let state = field(text, "state").context("its stamp has no state")?;
    Ok(Stamp { version: version.parse().context("the version in its stamp")?, state: state.parse()? })
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(':')?;
    rest.split(';').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_what_it_is_in_its_own_bytes() {
        let own = own().unwrap();
        assert_eq!(
            (own.version.to_string().as_str(), i64::from(own.state)),
            (env!("CARGO_PKG_VERSION"), store::SCHEMA_VERSION)
        );
        let program = [b"\x7fELF\xff\0".as_slice(), STAMP.as_bytes(), b"\xff;\0"].concat();
        assert_eq!(of(&program).unwrap(), own);
        let other = String::from_utf8_lossy(STAMP.as_bytes()).replace(env!("CARGO_PKG_VERSION"), "9.9.9");
        assert_eq!(of(other.as_bytes()).unwrap().version, Version::new(9, 9, 9));
        for none in ["", "remit-stamp:", "remit-stamp:version=;state=3;", "remit-stamp:version=1.0.0;"] {
            assert!(of(none.as_bytes()).is_err(), "{none}");
        }
        let this = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(target_of(&this).unwrap(), target());
        assert!(target_of(b"#!/bin/sh").is_err());
    }
}
