//! The root of the file system that facts are read from: `/` on a device, a folder with recorded files in tests. Whatever
//! is read is read up to a limit, and never waits for a writer: a file that somebody replaced by a pipe must not hang a run.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most bytes of a file of a line or two, as in `/sys` and most of `/proc`.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// The most bytes of a file that lists something: /var/lib/dpkg/status of a full desktop has 10 MiB.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// Where files are read from.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// Every path is read below `folder`.
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The place of `/path`, which is given without its first slash. A system in a folder that was not booted has no /proc and no
    /// /sys of its own: it runs on this machine's.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let own = self.0.join(path);
        let kernel = ["proc", "sys"].into_iter().find(|folder| path.split('/').next() == Some(folder));
        match kernel {
            Some(folder) if is_empty(&self.0.join(folder)) => Path::new("/").join(path),
            _ => own,
        }
    }

    /// The file's bytes, at most `limit` and whether there were more.
    pub(crate) fn read(&self, path: &str, limit: u64) -> io::Result<(Vec<u8>, bool)> {
        let file = open(&self.path(path))?;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        let more = bytes.len() as u64 > limit;
        if more {
            bytes.pop();
        }
        Ok((bytes, more))
    }

    /// The file's last bytes, at most `limit`, from a place that is a multiple of `unit`: logs of logins have no end, and the
    /// latest are last.
    pub(crate) fn tail(&self, path: &str, limit: u64, unit: u64) -> io::Result<Vec<u8>> {
        let length = open(&self.path(path))?.metadata()?.len();
        self.part(path, length.saturating_sub(limit).next_multiple_of(unit), limit)
    }

    /// So many bytes from a place; fewer where the file ends.
    pub(crate) fn part(&self, path: &str, start: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut file = open(&self.path(path))?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The file as text, invalid UTF-8 replaced; one that is larger than any such file should be is refused.
    pub(crate) fn text(&self, path: &str) -> io::Result<String> {
        match self.read(path, TEXT_BYTES_MAX)? {
            (_, true) => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("over {TEXT_BYTES_MAX} bytes"))),
            (bytes, false) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// What a file of one line says, without the white space around; none where there is none or it is empty.
    pub(crate) fn line(&self, path: &str) -> Option<String> {
        let (bytes, _) = self.read(path, LINE_BYTES_MAX).ok()?;
        let text = String::from_utf8_lossy(&bytes).trim_matches(['\0', ' ', '\t', '\n', '\r']).to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// Whether there is such a file or folder.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// When a file was last written, in milliseconds since 1970.
    pub(crate) fn modified_ms(&self, path: &str) -> Option<u64> {
        since_1970_ms(self.path(path).metadata().ok()?.modified().ok()?)
    }

    /// When a file was last read; where the file system keeps no such time, when it was first.
    pub(crate) fn accessed_ms(&self, path: &str) -> Option<u64> {
        since_1970_ms(self.path(path).metadata().ok()?.accessed().ok()?)
    }

    /// The names in a folder, sorted; none where there is no such folder. Names that are not UTF-8 are left out.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = self.path(path).read_dir() else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// A folder as debootstrap leaves it for a mount.
fn is_empty(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

fn since_1970_ms(time: std::time::SystemTime) -> Option<u64> {
    u64::try_from(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// Opens a file that holds something; a pipe, a socket and a device are refused.
fn open(path: &Path) -> io::Result<File> {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(nonblock).open(path)?;
    let kind = file.metadata()?.file_type();
    match kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        true => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        false => Ok(file),
    }
}
