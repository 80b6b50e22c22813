//! One file that is followed.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::SeekFrom;
use serde::{Deserialize, Serialize};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes of a line: what is beyond is left out.
pub(super) const LINE_BYTES_MAX: usize = 64 << 10;
/// Bytes at the beginning of a file that tell it from another.
const HEAD_BYTES: u64 = 256;

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Position {
    /// Device and inode: they stay when it is renamed.
    pub(super) id: (u64, u64),
    /// Where the first line begins that was not handed over.
    pub(super) offset: u64,
    /// Whether the line there is the rest of one that was too long.
    is_skipping: bool,
    head_bytes: u64,
    head_digest: String,
    /// When it was written last, as far as it was read.
    pub(super) modified_ns: i64,
}

/// One file.
pub(super) struct Followed {
    file: File,
    pub(super) position: Position,
    /// A line whose end is not there yet.
    begun: Vec<u8>,
    grown: Instant,
}

/// What became of a file while it was read.
pub(super) enum Read {
    /// There may be more than was asked for.
    More,
    /// It was read to its end.
    End,
    /// It begins otherwise than it did, or is shorter than what was read of it.
    Truncated,
}

impl Followed {
    /// From its beginning.
    pub(super) fn at_start(path: &Path) -> Option<Self> {
        let (file, found) = open(path)?;
        let mut followed = Self::new(file, Position { id: id(&found), ..Position::default() });
        followed.restart();
        Some(followed)
    }

    /// From the line that is its last, if that has no end yet.
    pub(super) fn at_end(path: &Path) -> Option<Self> {
        let (file, found) = open(path)?;
        let length = found.len();
        let tail = length.min(LINE_BYTES_MAX as u64);
        let mut bytes = vec![0; usize::try_from(tail).ok()?];
        file.read_exact_at(&mut bytes, length - tail).ok()?;
        let begun = bytes.iter().rev().position(|&byte| byte == b'\n').unwrap_or_default();
        let offset = length - begun as u64;
        let mut followed = Self::new(file, Position { id: id(&found), offset, ..Position::default() });
        followed.position.modified_ns = modified_ns(&found);
        followed.renew_head();
        Some(followed)
    }

    /// From where it was left.
    pub(super) fn at(path: &Path, position: Position) -> Option<Self> {
        let (file, found) = open(path)?;
        Some(Self::new(file, Position { id: id(&found), ..position }))
    }

    fn new(file: File, position: Position) -> Self {
        Self { file, position, begun: Vec::new(), grown: Instant::now() }
    }

    /// When it was written last.
    pub(super) fn modified_ns(&self) -> i64 {
        self.file.metadata().map_or(self.position.modified_ns, |found| modified_ns(&found))
    }

    /// Whether it has not grown for so long.
    pub(super) fn is_still(&self, long: Duration) -> bool {
        self.grown.elapsed() >= long
    }

    /// Whether this is how it was when it was read.
    pub(super) fn is_copied_to(position: &Position, path: &Path) -> bool {
        let Some((file, found)) = open(path) else { return false };
        let is_long_enough = position.head_bytes > 0 && found.len() >= position.offset;
        let is_later = modified_ns(&found) >= position.modified_ns;
        is_long_enough && is_later && digest(&file, position.head_bytes).as_ref() == Some(&position.head_digest)
    }

    /// Reads it from its beginning, whatever was read.
    pub(super) fn restart(&mut self) {
        self.begun.clear();
        // Who goes on writing at its old place leaves a hole before it.
        let start = rustix::fs::seek(&self.file, SeekFrom::Data(0)).unwrap_or_default();
        self.position = Position { id: self.position.id, offset: start, ..Position::default() };
        self.renew_head();
    }

    /// What is left is a line, though it has no end.
    pub(super) fn finish(&mut self, line: &mut dyn FnMut(&[u8])) {
        if !self.begun.is_empty() {
            hand_over(&self.begun, line);
        }
    }

    /// Hands over lines, as long as there is something left of what may be read.
    pub(super) fn read(&mut self, left: &mut usize, line: &mut dyn FnMut(&[u8])) -> Read {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let Ok(found) = self.file.metadata() else { return Read::End };
            let at = self.position.offset + self.begun.len() as u64;
            if found.len() < at || !self.begins_as_before() {
                return Read::Truncated;
            }
            if found.len() == at {
                return Read::End;
            }
            if *left == 0 {
                return Read::More;
            }
            let Ok(length @ 1..) = self.file.read_at(&mut chunk, at) else { return Read::End };
            // What was read may be of another beginning by now.
            if !self.begins_as_before() {
                return Read::Truncated;
            }
            self.take(chunk.get(..length).unwrap_or_default(), line);
            self.position.modified_ns = modified_ns(&found);
            self.grown = Instant::now();
            if self.position.head_bytes < HEAD_BYTES {
                self.renew_head();
            }
            *left = left.saturating_sub(length);
        }
    }

    fn take(&mut self, bytes: &[u8], line: &mut dyn FnMut(&[u8])) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let is_ended = part.ends_with(b"\n");
            if self.position.is_skipping {
                self.position.offset += part.len() as u64;
                self.position.is_skipping = !is_ended;
                continue;
            }
            self.begun.extend_from_slice(part);
            if is_ended || self.begun.len() >= LINE_BYTES_MAX {
                hand_over(&self.begun, line);
                self.position.offset += self.begun.len() as u64;
                self.position.is_skipping = !is_ended;
                self.begun.clear();
            }
        }
    }

    fn begins_as_before(&self) -> bool {
        let (length, known) = (self.position.head_bytes, &self.position.head_digest);
        length == 0 || digest(&self.file, length).as_ref() == Some(known)
    }

    fn renew_head(&mut self) {
        let length = self.file.metadata().map_or(0, |found| found.len()).min(HEAD_BYTES);
        if let Some(digest) = digest(&self.file, length) {
            self.position.head_bytes = length;
            self.position.head_digest = digest;
        }
    }
}

/// Without its end, and without the hole that may be before it.
fn hand_over(begun: &[u8], line: &mut dyn FnMut(&[u8])) {
    let start = begun.iter().position(|&byte| byte != 0).unwrap_or(begun.len());
    let text = begun.get(start..).unwrap_or_default();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    line(text.get(..LINE_BYTES_MAX).unwrap_or(text));
}

/// A file; nothing else is a log, and opening a pipe would wait.
fn open(path: &Path) -> Option<(File, Metadata)> {
    std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    let file = File::open(path).ok()?;
    let found = file.metadata().ok()?;
    Some((file, found))
}

fn id(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

pub(super) fn modified_ns(found: &Metadata) -> i64 {
    found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec())
}

/// Of so many bytes at its beginning.
fn digest(file: &File, length: u64) -> Option<String> {
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(blake3::hash(&bytes).to_hex().as_str().get(..32)?.to_owned())
}
