//! Takes back what `files-write` did, where nothing was written since: then `conflict`, and all stays as it is.

use std::os::fd::OwnedFd;

use cap_std::fs::Dir;
use contract::Undo;
use contract::types::{Change, Effect, Error};
use rustix::fs::{Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT, fsync, ftruncate, futimens, openat};
use serde::{Deserialize, Serialize};
use store::fail;

use crate::errors;
use crate::files::path::RelPath;

use super::Job;
use super::quarantine::{Quarantine, put_back_modified, swap};
use super::root::{Root, Stamp, Stat, io, open_listing};
use super::write::remove_empty;

/// What undoing needs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Token {
    root: String,
    path: String,
    before: Option<String>,
    after: Option<String>,
    /// When the folder was last written, before and after.
    folder_before: Stamp,
    folder_after: Stamp,
    did: Did,
}

/// What was done.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub(super) enum Did {
    /// Folders, each in the one before it.
    Made { made: Vec<String> },
    /// A file where there was none.
    Created { now: Identity },
    /// A file in the place of another, which is kept.
    Replaced { kept: String, now: Identity },
    /// More at the end of a file.
    Appended { bytes_before: u64, modified_before: Stamp, now: Identity },
    /// Anything, which is kept.
    Removed { kept: String, inode: u64 },
}

/// By what one knows that nobody wrote to a file since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Identity {
    inode: u64,
    size_bytes: u64,
    modified: Stamp,
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { inode: stat.inode, size_bytes: stat.size_bytes, modified: stat.modified }
    }
}

impl Token {
    pub(super) fn new(
        root: &str,
        path: &RelPath,
        change: &Change,
        folder_before: Stamp,
        folder: &Dir,
        did: Did,
    ) -> Result<Self, Error> {
        Ok(Self {
            root: root.to_owned(),
            path: path.as_str().to_owned(),
            before: change.before.clone(),
            after: change.after.clone(),
            folder_before,
            folder_after: Stat::of_dir(folder)?.modified,
            did,
        })
    }

    pub(super) fn undo(self) -> Undo {
        let target = crate::files::target(&self.root, &self.path);
        Undo { target, token: serde_json::to_value(self).unwrap_or_default() }
    }

    pub(super) fn parse(undo: &Undo) -> Result<Self, Error> {
        serde_json::from_value(undo.token.clone()).map_err(|error| errors::failed("undo-token", error.to_string()))
    }
}

pub(super) fn undo(job: &Job, token: &Token) -> Result<Change, Error> {
    let path = RelPath::parse(&token.path)?.not_the_root()?;
    let root = job.root(&token.root)?;
    let (folder, name) = root.place(&path)?;
    let folder_now = Stat::of_dir(&folder)?.modified;
    let place = Place { root: &root, path: &path, folder: &folder, name };
    match &token.did {
        Did::Made { made } => unmake(&root, made)?,
        Did::Appended { bytes_before, modified_before, now } => place.shorten(*bytes_before, *modified_before, now)?,
        Did::Created { now } => place.with_quarantine(job, |quarantine| {
            place.check_unchanged(now)?;
            let kept = quarantine.name(0)?;
            quarantine.take_in(&folder, name, &kept, 0)?;
            if place.is_kept(quarantine, &kept, now)? {
                return quarantine.drop_kept(&kept).map(|_| ());
            }
            quarantine.give_back(&kept, &folder, name)?;
            Err(place.newer())
        })?,
        Did::Replaced { kept, now } => place.with_quarantine(job, |quarantine| {
            place.check_unchanged(now)?;
            place.check_kept(quarantine, kept, None)?;
            swap(&quarantine.dir, kept, &folder, name, RenameFlags::EXCHANGE)?;
            if place.is_kept(quarantine, kept, now)? {
                return quarantine.drop_kept(kept).map(|_| ());
            }
            swap(&quarantine.dir, kept, &folder, name, RenameFlags::EXCHANGE)?;
            Err(place.newer())
        })?,
        Did::Removed { kept, inode } => place.with_quarantine(job, |quarantine| {
            place.check_kept(quarantine, kept, Some(*inode))?;
            quarantine.give_back(kept, &folder, name)
        })?,
    }
    if folder_now == token.folder_after {
        put_back_modified(&folder, token.folder_before);
    }
    Ok(Change::new(Effect::Changed, token.after.clone(), token.before.clone()))
}

/// Where something is to be taken back.
struct Place<'a> {
    root: &'a Root,
    path: &'a RelPath,
    folder: &'a Dir,
    name: &'a str,
}

impl Place<'_> {
    fn newer(&self) -> Error {
        errors::conflict("changed-since", format!("`{}` is not as it was left: somebody wrote to it since", self.path))
    }

    fn check_unchanged(&self, now: &Identity) -> Result<(), Error> {
        match Stat::of(self.folder, self.name)? {
            Some(stat) if Identity::of(&stat) == *now => Ok(()),
            _ => Err(self.newer()),
        }
    }

    /// Refuses where what was kept is gone by now.
    fn check_kept(&self, quarantine: &Quarantine<'_>, kept: &str, inode: Option<u64>) -> Result<(), Error> {
        let is_a_name = !kept.contains('/') && !matches!(kept, "" | "." | "..");
        match Stat::of(&quarantine.dir, kept)?.filter(|_| is_a_name) {
            Some(stat) if inode.is_none_or(|inode| stat.inode == inode) => Ok(()),
            _ => Err(errors::conflict("expired", format!("what was at `{}` is no longer kept", self.path))),
        }
    }

    fn is_kept(&self, quarantine: &Quarantine<'_>, kept: &str, now: &Identity) -> Result<bool, Error> {
        Ok(Stat::of(&quarantine.dir, kept)?.is_some_and(|stat| Identity::of(&stat) == *now))
    }

    fn with_quarantine(
        &self,
        job: &Job,
        undo: impl FnOnce(&mut Quarantine<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut quarantine = Quarantine::open(self.root, job)?;
        let undone = undo(&mut quarantine);
        quarantine.close();
        undone
    }

    /// Cuts off what was appended.
    fn shorten(&self, bytes_before: u64, modified_before: Stamp, now: &Identity) -> Result<(), Error> {
        let shown = self.path.as_str();
        self.check_unchanged(now)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: OwnedFd = openat(self.folder, self.name, flags, Mode::empty()).map_err(|error| io(shown, error))?;
        if Identity::of(&Stat::of_dir(&file)?) != *now {
            return Err(self.newer());
        }
        fail::point("files.before-change");
        ftruncate(&file, bytes_before).map_err(|error| io(shown, error))?;
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let times = Timestamps { last_access: omit, last_modification: modified_before.timespec() };
        futimens(&file, &times).map_err(|error| io(shown, error))?;
        fsync(&file).map_err(|error| io(shown, error))?;
        fail::point("files.after-change");
        Ok(())
    }
}

/// Removes folders that were made, if there is nothing in them but each other.
fn unmake(root: &Root, made: &[String]) -> Result<(), Error> {
    let made = made.iter().map(|path| RelPath::parse(path)).collect::<Result<Vec<_>, _>>()?;
    for (at, path) in made.iter().enumerate() {
        let next = made.get(at + 1).and_then(RelPath::split).map(|(_, name)| name);
        let listing = open_listing(root.folder(path)?, c".").and_then(rustix::fs::Dir::new);
        for entry in listing.map_err(|error| io(path.as_str(), error))? {
            let entry = entry.map_err(|error| io(path.as_str(), error))?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") && next.map(str::as_bytes) != Some(name) {
                return Err(errors::conflict("not-empty", format!("somebody put something into `{path}` since")));
            }
        }
    }
    made.iter().rev().try_for_each(|path| remove_empty(root, path))
}
