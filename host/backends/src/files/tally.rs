//! What is below a folder, added up, and whether it may be removed: one rule for what is real and what is planned.

use std::collections::BTreeMap;

use contract::files::{Entry, EntryKind, Usage};
use contract::types::Error;

use crate::attributes::find;
use crate::errors;

use super::path::RelPath;
use super::{WALK_DEPTH_MAX, WALK_ENTRIES_MAX, limit, other_file_system};

/// What counts about one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) kind: EntryKind,
    pub(super) size_bytes: u64,
    pub(super) modified_ms: u64,
    pub(super) changed_ms: u64,
    pub(super) allocated_bytes: u64,
    /// How many names it has.
    pub(super) links: u64,
    /// What all of its names share.
    pub(super) inode: Option<u64>,
    /// Whether another file system begins here.
    pub(super) is_mount_point: bool,
}

impl Meta {
    /// Out of an entry as a backend lists it.
    pub(super) fn of(entry: &Entry) -> Self {
        let number = |name: &str| find(&entry.attributes, name).and_then(|value| value.parse::<u64>().ok());
        Self {
            kind: entry.kind,
            size_bytes: entry.size_bytes,
            modified_ms: entry.modified_ms,
            changed_ms: number("changed-ms").unwrap_or(entry.modified_ms),
            allocated_bytes: number("allocated-bytes").unwrap_or(entry.size_bytes),
            links: number("links").unwrap_or(1),
            inode: number("inode"),
            is_mount_point: find(&entry.attributes, "mount-point") == Some("true"),
        }
    }

    /// Whether its content outlives this name. A folder's links are its folders.
    fn has_other_names(&self) -> bool {
        self.links > 1 && self.kind != EntryKind::Folder
    }

    /// When it was last written, as a guard takes it. A file that is moved or unpacked here keeps an old time of its own, but
    /// not of the change. A folder's own times say only that a name came or went; and those of a file with several names
    /// move when one of the others goes, so there only the content counts.
    fn written_ms(&self) -> u64 {
        match self.kind {
            EntryKind::Folder => 0,
            _ if self.has_other_names() => self.modified_ms,
            _ => self.modified_ms.max(self.changed_ms),
        }
    }
}

/// An entry, and all that is below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    entries: u64,
    size_bytes: u64,
    pub(super) allocated_bytes: u64,
    /// What the disk would have back: a file with several names only where all of them are here.
    pub(super) freed_bytes: u64,
    newest_ms: Option<u64>,
    oldest_ms: Option<u64>,
    written_ms: u64,
    pub(super) mount_points: u64,
    pub(super) skipped: u32,
    pub(super) truncated: bool,
    /// Files with several names, and how many of them were seen.
    inodes: BTreeMap<u64, u64>,
}

impl Tally {
    /// Adds one entry.
    pub(super) fn add(&mut self, meta: &Meta) {
        self.entries += 1;
        self.size_bytes += meta.size_bytes;
        let seen = match meta.inode {
            Some(inode) if meta.has_other_names() => {
                let seen = self.inodes.entry(inode).or_default();
                *seen += 1;
                *seen
            }
            _ => 1,
        };
        self.allocated_bytes += if seen == 1 { meta.allocated_bytes } else { 0 };
        if !meta.has_other_names() || seen == meta.links {
            self.freed_bytes += meta.allocated_bytes;
        }
        if meta.kind != EntryKind::Folder {
            self.newest_ms = self.newest_ms.max(Some(meta.modified_ms));
            self.oldest_ms = Some(self.oldest_ms.map_or(meta.modified_ms, |oldest| oldest.min(meta.modified_ms)));
        }
        self.written_ms = self.written_ms.max(meta.written_ms());
        self.mount_points += u64::from(meta.is_mount_point);
    }

    /// Out of an answer of `get-usage`.
    pub(super) fn of(usage: &Usage) -> Self {
        let number = |name: &str| find(&usage.attributes, name).and_then(|value| value.parse::<u64>().ok());
        Self {
            entries: usage.entries,
            size_bytes: usage.size_bytes,
            allocated_bytes: usage.allocated_bytes,
            freed_bytes: number("freed-bytes").unwrap_or(usage.allocated_bytes),
            newest_ms: number("newest-ms"),
            oldest_ms: number("oldest-ms"),
            written_ms: number("written-ms").unwrap_or_default(),
            mount_points: number("mount-points").unwrap_or_default(),
            skipped: number("skipped").and_then(|skipped| u32::try_from(skipped).ok()).unwrap_or_default(),
            truncated: usage.truncated,
            inodes: BTreeMap::new(),
        }
    }

    /// As `get-usage` answers.
    pub(super) fn usage(&self) -> Usage {
        let mut attributes = vec![("skipped".to_owned(), self.skipped.to_string())];
        let mut add = |name: &str, value: Option<u64>| {
            attributes.extend(value.map(|value| (name.to_owned(), value.to_string())));
        };
        add("newest-ms", self.newest_ms);
        add("oldest-ms", self.oldest_ms);
        add("written-ms", (self.written_ms > 0).then_some(self.written_ms));
        add("mount-points", Some(self.mount_points));
        add("freed-bytes", Some(self.freed_bytes));
        Usage {
            entries: self.entries,
            size_bytes: self.size_bytes,
            allocated_bytes: self.allocated_bytes,
            truncated: self.truncated,
            attributes,
        }
    }
}

/// Something that is to be removed: the entry, and what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doomed {
    pub(super) meta: Meta,
    pub(super) below: Tally,
}

impl Doomed {
    /// In the words of `before`.
    pub(super) fn state(&self) -> String {
        match self.meta.kind {
            EntryKind::File => format!("file {} bytes", self.meta.size_bytes),
            EntryKind::Folder => format!("folder {} entries {} bytes", self.below.entries, self.below.size_bytes),
            kind => kind.word().to_owned(),
        }
    }

    /// Bytes on disk, all of it.
    pub(super) fn allocated_bytes(&self) -> u64 {
        self.meta.allocated_bytes + self.below.allocated_bytes
    }

    /// Bytes on disk that its removal would free.
    pub(super) fn freed_bytes(&self) -> u64 {
        let own = if self.meta.has_other_names() { 0 } else { self.meta.allocated_bytes };
        own + self.below.freed_bytes
    }

    /// Whether it is as it was when it was looked at the first time, its own name aside.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.state() == other.state()
            && self.meta.inode == other.meta.inode
            && self.meta.modified_ms == other.meta.modified_ms
            && self.below == other.below
    }

    /// Whether it may go: all of it was seen, it lies on one file system, and nothing in it was written since.
    pub(super) fn check(&self, path: &RelPath, unchanged_since_ms: u64) -> Result<(), Error> {
        if self.meta.is_mount_point || self.below.mount_points > 0 {
            return Err(other_file_system(path.as_str()));
        }
        if self.below.truncated {
            let most = format!("more than {WALK_ENTRIES_MAX} entries, {WALK_DEPTH_MAX} levels or the time for a call");
            return Err(limit("too-large", format!("`{path}` holds {most}: remove parts of it")));
        }
        if self.below.skipped > 0 {
            let message = format!("`{path}` holds {} entries that cannot be read or named", self.below.skipped);
            return Err(errors::conflict("unreadable-inside", message));
        }
        let written_ms = self.meta.written_ms().max(self.below.written_ms);
        if written_ms > unchanged_since_ms {
            return Err(errors::conflict(
                "changed-since",
                format!("`{path}` was written at {written_ms}, after the guard"),
            )
            .with("written-ms", written_ms.to_string()));
        }
        Ok(())
    }
}
