//! What this program carries of the repository: what a project of an author's own is written and built with.

use std::path::Path;

use anyhow::Context as _;
use include_dir::{Dir, DirEntry, include_dir};

/// What plugins are written with.
pub(crate) static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk");
/// The contract.
pub(crate) static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../wit");

/// A folder of the SDK.
pub(crate) fn of_sdk(path: &str) -> anyhow::Result<&'static Dir<'static>> {
    SDK.get_dir(path).with_context(|| format!("this program was built without sdk/{path}"))
}

/// Writes a folder, but for what is left out at its top; a file that is there and the same stays as it is.
pub(crate) fn write(
    dir: &Dir<'_>,
    target: &Path,
    left_out: &[&str],
    fill: &dyn Fn(&str) -> String,
) -> anyhow::Result<()> {
    write_below(dir, dir.path(), target, left_out, fill)
}

fn write_below(
    dir: &Dir<'_>,
    top: &Path,
    target: &Path,
    left_out: &[&str],
    fill: &dyn Fn(&str) -> String,
) -> anyhow::Result<()> {
    for entry in dir.entries() {
        let path = entry.path().strip_prefix(top)?;
        if left_out.iter().any(|name| path == Path::new(name)) {
            continue;
        }
        match entry {
            DirEntry::Dir(inner) => write_below(inner, top, target, left_out, fill)?,
            DirEntry::File(file) => {
                let text = file.contents_utf8().with_context(|| format!("{} is no text", path.display()))?;
                text_file(&target.join(fill(&path.to_string_lossy())), &fill(text))?;
            }
        }
    }
    Ok(())
}

/// Writes a file, and the folders above it, unless it is there and the same.
pub(crate) fn text_file(path: &Path, text: &str) -> anyhow::Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    std::fs::write(path, text).with_context(|| format!("{}", path.display()))
}
