//! Who holds a lock of the package manager.

use std::fs::File;
use std::path::Path;

use rustix::process::{Flock, FlockType, fcntl_getlk};

/// What apt and dpkg lock while they change packages.
const PACKAGE_LOCKS: [&str; 2] = ["var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock"];
/// What apt locks while it fetches an index.
const INDEX_LOCK: &str = "var/lib/apt/lists/lock";

/// Who changes packages, by name: `apt-get (pid 412)`.
pub(super) fn holder(root: &Path) -> Option<String> {
    PACKAGE_LOCKS.iter().find_map(|lock| holder_of(&root.join(lock)))
}

/// Who fetches an index.
pub(super) fn index_holder(root: &Path) -> Option<String> {
    holder_of(&root.join(INDEX_LOCK))
}

fn holder_of(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let found = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).ok()??;
    // A process of another namespace has no number here.
    let Some(pid) = found.pid.map(|pid| pid.as_raw_nonzero().get()) else { return Some("another process".to_owned()) };
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("{} (pid {pid})", if name.is_empty() { "a process" } else { name.trim() }))
}
