//! What this host worked out of plugins and keeps, so that it is worked out once: labels that were verified, code that was
//! compiled.
//!
//! Each entry carries a keyed hash over its name and its bytes, under a key that never leaves the folder, checked over the very
//! bytes that are then used. An entry that fails is as good as absent: it is worked out anew, and never used.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use store::fail;

const KEY_BYTES: usize = 32;
const SEAL_BYTES: usize = 32;

/// The most bytes of an entry: the code of the largest component has some five times as many as that.
const ENTRY_BYTES_MAX: u64 = 1 << 30;

/// A folder of sealed entries. Clones are the same folder.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    key: Arc<OnceLock<[u8; KEY_BYTES]>>,
}

/// An entry whose seal held.
pub struct Entry(Vec<u8>);

impl Deref for Entry {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.get(SEAL_BYTES..).unwrap_or_default()
    }
}

/// The cache's folder could not be used.
#[derive(Debug, thiserror::Error)]
#[error("the cache at {path}")]
pub struct CacheError {
    /// Which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

impl Cache {
    /// In a folder that only its owner may enter; it is made where there is none.
    pub fn open(folder: PathBuf) -> Result<Self, CacheError> {
        // Whoever may write there may know the key, and what it seals is believed and run as this process.
        let make = || {
            store::make_private_folder(&folder)?;
            // Nobody else could write, and nobody else need read: what they may have read is not used ([`read_key`]).
            keep_others_out(&folder)
        };
        make().map_err(|source| CacheError { path: folder.clone(), source })?;
        Ok(Self { folder, key: Arc::default() })
    }

    /// An entry, if it is there and this host put it there under this name.
    pub fn read(&self, name: &str) -> Option<Entry> {
        let path = self.folder.join(name);
        // What is a link now was none when this host wrote it; and none of its entries is as large.
        let there = path.symlink_metadata().ok().filter(|it| it.is_file() && it.len() <= ENTRY_BYTES_MAX);
        let entry = Entry(there.and_then(|_| std::fs::read(path).ok())?);
        let seal: [u8; SEAL_BYTES] = entry.0.get(..SEAL_BYTES)?.try_into().ok()?;
        // Comparing takes the same time wherever they differ.
        (self.seal(name, &entry).ok()? == blake3::Hash::from_bytes(seal)).then_some(entry)
    }

    /// Puts an entry in place of an older one, whole or not at all. Durable when it returns.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
        let path = self.folder.join(name);
        let seal = self.seal(name, bytes)?;
        let unfinished = unfinished(&path);
        let write = || {
            let mut file = new_private_file(&unfinished)?;
            file.write_all(seal.as_bytes())?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fail::point("compiled.before-change");
            std::fs::rename(&unfinished, &path)?;
            fail::point("compiled.after-change");
            Ok(())
        };
        write().map_err(|source| CacheError { path: path.clone(), source })
    }

    fn seal(&self, name: &str, bytes: &[u8]) -> Result<blake3::Hash, CacheError> {
        let mut hasher = blake3::Hasher::new_keyed(&self.key()?);
        hasher.update(name.as_bytes()).update(&[0]).update(bytes);
        Ok(hasher.finalize())
    }

    fn key(&self) -> Result<[u8; KEY_BYTES], CacheError> {
        if let Some(key) = self.key.get() {
            return Ok(*key);
        }
        let path = self.folder.join("key");
        let key = read_key(&path).map_err(|source| CacheError { path, source })?;
        Ok(*self.key.get_or_init(|| key))
    }
}

/// The key, or a new one: where there is none, where it was cut by a host that died, and where somebody else may know it. What was
/// sealed with the old one is worked out anew.
fn read_key(path: &Path) -> std::io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    if is_secret(path)? {
        match File::open(path).and_then(|mut file| file.read_exact(&mut key)) {
            Err(cut) if cut.kind() == ErrorKind::UnexpectedEof => {}
            read => return read.map(|()| key),
        }
    }
    key = rand::random();
    // Two hosts that begin at once: one of them wins, and what the other sealed does not hold and is worked out again.
    let unfinished = unfinished(path);
    let mut file = new_private_file(&unfinished)?;
    fail::point("compiled.in-key");
    file.write_all(&key)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    Ok(key)
}

/// Whether there is a file that only its owner may read: no link, because nobody knows who may read what that leads to.
fn is_secret(path: &Path) -> std::io::Result<bool> {
    match path.symlink_metadata() {
        Ok(found) => Ok(found.is_file() && is_private(&found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(other) => Err(other),
    }
}

#[cfg(unix)]
fn is_private(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(found) & 0o077 == 0
}

/// Elsewhere a file is as private as its folder.
#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    true
}

#[cfg(unix)]
fn keep_others_out(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match is_private(&folder.metadata()?) {
        true => Ok(()),
        false => std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)),
    }
}

#[cfg(not(unix))]
fn keep_others_out(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Where a file is written until it is whole: two threads that worked out the same do not share it, and no more do two processes.
fn unfinished(path: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{}.tmp", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    PathBuf::from(name)
}

/// A file that was not there: whatever lies in its place, a link too, goes first.
fn new_private_file(path: &Path) -> std::io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_touched_is_as_good_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Cache::open(folder.path().to_owned()).unwrap();
        open().write("a", b"what was worked out").unwrap();
        let file = folder.path().join("a");
        let whole = std::fs::read(&file).unwrap();
        let holds = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            open().read("a").map(|entry| entry.to_vec())
        };
        assert_eq!(holds(&whole).as_deref(), Some(&b"what was worked out"[..]), "the control");
        for at in [0, SEAL_BYTES, whole.len() - 1] {
            let mut touched = whole.clone();
            touched[at] ^= 1;
            assert_eq!(holds(&touched), None, "byte {at}");
        }
        assert_eq!(holds(&whole[..whole.len() - 1]), None, "cut");
        assert_eq!(holds(&whole[..SEAL_BYTES - 1]), None, "cut within its seal");
        assert_eq!(holds(&[&whole[..], b"x"].concat()), None, "longer");
        // Another entry, sealed by this very host, does not pass for this one.
        open().write("b", b"something else").unwrap();
        assert_eq!(holds(&std::fs::read(folder.path().join("b")).unwrap()), None, "renamed");
    }

    #[test]
    fn two_that_worked_out_the_same_are_not_in_each_other_s_way() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned()).unwrap();
        cache.write("b", b"its key is made").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20).for_each(|_| cache.write("a", b"the same").unwrap()));
            }
        });
        assert_eq!(cache.read("a").map(|entry| entry.to_vec()).as_deref(), Some(&b"the same"[..]));
    }

    #[test]
    fn another_host_s_key_opens_nothing() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&ours, &theirs] {
            Cache::open(folder.path().to_owned()).unwrap().write("a", b"the same").unwrap();
        }
        let read = || Cache::open(ours.path().to_owned()).unwrap().read("a").is_some();
        assert!(read(), "the control");
        std::fs::copy(theirs.path().join("a"), ours.path().join("a")).unwrap();
        assert!(!read());
    }

    #[test]
    #[cfg(unix)]
    fn only_its_owner_may_look() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("cache");
        Cache::open(inside.clone()).unwrap().write("a", b"x").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        assert_eq!((mode(&inside), mode(&inside.join("key")), mode(&inside.join("a"))), (0o700, 0o600, 0o600));
    }
}
