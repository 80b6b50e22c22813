//! Disks of a test's own: one that is filled to the last byte, and one that loses what was not flushed when its power goes.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::site::wait_for;

/// A file system in a file, mounted for as long as the test has a process to itself.
pub(crate) struct Disk {
    at: PathBuf,
    _image: tempfile::TempDir,
}

impl Disk {
    /// So many MiB, with nothing kept back for root.
    pub(crate) fn mount(at: &Path, mib: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = format(folder.path(), mib);
        fs::create_dir_all(at).unwrap();
        run("mount", &["-o", "loop", path(&image), path(at)]);
        Self { at: at.to_owned(), _image: folder }
    }

    /// Takes every byte that is left. Gives the file that has them.
    pub(crate) fn fill(&self) -> PathBuf {
        let filler = self.at.join("filler");
        let mut file = File::options().create(true).append(true).open(&filler).unwrap();
        for size in [1 << 20, 4_096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        let _ = file.sync_all();
        filler
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        let found = rustix::fs::statvfs(&self.at).unwrap();
        found.f_bavail * found.f_frsize
    }
}

/// What becomes of what is to be flushed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushes {
    /// It is on the disk when that was said, and nothing else is.
    Kept,
    /// It is not, though that was said: the disk lies.
    Ignored,
}

/// A disk that has what was flushed to it, and loses all else when its power goes: a server keeps what is written in memory until
/// it is told to flush it, and power goes with `kill -9`.
pub(crate) struct Mains {
    folder: tempfile::TempDir,
    at: PathBuf,
    flushes: Flushes,
    on: Option<On>,
}

/// While there is power.
struct On {
    server: Child,
    /// Shows what is served as a file, so that a loop device can be over it.
    file: Child,
    device: String,
}

impl Mains {
    /// Switched on, and mounted.
    pub(crate) fn new(at: &Path, mib: u64, flushes: Flushes) -> Self {
        let folder = tempfile::tempdir().unwrap();
        format(folder.path(), mib);
        fs::create_dir(folder.path().join("shown")).unwrap();
        fs::create_dir_all(at).unwrap();
        let mut mains = Self { folder, at: at.to_owned(), flushes, on: None };
        mains.switch_on();
        mains
    }

    pub(crate) fn switch_on(&mut self) {
        let (socket, shown) = (self.folder.path().join("socket"), self.folder.path().join("shown/disk"));
        let _ = fs::remove_file(&socket);
        let cache = match self.flushes {
            Flushes::Kept => "cache=writeback",
            Flushes::Ignored => "cache=unsafe",
        };
        let mut server = Command::new("nbdkit");
        server.args(["--foreground", "--exit-with-parent", "--filter=cache", "--unix"]).arg(&socket);
        server.arg("file").arg(self.folder.path().join("image")).arg(cache);
        let server = server.stdin(Stdio::null()).spawn().unwrap();
        assert!(wait_for(|| socket.exists()), "nbdkit serves nothing");
        let mut file = Command::new("nbdfuse");
        file.arg(&shown).arg("--unix").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let file = file.spawn().unwrap();
        assert!(wait_for(|| shown.exists()), "nbdfuse shows nothing");
        // What is cached above the device would outlive the power.
        let device = run("losetup", &["--direct-io=on", "--find", "--show", path(&shown)]);
        run("mount", &[&device, path(&self.at)]);
        self.on = Some(On { server, file, device });
    }

    /// The power goes, at this moment.
    pub(crate) fn cut(&mut self) {
        let Some(mut on) = self.on.take() else { return };
        let _ = on.server.kill();
        let _ = on.server.wait();
        let _ = on.file.kill();
        let _ = on.file.wait();
        let quietly = |program: &str, arguments: &[&str]| {
            let _ = Command::new(program).args(arguments).stderr(Stdio::null()).status();
        };
        quietly("umount", &["-l", path(&self.at)]);
        quietly("losetup", &["-d", &on.device]);
        quietly("umount", &["-l", path(&self.folder.path().join("shown"))]);
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Mains {
    fn drop(&mut self) {
        self.cut();
    }
}

/// An empty file system in a file `image`.
/// In blocks of 4 KiB, as those of machines are, whatever is usual for a disk this small: SQLite has a page of 4 KiB be there by its
/// last byte, and of smaller blocks the others would be missing where the disk is full, which ends whoever writes there (`SIGBUS`).
fn format(folder: &Path, mib: u64) -> PathBuf {
    let image = folder.join("image");
    File::create(&image).unwrap().set_len(mib << 20).unwrap();
    run("mkfs.ext4", &["-q", "-m", "0", "-b", "4096", path(&image)]);
    image
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
