//! Files that are written whole or not at all: half of a record would replay as another run, half of a unit would start one, and
//! half of a plugin is what another process finds that builds it at the same time.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::fail;

/// The same for what only its owner may read, from its first byte on.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes elsewhere"))]
    let mut options = new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    replace(path, bytes, &options)
}

/// Writes a file in place of an older one. Durable when it returns.
pub fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    replace(path, bytes, &new())
}

/// How a file is made that is not there.
fn new() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create_new(true);
    options
}

fn replace(path: &Path, bytes: &[u8], options: &OpenOptions) -> std::io::Result<()> {
    // What is no file, such as /dev/stdout, cannot be replaced by one.
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, bytes);
    }
    // Two processes that write the same file do not share what is unfinished, and in one of them they take turns.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}.new", std::process::id()));
    // What a host that died has left, or a link that somebody laid there to have another file overwritten: it is not followed.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fail::point("whole.before-change");
    std::fs::rename(&unfinished, path)?;
    fail::point("whole.after-change");
    sync_folder(path)
}

/// Has the disk know the new name.
#[cfg(unix)]
fn sync_folder(of: &Path) -> std::io::Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// A file system that keeps its names in a journal knows it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use std::os::unix::fs::PermissionsExt as _;

    use super::{write, write_private};

    #[test]
    fn what_is_private_is_its_owner_s_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
        write(&path, b"open").unwrap();
        assert_ne!(mode(), 0o600, "the control");
        write_private(&path, b"secret").unwrap();
        assert_eq!((mode(), std::fs::read(&path).unwrap()), (0o600, b"secret".to_vec()));
    }

    #[test]
    fn threads_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                let path = &path;
                scope.spawn(move || (0..10).for_each(|_| write(path, &vec![thread; 10_000]).unwrap()));
            }
        });
        let written = std::fs::read(&path).unwrap();
        assert!(written.len() == 10_000 && written.iter().all(|byte| *byte == written[0]));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (mine, other) = (folder.path().join("record"), folder.path().join("other"));
        std::fs::write(&other, "of somebody").unwrap();
        symlink(&other, folder.path().join(format!("record.{}.new", std::process::id()))).unwrap();
        write(&mine, b"mine").unwrap();
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "of somebody");
        assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
        // And where there is none, an older file is replaced.
        write(&mine, b"newer").unwrap();
        assert_eq!(std::fs::read_to_string(&mine).unwrap(), "newer");
    }
}
