//! `files`, `files-write`, `files-erase`: folders that host policy or the command line gave a name, and nothing outside them.
//!
//! In goes a root's name and a path below it; no path of the machine crosses. The real backend walks from folder to folder by
//! handles, follows no link, and reads without moving an access time, because a dry run may not either. What it replaces or
//! removes goes to a quarantine in the root (`linux/quarantine.rs`). Overlay and twin are the same planned tree, over a real
//! base and over one that is empty.
#![cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "some of what is shared only the real backend asks"))]

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
mod memory;
mod overlay;
mod path;
mod planned;
mod selection;
mod tally;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Files, let_go_expired};
#[cfg(target_os = "linux")]
pub use linux::{Files, let_go_expired};
pub use memory::{Fixture, FixtureEntry, FixtureKind, Memory};
pub use overlay::Overlay;

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::files::EntryKind;
use contract::files_write::WriteMode;
use contract::types::{Error, ErrorKind};
use serde::Deserialize;

use crate::errors;

use path::RelPath;

/// The most bytes of a file's content in one call, in or out: a page of a log, not a disk image.
const CONTENT_BYTES_MAX: usize = 1 << 20;
/// The most lines of a tail; the bytes are bounded too.
const LINES_MAX: u32 = 10_000;
/// The most entries in one answer, and paths in one call: what fits into the bytes of a call.
const PAGE_ENTRIES_MAX: u32 = 10_000;
/// The most entries that one walk looks at: some seconds.
const WALK_ENTRIES_MAX: u64 = 1_000_000;
/// The most levels below a folder: each holds a file descriptor and a stack frame.
const WALK_DEPTH_MAX: u32 = 64;
/// The largest file that is hashed: about ten seconds.
const HASH_BYTES_MAX: u64 = 4 << 30;
/// A folder, in the words of `before` and `after`.
const FOLDER: &str = "folder";
/// Where a root keeps what was replaced or removed. Reserved at every depth, because a root may lie inside another.
const QUARANTINE: &str = ".remit-quarantine";

/// What host policy says about files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// Folders by the name under which plugins know them.
    pub roots: BTreeMap<String, PathBuf>,
    /// What each root keeps of what was replaced or removed.
    pub quarantine: QuarantinePolicy,
}

/// How much a root keeps of what was replaced or removed, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct QuarantinePolicy {
    /// The most bytes on disk; what does not fit into it alone is not removed.
    pub bytes_max: u64,
    /// How long at most.
    pub retention_ms: u64,
    /// What should stay free on the file system: below it the oldest expires first.
    pub free_bytes_min: u64,
}

impl Default for QuarantinePolicy {
    /// Four gigabytes hold a month of rotated logs on most machines; a week lets a person come back from a weekend; and a disk
    /// with less than half a gigabyte free needs the space more than the past.
    fn default() -> Self {
        Self { bytes_max: 4 << 30, retention_ms: 7 * 24 * 60 * 60 * 1_000, free_bytes_min: 512 << 20 }
    }
}

/// What a write does, after what is there was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Create,
    Replace,
    Append,
}

/// What a write comes to where `found` is there.
fn decide_write(path: &RelPath, mode: WriteMode, found: Option<EntryKind>) -> Result<Write, Error> {
    match (mode, found) {
        (_, None) => Ok(Write::Create),
        (WriteMode::Create, Some(found)) => {
            Err(errors::conflict("exists", format!("`{path}` is there already: a {}", found.word())))
        }
        (_, Some(EntryKind::Link)) => Err(is_link(path.as_str())),
        (WriteMode::Replace, Some(EntryKind::File)) => Ok(Write::Replace),
        (WriteMode::Append, Some(EntryKind::File)) => Ok(Write::Append),
        (_, Some(found)) => Err(wrong_kind(path.as_str(), "file", found)),
    }
}

fn check_content(content: &[u8]) -> Result<(), Error> {
    match content.len() {
        0..=CONTENT_BYTES_MAX => Ok(()),
        length => Err(errors::invalid("content", format!("at most {CONTENT_BYTES_MAX} bytes at once, not {length}"))),
    }
}

fn check_read_length(length: u32) -> Result<usize, Error> {
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= CONTENT_BYTES_MAX)
        .ok_or_else(|| errors::invalid("length", format!("at most {CONTENT_BYTES_MAX} bytes at once, not {length}")))
}

fn check_lines(lines: u32) -> Result<usize, Error> {
    match lines {
        1..=LINES_MAX => Ok(usize::try_from(lines).unwrap_or(usize::MAX)),
        _ => Err(errors::invalid("lines", format!("1 to {LINES_MAX} lines, not {lines}"))),
    }
}

fn check_hashable(path: &RelPath, size_bytes: u64) -> Result<(), Error> {
    match size_bytes {
        0..=HASH_BYTES_MAX => Ok(()),
        _ => {
            Err(limit("too-large", format!("`{path}` has {size_bytes} bytes, and at most {HASH_BYTES_MAX} are hashed")))
        }
    }
}

/// The paths of a removal. One that is malformed refuses the call before anything was removed; so does the root itself.
fn check_paths(paths: &[String]) -> Result<Vec<RelPath>, Error> {
    if paths.len() > usize::try_from(PAGE_ENTRIES_MAX).unwrap_or(usize::MAX) {
        return Err(errors::invalid("paths", format!("at most {PAGE_ENTRIES_MAX} paths at once, not {}", paths.len())));
    }
    paths.iter().map(|path| RelPath::parse(path).and_then(RelPath::not_the_root)).collect()
}

/// The last lines of a text. A newline at the very end ends the last line and begins none.
fn last_lines(text: &[u8], lines: usize) -> String {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let newlines = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let start = newlines.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or(0);
    String::from_utf8_lossy(text.get(start..).unwrap_or_default()).into_owned()
}

/// What an effect is about, as the record names it: the root and the path below it.
pub fn target(root: &str, path: &str) -> String {
    format!("{root}/{path}")
}

fn no_root(name: &str) -> Error {
    errors::not_found(format!("this machine has no root `{name}`"))
}

fn nothing_at(path: &str) -> Error {
    errors::not_found(format!("nothing is at `{path}`"))
}

fn is_link(path: &str) -> Error {
    errors::conflict("link", format!("`{path}` is a link, and links are not followed"))
}

fn wrong_kind(path: &str, wanted: &str, found: EntryKind) -> Error {
    errors::conflict("kind", format!("`{path}` is no {wanted} (found: {})", found.word()))
}

fn other_file_system(path: &str) -> Error {
    errors::conflict(
        "other-file-system",
        format!("`{path}` is or holds a mount point: name that file system as a root of its own"),
    )
}

fn quarantine_full(bytes: u64, bytes_max: u64) -> Error {
    let message = format!("{bytes} bytes do not fit into the quarantine of {bytes_max} beside what this run put there");
    limit("quarantine-full", message)
}

fn limit(code: &str, message: String) -> Error {
    Error::new(ErrorKind::Limit, code, message)
}

fn out_of_time() -> Error {
    Error::new(ErrorKind::Timeout, "call-time", "the time for this call ran out before this path")
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod undoing;
