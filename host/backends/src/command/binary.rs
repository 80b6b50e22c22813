//! A binary that was looked at, and can be executed as it was looked at.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use contract::types::Error;
use model::Digest;
use rustix::fs::OFlags;

use crate::errors;

use super::Pin;
use super::template::wrong_program;

/// The most bytes of a binary: all of it is read.
const BYTES_MAX: u64 = 256 << 20;
/// Words that only an interpreter has inside, whatever its file is called.
const INTERPRETERS: &[&[u8]] = &[
    b"AWKPATH",
    b"BASH_VERSINFO",
    b"BusyBox v",
    b"LUA_INIT",
    b"NODE_OPTIONS",
    b"PERL5LIB",
    b"PHP_INI_SCAN_DIR",
    b"PYTHONHOME",
    b"RUBYLIB",
    b"TCLLIBPATH",
    b"libperl.so",
    b"libpython3",
    b"libruby",
    b"mawk %",
];
/// Words that every shell has inside, both.
const SHELL: [&[u8]; 2] = [b"getopts", b"unalias"];

/// Open, so that whatever happens to its path, this is what runs.
#[derive(Debug)]
pub(super) struct Binary {
    file: File,
    digest: Digest,
}

impl Binary {
    /// Opens a binary, and takes it only if it is what the template means.
    pub(super) fn open(path: &Path, pin: &Pin) -> Result<Self, Error> {
        // Alternatives are links: what counts is where they lead.
        let real = path.canonicalize().map_err(|error| errors::io(&path.display().to_string(), &error))?;
        if let Some(problem) = wrong_program(&real) {
            return Err(refused(&real, &problem));
        }
        if *pin == Pin::AnyRootOwned {
            check_folders(&real)?;
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(&real)
            .map_err(|error| errors::io(&real.display().to_string(), &error))?;
        let metadata = file.metadata().map_err(|error| errors::io(&real.display().to_string(), &error))?;
        check_file(&real, &metadata, pin)?;
        let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        let read = file.by_ref().take(BYTES_MAX).read_to_end(&mut content);
        read.map_err(|error| errors::io(&real.display().to_string(), &error))?;
        let digest = Digest::of(&content);
        match pin {
            Pin::Exactly(expected) if *expected != digest => {
                let message = format!("{} is {digest}, the template names {expected}", real.display());
                Err(errors::failed("digest", message))
            }
            _ => check_content(&real, &content).map(|()| Self { file, digest }),
        }
    }

    /// How to execute exactly this, as long as it is open. The child has the descriptor until it executes.
    pub(super) fn program(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

fn refused(path: &Path, problem: &str) -> Error {
    errors::failed("binary", format!("{}: {problem}", path.display()))
}

/// Nobody but root may be able to put another file in its place. In a sticky folder nobody can who does not own it.
fn check_folders(path: &Path) -> Result<(), Error> {
    for folder in path.ancestors().skip(1) {
        let metadata = folder.metadata().map_err(|error| errors::io(&folder.display().to_string(), &error))?;
        let is_sticky = metadata.mode() & 0o1000 != 0;
        if metadata.uid() != 0 || (metadata.mode() & 0o022 != 0 && !is_sticky) {
            return Err(refused(folder, "others than root may change this folder"));
        }
    }
    Ok(())
}

fn check_file(path: &Path, metadata: &Metadata, pin: &Pin) -> Result<(), Error> {
    let is_own = *pin != Pin::AnyRootOwned && metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
        return Err(refused(path, "it is no executable file"));
    }
    // Also with a digest: who can write it could do so between looking and running.
    if metadata.mode() & 0o022 != 0 || !(metadata.uid() == 0 || is_own) {
        return Err(refused(path, "others than root may change it"));
    }
    match metadata.len() > BYTES_MAX {
        true => Err(refused(path, "it is too large")),
        false => Ok(()),
    }
}

fn check_content(path: &Path, content: &[u8]) -> Result<(), Error> {
    if content.starts_with(b"#!") {
        return Err(refused(path, "it is a script: what runs would be its interpreter"));
    }
    if !content.starts_with(b"\x7fELF") {
        return Err(refused(path, "it is no program of this platform"));
    }
    let words = INTERPRETERS.iter().chain(&SHELL);
    let automaton = AhoCorasick::new(words).map_err(|error| errors::failed("binary", error.to_string()))?;
    let mut of_shells = [false; 2];
    for found in automaton.find_iter(content) {
        match found.pattern().as_usize().checked_sub(INTERPRETERS.len()) {
            None => return Err(refused(path, "it is an interpreter")),
            Some(word) => of_shells.iter_mut().skip(word).take(1).for_each(|it| *it = true),
        }
    }
    match of_shells {
        [true, true] => Err(refused(path, "it is a shell")),
        _ => Ok(()),
    }
}
