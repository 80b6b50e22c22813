use contract::types::Error;
use procfs::process::MountInfo;
use rustix::fs::StatVfs;

use crate::errors;

use super::Root;

/// What is mounted here, in the order of mounting. A line that nobody can read is left out.
pub(crate) fn mounts(root: &Root) -> Result<Vec<MountInfo>, Error> {
    let text = root.text("proc/self/mountinfo").map_err(|error| errors::io("/proc/self/mountinfo", &error))?;
    Ok(text.lines().filter_map(|line| MountInfo::from_line(line).ok()).map(unescaped).collect())
}

/// The kernel writes space, tab, newline and backslash as octal.
fn unescaped(mut mount: MountInfo) -> MountInfo {
    mount.mount_point = unescape(&mount.mount_point.to_string_lossy()).into();
    mount.mount_source = mount.mount_source.map(|source| unescape(&source));
    mount.root = unescape(&mount.root);
    mount
}

fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// What the file system at a mount point says of itself.
pub(crate) fn statvfs(root: &Root, mount: &MountInfo) -> std::io::Result<StatVfs> {
    let relative = mount.mount_point.strip_prefix("/").unwrap_or(&mount.mount_point);
    Ok(rustix::fs::statvfs(root.path(&relative.to_string_lossy()))?)
}
