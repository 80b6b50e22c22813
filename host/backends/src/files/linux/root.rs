//! A root as a handle, and single steps from a handle to a name in it. Nothing here takes a path of more than one part, and
//! no step follows a link, so no step leads out, whatever is swapped meanwhile.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use cap_fs_ext::DirExt;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use contract::files::{Entry, EntryKind};
use contract::types::Error;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxAttributes, StatxFlags, StatxTimestamp, openat, statx};
use rustix::io::Errno;
use rustix::path::Arg;
use serde::{Deserialize, Serialize};

use crate::errors;
use crate::files::path::RelPath;
use crate::files::tally::Meta;
use crate::files::{is_link, no_root, nothing_at, other_file_system, wrong_kind};

use super::owners::Owners;

/// An open root.
pub(super) struct Root {
    pub(super) dir: Dir,
}

impl Root {
    /// Opens the folder that host policy names: the only step with a path of the machine.
    pub(super) fn open(name: &str, path: Option<&PathBuf>) -> Result<Self, Error> {
        let path = path.ok_or_else(|| no_root(name))?;
        match Dir::open_ambient_dir(path, ambient_authority()) {
            Ok(dir) => Ok(Self { dir }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(no_root(name)),
            Err(error) => Err(errors::io(&format!("root `{name}`"), &error)),
        }
    }

    /// A folder below it.
    pub(super) fn folder(&self, path: &RelPath) -> Result<Dir, Error> {
        let mut dir = self.dir.try_clone().map_err(|error| errors::io("the root", &error))?;
        let mut walked = String::new();
        for part in path.parts() {
            walked.push_str(if walked.is_empty() { "" } else { "/" });
            walked.push_str(part);
            dir = match dir.open_dir_nofollow(part) {
                Ok(next) => next,
                Err(error) => return Err(why_no_folder(&dir, part, &walked, &error)),
            };
        }
        Ok(dir)
    }

    /// The folder and the name of what is to be changed: not on another file system, where it could be neither kept nor put back.
    pub(super) fn place<'a>(&self, path: &'a RelPath) -> Result<(Dir, &'a str), Error> {
        for above in path.above() {
            if Stat::of_dir(&self.folder(&above)?)?.is_mount_point {
                return Err(other_file_system(above.as_str()));
            }
        }
        let Some((folder, name)) = path.split() else {
            return Err(errors::invalid("path", "the root itself is only read"));
        };
        Ok((self.folder(&folder)?, name))
    }

    /// What is at a path; none where nothing is.
    pub(super) fn stat(&self, path: &RelPath) -> Result<Option<Stat>, Error> {
        let Some((folder, name)) = path.split() else { return Stat::of_dir(&self.dir).map(Some) };
        match self.folder(&folder) {
            Ok(folder) => Stat::of(&folder, name),
            Err(error) if error.code == "not-found" || error.code == "kind" => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn why_no_folder(dir: &Dir, part: &str, walked: &str, error: &std::io::Error) -> Error {
    match Stat::of(dir, part) {
        Ok(None) => nothing_at(walked),
        Ok(Some(Stat { kind: EntryKind::Link, .. })) => is_link(walked),
        Ok(Some(Stat { kind: EntryKind::Folder, .. })) => errors::io(walked, error),
        Ok(Some(found)) => wrong_kind(walked, "folder", found.kind),
        Err(error) => error,
    }
}

/// A time to the nanosecond, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stamp {
    pub(super) s: i64,
    pub(super) ns: u32,
}

impl Stamp {
    fn of(stamp: StatxTimestamp) -> Self {
        Self { s: stamp.tv_sec, ns: stamp.tv_nsec }
    }

    /// Since 1970; what is before it is 0.
    pub(super) fn ms(self) -> u64 {
        u64::try_from(self.s).map_or(0, |s| s.saturating_mul(1_000) + u64::from(self.ns) / 1_000_000)
    }

    pub(super) fn timespec(self) -> rustix::fs::Timespec {
        rustix::fs::Timespec { tv_sec: self.s, tv_nsec: i64::from(self.ns) }
    }
}

/// What the kernel says about one entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) kind: EntryKind,
    pub(super) size_bytes: u64,
    pub(super) modified: Stamp,
    pub(super) changed: Stamp,
    pub(super) accessed: Stamp,
    created: Option<Stamp>,
    pub(super) allocated_bytes: u64,
    pub(super) links: u64,
    pub(super) inode: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) is_mount_point: bool,
}

impl Stat {
    /// Of a name in a folder; none where nothing is. Never of what a link leads to.
    pub(super) fn of(folder: impl AsFd, name: impl Arg + Copy) -> Result<Option<Self>, Error> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        match statx(folder, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME) {
            Ok(found) => Ok(Some(Self::from(&found))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(io(&name.to_string_lossy(), error)),
        }
    }

    /// Of what a handle is open on.
    pub(super) fn of_dir(handle: impl AsFd) -> Result<Self, Error> {
        statx(handle, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | StatxFlags::BTIME)
            .map(|found| Self::from(&found))
            .map_err(|error| io("a handle", error))
    }

    /// What tallies count.
    pub(super) fn meta(&self) -> Meta {
        Meta {
            kind: self.kind,
            size_bytes: self.size_bytes,
            modified_ms: self.modified.ms(),
            changed_ms: self.changed.ms(),
            allocated_bytes: self.allocated_bytes,
            links: self.links,
            inode: Some(self.inode),
            is_mount_point: self.is_mount_point,
        }
    }

    /// As a guest sees it.
    pub(super) fn entry(&self, path: &str, owners: &Owners) -> Entry {
        let mut attributes = vec![
            ("accessed-ms".to_owned(), self.accessed.ms().to_string()),
            ("changed-ms".to_owned(), self.changed.ms().to_string()),
            ("owner".to_owned(), owners.user(self.uid)),
            ("group".to_owned(), owners.group(self.gid)),
            ("mode".to_owned(), format!("{:04o}", self.mode & 0o7777)),
            ("allocated-bytes".to_owned(), self.allocated_bytes.to_string()),
            ("links".to_owned(), self.links.to_string()),
            ("inode".to_owned(), self.inode.to_string()),
        ];
        attributes.extend(self.created.map(|created| ("created-ms".to_owned(), created.ms().to_string())));
        if self.is_mount_point && !path.is_empty() {
            attributes.push(("mount-point".to_owned(), "true".to_owned()));
        }
        let modified_ms = self.modified.ms();
        Entry { path: path.to_owned(), kind: self.kind, size_bytes: self.size_bytes, modified_ms, attributes }
    }
}

impl From<&Statx> for Stat {
    fn from(found: &Statx) -> Self {
        let kind = match FileType::from_raw_mode(found.stx_mode.into()) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Folder,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        };
        let has_birth = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
        Self {
            kind,
            size_bytes: if kind == EntryKind::File { found.stx_size } else { 0 },
            modified: Stamp::of(found.stx_mtime),
            changed: Stamp::of(found.stx_ctime),
            accessed: Stamp::of(found.stx_atime),
            created: has_birth.then(|| Stamp::of(found.stx_btime)),
            allocated_bytes: found.stx_blocks.saturating_mul(512),
            links: found.stx_nlink.into(),
            inode: found.stx_ino,
            uid: found.stx_uid,
            gid: found.stx_gid,
            mode: found.stx_mode.into(),
            is_mount_point: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        }
    }
}

/// Opens for reading without moving the access time, where the kernel lets us: for the owner and for root. Anybody else can read
/// only as everybody does.
fn open_quietly(folder: impl AsFd, name: impl Arg + Copy, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match openat(&folder, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(&folder, name, flags, Mode::empty()),
        opened => opened,
    }
}

/// Opens a folder of a folder for listing; `.` is the folder itself.
pub(super) fn open_listing(folder: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    open_quietly(folder, name, OFlags::DIRECTORY)
}

/// Opens a file for reading. Whether it is one is asked first, because opening a device can already do something, and again
/// after, because it may have been swapped.
pub(super) fn open_file(folder: &Dir, name: &str, path: &RelPath) -> Result<(std::fs::File, Stat), Error> {
    let check = |stat: Stat| match stat.kind {
        EntryKind::File => Ok(stat),
        EntryKind::Link => Err(is_link(path.as_str())),
        found => Err(wrong_kind(path.as_str(), "file", found)),
    };
    check(Stat::of(folder, name)?.ok_or_else(|| nothing_at(path.as_str()))?)?;
    let file = open_quietly(folder, name, OFlags::NONBLOCK | OFlags::NOCTTY).map_err(|error| match error {
        Errno::NOENT => nothing_at(path.as_str()),
        Errno::LOOP => is_link(path.as_str()),
        error => io(path.as_str(), error),
    })?;
    let stat = check(Stat::of_dir(&file)?)?;
    Ok((std::fs::File::from(file), stat))
}

/// What the kernel said.
pub(super) fn io(what: &str, error: Errno) -> Error {
    errors::io(&format!("`{what}`"), &error.into())
}
