//! The Debian that every managed host starts from: made once a machine, and never written to again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::Root;

/// Outside the repository, so that a fresh clone and several clones share it.
const CACHE: &str = "/var/cache/remit/hosts";

/// Bookworm: a newer systemd refuses to boot under the first version of cgroups.
const RECIPE: [&str; 4] = [
    "--variant=apt",
    "--mode=root",
    "--include=systemd,systemd-sysv,dbus,python3-apt,procps,iproute2,needrestart",
    "bookworm",
];

/// The folder of the root. The first call on a machine takes a minute; other processes wait for it.
pub(crate) fn folder(_: Root) -> PathBuf {
    let key: String = hex::encode(Sha256::digest(RECIPE.join(" "))).chars().take(16).collect();
    let folder = Path::new(CACHE).join(key);
    if !folder.exists() {
        fs::create_dir_all(CACHE).unwrap();
        let lock = File::create(Path::new(CACHE).join("lock")).unwrap();
        lock.lock().unwrap();
        if !folder.exists() {
            make(&folder);
        }
    }
    folder
}

/// A name that is there is whole: what is cut short stays under another, and is thrown away by the next.
fn make(folder: &Path) {
    let partial = folder.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).unwrap();
    }
    eprintln!("making the root of managed hosts in {}: once a machine, about a minute", folder.display());
    let made = Command::new("/usr/bin/mmdebstrap").arg("--quiet").args(RECIPE).arg(&partial).output().unwrap();
    assert!(made.status.success(), "mmdebstrap: {}\n{}", made.status, String::from_utf8_lossy(&made.stderr));
    fs::rename(partial, folder).unwrap();
}
