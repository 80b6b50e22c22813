//! Files that are written whole or not at all: half of a record would replay as another run, half of a unit would start one.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use store::fail;

/// Writes a file in place of an older one. Durable when it returns.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What is no file, such as /dev/stdout, cannot be replaced by one.
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, bytes);
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let mut file = File::create(&unfinished)?;
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
