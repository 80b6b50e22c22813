use std::io::Write as _;

use cap_std::fs::Dir;
use contract::Undo;
use contract::files::EntryKind;
use contract::files_write::{MakeFolder, WriteFile};
use contract::types::{Change, Effect, Error};
use model::Digest;
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr, fsetxattr,
    mkdirat, openat, unlinkat,
};
use rustix::io::Errno;
use sha2::Digest as _;
use store::fail;

use crate::errors;
use crate::files::path::RelPath;
use crate::files::{FOLDER, Write, decide_write, other_file_system, wrong_kind};

use super::Job;
use super::quarantine::{Quarantine, swap, sync};
use super::read::hash;
use super::root::{Root, Stat, io, open_file};
use super::undo::{Did, Identity, Token};

/// The most bytes that the names of a file's extended attributes take, and each value: the kernel's own limit.
const XATTR_BYTES_MAX: usize = 64 << 10;

/// One write, after the arguments were looked through.
struct Writing<'a> {
    job: &'a Job,
    root: &'a Root,
    path: &'a RelPath,
    folder: Dir,
    name: &'a str,
    call: &'a WriteFile,
}

pub(super) fn file(job: &Job, call: &WriteFile) -> Result<(Change, Vec<Undo>), Error> {
    let path = RelPath::parse(&call.path)?.not_the_root()?;
    let root = job.root(&call.root)?;
    let (folder, name) = root.place(&path)?;
    let found = Stat::of(&folder, name)?;
    let write = decide_write(&path, call.mode, found.as_ref().map(|stat| stat.kind))?;
    if found.is_some_and(|stat| stat.is_mount_point) {
        return Err(other_file_system(path.as_str()));
    }
    let folder_before = Stat::of_dir(&folder)?.modified;
    let writing = Writing { job, root: &root, path: &path, folder, name, call };
    let (change, did) = match write {
        Write::Create => writing.create()?,
        Write::Replace => writing.replace()?,
        Write::Append => writing.append()?,
    };
    let undo = match did {
        Some(did) => vec![Token::new(&call.root, &path, &change, folder_before, &writing.folder, did)?.undo()],
        None => Vec::new(),
    };
    Ok((change, undo))
}

impl Writing<'_> {
    fn create(&self) -> Result<(Change, Option<Did>), Error> {
        let mut quarantine = Quarantine::open(self.root, self.job)?;
        let temporary = quarantine.name(0)?;
        let made = self
            .finish_temporary(&quarantine, &temporary, None)
            .and_then(|()| swap(&quarantine.dir, &temporary, &self.folder, self.name, RenameFlags::NOREPLACE));
        let made = made.inspect_err(|_| {
            let _ = quarantine.drop_kept(&temporary);
        });
        quarantine.close();
        made?;
        let after = Digest::of(&self.call.content).to_string();
        let change = Change::new(Effect::Changed, None, Some(after));
        Ok((change, Some(Did::Created { now: self.identity()? })))
    }

    fn replace(&self) -> Result<(Change, Option<Did>), Error> {
        let (old, seen) = open_file(&self.folder, self.name, self.path)?;
        let before =
            format!("sha256:{}", hex::encode(hash(&old, seen.size_bytes, self.path, &self.job.patience)?.finalize()));
        let after = Digest::of(&self.call.content).to_string();
        if before == after {
            return Ok((Change::unchanged(Some(before)), None));
        }
        let mut quarantine = Quarantine::open(self.root, self.job)?;
        let kept = self.exchange(&mut quarantine, &old, &seen);
        quarantine.close();
        let did = Did::Replaced { kept: kept?, now: self.identity()? };
        Ok((Change::new(Effect::Changed, Some(before), Some(after)), Some(did)))
    }

    /// Puts the new file in the place of the old one, at once, and keeps the old one.
    fn exchange(&self, quarantine: &mut Quarantine<'_>, old: &std::fs::File, seen: &Stat) -> Result<String, Error> {
        quarantine.make_room(seen.allocated_bytes)?;
        let kept = quarantine.name(seen.allocated_bytes)?;
        let swapped = self
            .finish_temporary(quarantine, &kept, Some((old, seen)))
            .and_then(|()| swap(&self.folder, self.name, &quarantine.dir, &kept, RenameFlags::EXCHANGE));
        let taken = swapped.and_then(|()| Stat::of(&quarantine.dir, &kept));
        match taken {
            Ok(Some(taken)) if Identity::of(&taken) == Identity::of(seen) => {
                quarantine.note(&kept, seen.allocated_bytes);
                Ok(kept)
            }
            Ok(_) => {
                swap(&self.folder, self.name, &quarantine.dir, &kept, RenameFlags::EXCHANGE)?;
                quarantine.drop_kept(&kept)?;
                Err(written_meanwhile(self.path))
            }
            Err(error) => {
                let _ = quarantine.drop_kept(&kept);
                Err(error)
            }
        }
    }

    /// Writes the content to a file of the quarantine, as the one that it will replace, and has the disk know it.
    fn finish_temporary(
        &self,
        quarantine: &Quarantine<'_>,
        name: &str,
        like: Option<(&std::fs::File, &Stat)>,
    ) -> Result<(), Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = if like.is_some() { 0o600 } else { 0o644 };
        let fd = openat(&quarantine.dir, name, flags, Mode::from_raw_mode(mode)).map_err(|error| io(name, error))?;
        let mut file = std::fs::File::from(fd);
        let io = |error: std::io::Error| errors::io(&format!("`{}`", self.path), &error);
        file.write_all(&self.call.content).map_err(io)?;
        fail::point("files.in-temporary");
        if let Some((old, seen)) = like {
            take_after(&file, old, seen).map_err(|error| io(error.into()))?;
        }
        file.sync_all().map_err(io)
    }

    fn append(&self) -> Result<(Change, Option<Did>), Error> {
        let (old, seen) = open_file(&self.folder, self.name, self.path)?;
        let hash = hash(&old, seen.size_bytes, self.path, &self.job.patience)?;
        let before = format!("sha256:{}", hex::encode(hash.clone().finalize()));
        if self.call.content.is_empty() {
            return Ok((Change::unchanged(Some(before)), None));
        }
        let after = format!("sha256:{}", hex::encode(hash.chain_update(&self.call.content).finalize()));
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd =
            openat(&self.folder, self.name, flags, Mode::empty()).map_err(|error| io(self.path.as_str(), error))?;
        if Identity::of(&Stat::of_dir(&fd)?) != Identity::of(&seen) {
            return Err(written_meanwhile(self.path));
        }
        fail::point("files.before-change");
        let mut file = std::fs::File::from(fd);
        let written = file.write_all(&self.call.content).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // Half a line is worse than none.
            let _ = file.set_len(seen.size_bytes);
            return Err(errors::io(&format!("`{}`", self.path), &error));
        }
        fail::point("files.after-change");
        let did = Did::Appended {
            bytes_before: seen.size_bytes,
            modified_before: seen.modified,
            now: Identity::of(&Stat::of_dir(&file)?),
        };
        Ok((Change::new(Effect::Changed, Some(before), Some(after)), Some(did)))
    }

    fn identity(&self) -> Result<Identity, Error> {
        let stat = Stat::of(&self.folder, self.name)?.ok_or_else(|| written_meanwhile(self.path))?;
        Ok(Identity::of(&stat))
    }
}

/// Gives a file the owner, mode and extended attributes (access lists are some) of another. Owner first: changing it clears
/// bits of the mode and capabilities.
fn take_after(file: &std::fs::File, old: &std::fs::File, seen: &Stat) -> Result<(), Errno> {
    fchown(file, Some(Uid::from_raw(seen.uid)), Some(Gid::from_raw(seen.gid)))?;
    fchmod(file, Mode::from_raw_mode(seen.mode & 0o7777))?;
    let mut names = vec![0; XATTR_BYTES_MAX];
    let length = match flistxattr(old, names.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => 0,
        length => length?,
    };
    let mut value = vec![0; XATTR_BYTES_MAX];
    for name in names.get(..length).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = fgetxattr(old, name, value.as_mut_slice())?;
        fsetxattr(file, name, value.get(..length).unwrap_or_default(), XattrFlags::empty())?;
    }
    Ok(())
}

fn written_meanwhile(path: &RelPath) -> Error {
    errors::conflict("changed-since", format!("`{path}` was written by somebody else meanwhile"))
}

pub(super) fn folder(job: &Job, call: &MakeFolder) -> Result<(Change, Vec<Undo>), Error> {
    let path = RelPath::parse(&call.path)?;
    let root = job.root(&call.root)?;
    let all: Vec<RelPath> = path.above().chain([path.clone()]).collect();
    let mut missing = Vec::new();
    for folder in &all {
        match root.stat(folder)? {
            None => missing.push(folder),
            Some(stat) if stat.kind == EntryKind::Link => return Err(crate::files::is_link(folder.as_str())),
            Some(stat) if stat.kind != EntryKind::Folder => {
                return Err(wrong_kind(folder.as_str(), FOLDER, stat.kind));
            }
            Some(stat) if stat.is_mount_point && folder != &path => return Err(other_file_system(folder.as_str())),
            Some(_) => {}
        }
    }
    let Some(first) = missing.first() else {
        return Ok((Change::unchanged(Some(FOLDER.to_owned())), Vec::new()));
    };
    let (above, _) = root.place(first)?;
    let above_before = Stat::of_dir(&above)?.modified;
    make_all(&root, &missing)?;
    let change = Change::new(Effect::Changed, None, Some(FOLDER.to_owned()));
    let made = missing.iter().map(|folder| folder.as_str().to_owned()).collect();
    let undo = Token::new(&call.root, first, &change, above_before, &above, Did::Made { made })?.undo();
    Ok((change, vec![Undo { target: crate::files::target(&call.root, path.as_str()), ..undo }]))
}

/// Makes these folders, each in the one before it, or none.
fn make_all(root: &Root, missing: &[&RelPath]) -> Result<(), Error> {
    for (at, folder) in missing.iter().enumerate() {
        if let Err(error) = make_one(root, folder) {
            for made in missing.iter().take(at).rev() {
                remove_empty(root, made)?;
            }
            return Err(error);
        }
    }
    Ok(())
}

fn make_one(root: &Root, path: &RelPath) -> Result<(), Error> {
    let (above, name) = root.place(path)?;
    fail::point("files.before-change");
    mkdirat(&above, name, Mode::from_raw_mode(0o755)).map_err(|error| io(path.as_str(), error))?;
    fail::point("files.after-change");
    sync(&above)
}

/// Removes a folder that has nothing in it.
pub(super) fn remove_empty(root: &Root, path: &RelPath) -> Result<(), Error> {
    let (above, name) = root.place(path)?;
    fail::point("files.before-change");
    unlinkat(&above, name, AtFlags::REMOVEDIR).map_err(|error| io(path.as_str(), error))?;
    fail::point("files.after-change");
    sync(&above)
}
