use std::ffi::CStr;

use cap_std::fs::Dir;
use contract::Undo;
use contract::files::EntryKind;
use contract::files_erase::Erasure;
use contract::files_write::Removal;
use contract::types::{Change, Effect, Error};
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;
use store::fail;

use crate::errors;
use crate::files::path::RelPath;
use crate::files::tally::Doomed;
use crate::files::{WALK_DEPTH_MAX, limit, other_file_system, out_of_time};

use super::Job;
use super::quarantine::Quarantine;
use super::root::{Root, Stamp, Stat, io, open_listing};
use super::undo::{Did, Token};
use super::walk::doomed;

/// Something that was moved out of its place, whole and at once.
struct Taken {
    seen: Doomed,
    kept: String,
    bytes: u64,
    inode: u64,
    folder: Dir,
    folder_before: Stamp,
}

/// What is removed in one call: the quarantine is opened with the first thing that is there.
struct Removing<'a> {
    job: &'a Job,
    root: &'a Root,
    unchanged_since_ms: u64,
    quarantine: Option<Quarantine<'a>>,
}

impl<'a> Removing<'a> {
    fn new(job: &'a Job, root: &'a Root, unchanged_since_ms: u64) -> Self {
        Self { job, root, unchanged_since_ms, quarantine: None }
    }

    fn quarantine(&mut self) -> Result<&mut Quarantine<'a>, Error> {
        match &mut self.quarantine {
            Some(quarantine) => Ok(quarantine),
            opened => Ok(opened.insert(Quarantine::open(self.root, self.job)?)),
        }
    }

    /// Moves one thing to the quarantine, if it may go; none where nothing is. `make_room` is asked before it comes.
    fn take(
        &mut self,
        path: &RelPath,
        make_room: impl FnOnce(&mut Quarantine<'_>, u64) -> Result<(), Error>,
    ) -> Result<Option<Taken>, Error> {
        if self.job.patience.is_over() {
            return Err(out_of_time());
        }
        let Some(stat) = self.root.stat(path)? else { return Ok(None) };
        let (folder, name) = self.root.place(path)?;
        let (patience, unchanged_since_ms) = (&self.job.patience, self.unchanged_since_ms);
        let seen = doomed(&folder, name, &stat, patience)?;
        seen.check(path, unchanged_since_ms)?;
        let folder_before = Stat::of_dir(&folder)?.modified;
        let bytes = seen.allocated_bytes();
        let quarantine = self.quarantine()?;
        make_room(quarantine, bytes)?;
        let kept = quarantine.name(bytes)?;
        quarantine.take_in(&folder, name, &kept, bytes)?;
        let moved = Stat::of(&quarantine.dir, &kept)?
            .ok_or_else(|| errors::failed("vanished", format!("`{path}` is not where it was moved to")))?;
        if !doomed(&quarantine.dir, &kept, &moved, patience)?.is_as(&seen) {
            quarantine.give_back(&kept, &folder, name)?;
            return Err(errors::conflict("changed-since", format!("`{path}` was written while it was removed")));
        }
        Ok(Some(Taken { seen, kept, bytes, inode: stat.inode, folder, folder_before }))
    }

    fn close(self) {
        if let Some(quarantine) = self.quarantine {
            quarantine.close();
        }
    }
}

/// Removes for undoing.
pub(super) fn to_quarantine(
    job: &Job,
    root_name: &str,
    paths: &[RelPath],
    unchanged_since_ms: u64,
) -> Result<(Vec<Removal>, Vec<Undo>), Error> {
    let root = job.root(root_name)?;
    let mut removing = Removing::new(job, &root, unchanged_since_ms);
    let mut keep = |path: &RelPath, removal: &mut Removal| -> Result<Option<Undo>, Error> {
        let freed_bytes = &mut removal.freed_bytes;
        let make_room = |quarantine: &mut Quarantine<'_>, bytes| {
            *freed_bytes = quarantine.make_room(bytes)?;
            Ok(())
        };
        let Some(taken) = removing.take(path, make_room)? else { return Ok(None) };
        removal.quarantined_bytes = taken.bytes;
        removal.change = Change::new(Effect::Changed, Some(taken.seen.state()), None);
        let did = Did::Removed { kept: taken.kept, inode: taken.inode };
        Token::new(root_name, path, &removal.change, taken.folder_before, &taken.folder, did).map(|it| Some(it.undo()))
    };
    let (mut removals, mut undos) = (Vec::new(), Vec::new());
    for path in paths {
        let mut removal = Removal {
            path: path.as_str().to_owned(),
            change: Change::unchanged(None),
            quarantined_bytes: 0,
            freed_bytes: 0,
            error: None,
        };
        match keep(path, &mut removal) {
            Ok(undo) => undos.extend(undo),
            Err(error) => removal.error = Some(error),
        }
        removals.push(removal);
    }
    removing.close();
    Ok((removals, undos))
}

/// Removes for good: out of its place at once, so that nobody sees half of a folder, and then off the disk. What cannot be taken
/// off the disk, or was not when the machine stopped, expires with the quarantine.
pub(super) fn for_good(
    job: &Job,
    root_name: &str,
    paths: &[RelPath],
    unchanged_since_ms: u64,
) -> Result<Vec<Erasure>, Error> {
    let root = job.root(root_name)?;
    let mut removing = Removing::new(job, &root, unchanged_since_ms);
    let mut erase_one = |path: &RelPath, erasure: &mut Erasure| -> Result<(), Error> {
        let Some(taken) = removing.take(path, |_, _| Ok(()))? else { return Ok(()) };
        erasure.change = Change::new(Effect::Changed, Some(taken.seen.state()), None);
        erasure.freed_bytes = removing.quarantine()?.drop_kept(&taken.kept)?;
        Ok(())
    };
    let mut erasures = Vec::new();
    for path in paths {
        let mut erasure =
            Erasure { path: path.as_str().to_owned(), change: Change::unchanged(None), freed_bytes: 0, error: None };
        erasure.error = erase_one(path, &mut erasure).err();
        erasures.push(erasure);
    }
    removing.close();
    Ok(erasures)
}

/// Removes a name and all that is below it, and says how many bytes the disk has back. Stops at a mount point.
pub(super) fn erase(folder: &Dir, name: &CStr) -> Result<u64, Error> {
    fail::point("files.before-change");
    let freed = erase_level(folder, name, 0)?;
    fail::point("files.after-change");
    Ok(freed)
}

fn erase_level(folder: &Dir, name: &CStr, depth: u32) -> Result<u64, Error> {
    let shown = name.to_string_lossy();
    let Some(stat) = Stat::of(folder, name)? else { return Ok(0) };
    if stat.is_mount_point {
        return Err(other_file_system(&shown));
    }
    if stat.kind != EntryKind::Folder {
        return match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) => Ok(if stat.links > 1 { 0 } else { stat.allocated_bytes }),
            Err(Errno::NOENT) => Ok(0),
            Err(error) => Err(io(&shown, error)),
        };
    }
    if depth > WALK_DEPTH_MAX {
        return Err(limit("too-deep", format!("more than {WALK_DEPTH_MAX} levels below `{shown}`")));
    }
    let listing = open_listing(folder, name).map_err(|error| io(&shown, error))?;
    let mut names = Vec::new();
    let inside = Dir::from_std_file(listing.into());
    let listing = open_listing(&inside, c".").and_then(rustix::fs::Dir::new).map_err(|error| io(&shown, error))?;
    for entry in listing {
        let entry = entry.map_err(|error| io(&shown, error))?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    let mut freed = stat.allocated_bytes;
    for name in names {
        freed += erase_level(&inside, &name, depth + 1)?;
    }
    unlinkat(folder, name, AtFlags::REMOVEDIR).map_err(|error| io(&shown, error))?;
    Ok(freed)
}
