//! Whose the policy is. Root decides what a process of root may do: a file that somebody else may write, or put in its place,
//! decides nothing. Who runs as somebody else can do no more than that somebody, whatever a file says.

use std::path::Path;

#[cfg(not(unix))]
pub(super) fn check(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    use std::path::PathBuf;

    if !crate::context::is_root() {
        return Ok(());
    }
    // By the name that is used, and by the one that a link leads to.
    let absolute = std::path::absolute(path)?;
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| absolute.clone());
    let folders = [absolute.parent(), real.parent()].map(|folder| folder.map(Path::to_owned));
    let mut all: Vec<PathBuf> = folders.into_iter().flatten().chain([real]).collect();
    all.dedup();
    let wrong: Vec<String> = all.iter().filter_map(|path| trespass(path)).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => anyhow::bail!("{}", wrong.join("\n")),
    }
}

/// Why root does not believe what is here, and what mends it. What is not there is nobody's.
#[cfg(unix)]
fn trespass(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let found = std::fs::metadata(path).ok()?;
    let shown = path.display();
    let mode = found.mode() & 0o7777;
    if found.uid() != 0 {
        let owner = found.uid();
        return Some(format!("{shown} belongs to user {owner}, and not to root: `chown root:root {shown}`"));
    }
    // Where the sticky bit is set, nobody removes or renames what is another's.
    let is_kept = found.is_dir() && mode & 0o1000 != 0;
    (mode & 0o022 != 0 && !is_kept)
        .then(|| format!("{shown} has mode {mode:04o}, so that others than root may write to it: `chmod go-w {shown}`"))
}
