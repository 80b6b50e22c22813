//! What a root keeps of what was replaced or removed: a folder in the root itself, `.remit-quarantine`, because only what
//! stays on one file system can be moved whole and at once. It belongs to the host's own user and nobody else may enter (0700);
//! a folder of that name that somebody else made is refused, not adopted.
//!
//! Each entry of it is a whole file, link or folder as it was: its owner, mode, times, extended attributes and other names come along
//! when it is renamed. What the quarantine must know of it is its name, so there is nothing beside it that could be lost:
//! when, how many bytes on disk, which run, and a number. The folder goes when the last of them does.

use cap_fs_ext::DirExt;
use cap_std::fs::Dir;
use contract::files::EntryKind;
use contract::types::Error;
use rustix::fs::{
    AtFlags, Mode, RenameFlags, Timespec, Timestamps, UTIME_OMIT, fsync, futimens, mkdirat, renameat_with, unlinkat,
};
use rustix::io::Errno;
use store::fail;

use crate::errors;
use crate::files::{QUARANTINE, QuarantinePolicy, quarantine_full};

use super::Job;
use super::remove::erase;
use super::root::{Root, Stamp, Stat, io, open_listing};

/// The most that is let go at once because its time is over.
const LET_GO_MAX: usize = 1_000;

/// An open quarantine.
pub(super) struct Quarantine<'a> {
    root: &'a Root,
    pub(super) dir: Dir,
    policy: &'a QuarantinePolicy,
    run: String,
    now_ms: u64,
    /// The oldest first.
    kept: Vec<Kept>,
    next: u32,
}

/// One thing that is kept.
struct Kept {
    name: String,
    at_ms: u64,
    bytes: u64,
    is_own: bool,
}

impl Kept {
    /// Out of its name: time, bytes, number, run.
    fn parse(name: &str, run: &str) -> Option<Self> {
        let mut fields = name.splitn(4, '-');
        let at_ms = fields.next()?.parse().ok()?;
        let bytes = fields.next()?.parse().ok()?;
        let _number: u32 = fields.next()?.parse().ok()?;
        Some(Self { name: name.to_owned(), at_ms, bytes, is_own: fields.next()? == run })
    }
}

impl<'a> Quarantine<'a> {
    /// Opens it, makes it if need be, and lets go what was kept long enough.
    pub(super) fn open(root: &'a Root, job: &'a Job) -> Result<Self, Error> {
        let dir = open_or_make(root)?;
        let run = file_name_part(&job.run);
        let mut kept: Vec<Kept> = names(&dir)?.iter().filter_map(|name| Kept::parse(name, &run)).collect();
        kept.sort_by(|a, b| (a.at_ms, &a.name).cmp(&(b.at_ms, &b.name)));
        let mut quarantine =
            Self { root, dir, policy: &job.policy.files.quarantine, run, now_ms: job.now_ms, kept, next: 0 };
        let retention_ms = quarantine.policy.retention_ms;
        let is_over = |kept: &Kept| kept.at_ms.saturating_add(retention_ms) <= job.now_ms;
        // What is over and left here goes when it is opened next: nobody waits for a quarantine to be emptied.
        for _ in 0..LET_GO_MAX {
            if !quarantine.kept.first().is_some_and(is_over) || job.patience.is_over() {
                break;
            }
            quarantine.let_go(0)?;
        }
        Ok(quarantine)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Makes room for so many bytes, the oldest going first, and says how many bytes that freed.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<u64, Error> {
        let bytes_max = self.policy.bytes_max;
        let can_go: u64 = self.kept.iter().filter(|kept| !kept.is_own).map(|kept| kept.bytes).sum();
        let held: u64 = self.kept.iter().map(|kept| kept.bytes).sum();
        if held.saturating_sub(can_go).saturating_add(bytes) > bytes_max {
            return Err(quarantine_full(bytes, bytes_max));
        }
        let mut freed = 0;
        while self.is_pressed(bytes) {
            let Some(oldest) = self.kept.iter().position(|kept| !kept.is_own) else { break };
            freed += self.let_go(oldest)?;
        }
        Ok(freed)
    }

    /// Whether something should go for so many more bytes to come. What moves here takes no room on the disk that it had not.
    fn is_pressed(&self, bytes: u64) -> bool {
        let held: u64 = self.kept.iter().map(|kept| kept.bytes).sum();
        let free =
            rustix::fs::fstatvfs(&self.dir).map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize));
        held.saturating_add(bytes) > self.policy.bytes_max || free < self.policy.free_bytes_min
    }

    fn let_go(&mut self, at: usize) -> Result<u64, Error> {
        let kept = self.kept.remove(at);
        let name = std::ffi::CString::new(kept.name).unwrap_or_default();
        erase(&self.dir, &name)
    }

    /// A name that nothing has, for something of so many bytes.
    pub(super) fn name(&mut self, bytes: u64) -> Result<String, Error> {
        loop {
            let name = format!("{:013}-{bytes}-{}-{}", self.now_ms, self.next, self.run);
            self.next += 1;
            if Stat::of(&self.dir, &name)?.is_none() {
                return Ok(name);
            }
        }
    }

    /// Takes something in under such a name, whole and at once.
    pub(super) fn take_in(&mut self, folder: &Dir, name: &str, kept: &str, bytes: u64) -> Result<(), Error> {
        swap(folder, name, &self.dir, kept, RenameFlags::NOREPLACE)?;
        self.note(kept, bytes);
        Ok(())
    }

    /// Gives back what was taken in, where nobody put something in its place meanwhile.
    pub(super) fn give_back(&mut self, kept: &str, folder: &Dir, name: &str) -> Result<(), Error> {
        swap(&self.dir, kept, folder, name, RenameFlags::NOREPLACE)?;
        self.kept.retain(|known| known.name != kept);
        Ok(())
    }

    /// Counts what is there by now.
    pub(super) fn note(&mut self, kept: &str, bytes: u64) {
        self.kept.push(Kept { name: kept.to_owned(), at_ms: self.now_ms, bytes, is_own: true });
    }

    /// Removes for good something that is not to be kept after all, and says how many bytes the disk has back.
    pub(super) fn drop_kept(&mut self, kept: &str) -> Result<u64, Error> {
        self.kept.retain(|known| known.name != kept);
        let name = std::ffi::CString::new(kept).unwrap_or_default();
        erase(&self.dir, &name)
    }

    /// Leaves nothing behind where nothing is kept.
    pub(super) fn close(self) {
        let before = Stat::of_dir(&self.root.dir);
        fail::point("files.before-change");
        if unlinkat(&self.root.dir, QUARANTINE, AtFlags::REMOVEDIR).is_ok()
            && let Ok(before) = before
        {
            put_back_modified(&self.root.dir, before.modified);
        }
    }
}

/// Moves a name to another, or swaps the two, and has the disk know it.
pub(super) fn swap(from: &Dir, from_name: &str, to: &Dir, to_name: &str, flags: RenameFlags) -> Result<(), Error> {
    fail::point("files.before-change");
    renameat_with(from, from_name, to, to_name, flags).map_err(|error| match error {
        Errno::EXIST => errors::conflict("exists", format!("`{to_name}` is there by now")),
        Errno::INVAL | Errno::NOSYS => {
            errors::failed("rename-flags", "this file system cannot rename without replacing")
        }
        error => io(from_name, error),
    })?;
    fail::point("files.after-change");
    sync(from)?;
    sync(to)
}

/// Has the disk know what names a folder holds.
pub(super) fn sync(folder: &Dir) -> Result<(), Error> {
    // A handle for walking cannot be synchronised, one for listing can.
    let listing = open_listing(folder, c".").map_err(|error| io("a folder", error))?;
    fsync(listing).map_err(|error| io("a folder", error))
}

/// Sets when a folder was last written, as it was before the host put something of its own there or took it away.
pub(super) fn put_back_modified(folder: &Dir, modified: Stamp) {
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: omit, last_modification: modified.timespec() };
    // Only looks: what was changed is changed all the same.
    if let Ok(listing) = open_listing(folder, c".") {
        let _ = futimens(listing, &times);
    }
}

fn open_or_make(root: &Root) -> Result<Dir, Error> {
    let before = Stat::of_dir(&root.dir)?;
    fail::point("files.before-change");
    match mkdirat(&root.dir, QUARANTINE, Mode::RWXU) {
        Ok(()) => put_back_modified(&root.dir, before.modified),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(io(QUARANTINE, error)),
    }
    let not_ours = |what: &str| errors::failed("quarantine-not-ours", format!("`{QUARANTINE}` in the root is {what}"));
    let dir = root.dir.open_dir_nofollow(QUARANTINE).map_err(|_| not_ours("no folder"))?;
    let stat = Stat::of_dir(&dir)?;
    let is_ours = stat.kind == EntryKind::Folder && stat.uid == rustix::process::geteuid().as_raw();
    match is_ours && stat.mode & 0o077 == 0 && !stat.is_mount_point {
        true => Ok(dir),
        false => Err(not_ours("somebody else's, or open to others")),
    }
}

fn names(dir: &Dir) -> Result<Vec<String>, Error> {
    let listing = open_listing(dir, c".").map_err(|error| io(QUARANTINE, error))?;
    let listing = rustix::fs::Dir::new(listing).map_err(|error| io(QUARANTINE, error))?;
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| io(QUARANTINE, error))?;
        names.extend(entry.file_name().to_str().ok().map(str::to_owned));
    }
    Ok(names)
}

/// A run's id is `run_` and a ULID; whatever else somebody may use stays a part of a file's name.
fn file_name_part(run: &str) -> String {
    run.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect()
}
