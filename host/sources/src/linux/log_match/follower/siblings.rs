//! What lies beside a log: itself before it was rotated.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::followed::{Followed, Position, modified_ns};

/// The most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// The most files that are read for what was rotated while nobody looked.
const ROTATED_MAX: usize = 4;

/// Device and inode.
type Id = (u64, u64);

/// The file with this identity, under whatever name.
pub(super) fn find(log: &Path, id: Id) -> Option<PathBuf> {
    let is_it = |found: &Metadata| (found.dev(), found.ino()) == id;
    if std::fs::metadata(log).is_ok_and(|found| is_it(&found)) {
        return Some(log.to_owned());
    }
    files(log).find(|(_, found)| is_it(found)).map(|(path, _)| path)
}

/// What was rotated after this time, the oldest first, each from its beginning. What is compressed by now is not read.
pub(super) fn rotated_since(log: &Path, since_ns: i64, known: &[Id]) -> Vec<Followed> {
    let mut found: Vec<(i64, PathBuf)> = files(log)
        .filter(|(path, it)| {
            is_rotated(log, path) && modified_ns(it) > since_ns && !known.contains(&(it.dev(), it.ino()))
        })
        .map(|(path, it)| (modified_ns(&it), path))
        .collect();
    found.sort();
    let skipped = found.len().saturating_sub(ROTATED_MAX);
    found.into_iter().skip(skipped).filter_map(|(_, path)| Followed::at_start(&path)).collect()
}

/// The copy that was made of the log before it was truncated, from where it was read.
pub(super) fn copy_of(log: &Path, position: Position, known: &[Id]) -> Option<Followed> {
    let copies = files(log).filter(|(path, it)| is_named_alike(log, path) && !known.contains(&(it.dev(), it.ino())));
    let copies = copies.filter(|(path, _)| Followed::is_copied_to(&position, path));
    let (newest, _) = copies.max_by_key(|(_, it)| modified_ns(it))?;
    Followed::at(&newest, position)
}

/// Files in the log's folder.
fn files(log: &Path) -> impl Iterator<Item = (PathBuf, Metadata)> {
    let folder = log.parent().map(std::fs::read_dir).into_iter().flatten().flatten().flatten().take(ENTRIES_MAX);
    folder.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))).filter(|(_, found)| found.is_file())
}

/// Whether a name is the log's with something added.
fn is_named_alike(log: &Path, path: &Path) -> bool {
    added(log, path).is_some_and(|added| !added.is_empty())
}

/// Whether what is added is a number or a date, as in `app.log.1`, `app.log-20260102` and `app-20260102.log`.
fn is_rotated(log: &Path, path: &Path) -> bool {
    added(log, path).is_some_and(|added| {
        added.chars().any(|it| it.is_ascii_digit())
            && added.chars().all(|it| it.is_ascii_digit() || ".-_T:".contains(it))
    })
}

/// What is added to the log's name, after it or before its extension.
fn added<'a>(log: &Path, path: &'a Path) -> Option<&'a str> {
    let (log, path) = (log.file_name()?.to_str()?, path.file_name()?.to_str()?);
    path.strip_prefix(log).or_else(|| {
        let (stem, extension) = log.rsplit_once('.')?;
        path.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_log_is_known_by_its_name() {
        let is = |name: &str| is_rotated(Path::new("/var/log/app.log"), &Path::new("/var/log").join(name));
        for name in ["app.log.1", "app.log-20260102", "app-20260102.log", "app.log.2026-01-02T03:04"] {
            assert!(is(name), "{name}");
        }
        for name in ["app.log", "app.log.1.gz", "app.log.bak", "application.log", "other.log.1", "app.logs"] {
            assert!(!is(name), "{name}");
        }
    }
}
