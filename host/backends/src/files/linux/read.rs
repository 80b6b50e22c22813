use std::io::Read;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use contract::files::{Entries, Entry, FindEntries, GetEntry, GetUsage, Usage};
use contract::types::Error;
use sha2::{Digest as _, Sha256};

use crate::errors;
use crate::files::path::RelPath;
use crate::files::selection::Wanted;
use crate::files::{CONTENT_BYTES_MAX, check_hashable, last_lines, nothing_at, out_of_time};

use super::owners::Owners;
use super::root::{Root, open_file};
use super::walk::{Patience, Walk, tally};

/// The bytes that are hashed at once, between two looks at the clock.
const HASH_CHUNK_BYTES: usize = 256 << 10;

pub(super) fn entry(root: &Root, call: &GetEntry) -> Result<Option<Entry>, Error> {
    let path = RelPath::parse(&call.path)?;
    Ok(root.stat(&path)?.map(|stat| stat.entry(path.as_str(), &Owners::read())))
}

pub(super) fn find(root: &Root, call: &FindEntries, patience: &Patience) -> Result<Entries, Error> {
    let (path, wanted) = (RelPath::parse(&call.path)?, Wanted::parse(&call.selection)?);
    let folder = root.folder(&path)?;
    let owners = Owners::read();
    let mut page = wanted.page();
    let mut walk = Walk::new(patience.clone());
    walk.max_depth = wanted.max_depth;
    walk.one_file_system = wanted.one_file_system;
    walk.after.clone_from(&wanted.after);
    let prefix_length = path.prefix().len();
    walk.run(&folder, &path, &mut |found, stat| {
        let below = found.get(prefix_length..).unwrap_or_default();
        if wanted.matches(below, &stat.meta(), || Some(owners.user(stat.uid))) {
            page.offer(stat.entry(found, &owners));
        }
        match page.is_settled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(page.finish(walk.is_cut, walk.skipped))
}

pub(super) fn usage(root: &Root, call: &GetUsage, patience: &Patience) -> Result<Usage, Error> {
    let folder = root.folder(&RelPath::parse(&call.path)?)?;
    Ok(tally(&folder, patience)?.usage())
}

pub(super) fn file(root: &Root, path: &str, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
    let (file, _) = open(root, &RelPath::parse(path)?)?;
    read_at(&file, path, offset, length)
}

pub(super) fn tail(root: &Root, path: &str, lines: usize) -> Result<String, Error> {
    let (file, stat) = open(root, &RelPath::parse(path)?)?;
    let most = u64::try_from(CONTENT_BYTES_MAX).unwrap_or(u64::MAX);
    let tail = read_at(&file, path, stat.size_bytes.saturating_sub(most), CONTENT_BYTES_MAX)?;
    Ok(last_lines(&tail, lines))
}

pub(super) fn sha256(root: &Root, path: &str, patience: &Patience) -> Result<String, Error> {
    let path = RelPath::parse(path)?;
    let (file, stat) = open(root, &path)?;
    Ok(hex::encode(hash(&file, stat.size_bytes, &path, patience)?.finalize()))
}

fn open(root: &Root, path: &RelPath) -> Result<(std::fs::File, super::root::Stat), Error> {
    let Some((folder, name)) = path.split() else {
        return Err(crate::files::wrong_kind("", "file", contract::files::EntryKind::Folder));
    };
    let folder = root.folder(&folder).map_err(|error| match error.code.as_str() {
        "kind" => nothing_at(path.as_str()),
        _ => error,
    })?;
    open_file(&folder, name, path)
}

fn read_at(file: &std::fs::File, path: &str, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        // Past the largest offset that the kernel knows there is no byte.
        if i64::try_from(at).is_err() {
            break;
        }
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(errors::io(&format!("`{path}`"), &error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Hashes what the file held when it was opened: one that grows all the time has no end.
pub(super) fn hash(
    file: &std::fs::File,
    size_bytes: u64,
    path: &RelPath,
    patience: &Patience,
) -> Result<Sha256, Error> {
    check_hashable(path, size_bytes)?;
    let mut hash = Sha256::new();
    let mut rest = file.take(size_bytes);
    let mut chunk = vec![0; HASH_CHUNK_BYTES];
    loop {
        if patience.is_over() {
            return Err(out_of_time());
        }
        match rest.read(&mut chunk) {
            Ok(0) => return Ok(hash),
            Ok(read) => hash.update(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(errors::io(&format!("`{path}`"), &error)),
        }
    }
}
