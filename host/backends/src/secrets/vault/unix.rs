//! Everything is done through the folder's descriptor, so that nobody can swap the folder between check and use, and no link
//! is followed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use store::fail;
use zeroize::Zeroizing;

use super::{VaultError, is_name};

pub(super) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// The folder; none where there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, VaultError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match fs::open(path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(not_safe(path, "it must be a folder, and no link")),
            Err(errno) => return Err(io(path, errno)),
        };
        let stat = fs::fstat(&fd).map_err(|errno| io(path, errno))?;
        check_private(path, &stat, FileType::Directory, "chmod 700")?;
        Ok(Some(Self { fd, path: path.to_owned() }))
    }

    /// The folder, made where there is none.
    pub(super) fn create(path: &Path) -> Result<Self, VaultError> {
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
        builder.create(path).map_err(|source| VaultError::Io { path: path.to_owned(), source })?;
        Self::open(path)?.ok_or_else(|| io(path, Errno::NOENT))
    }

    /// The names of the secrets in it.
    pub(super) fn names(&self) -> Result<Vec<String>, VaultError> {
        let entries = fs::Dir::read_from(&self.fd).map_err(|errno| io(&self.path, errno))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|errno| io(&self.path, errno))?;
            names.extend(entry.file_name().to_str().ok().filter(|name| is_name(name)).map(str::to_owned));
        }
        Ok(names)
    }

    /// A secret's file; none where there is none.
    pub(super) fn read(&self, name: &str, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let path = self.path.join(name);
        // NONBLOCK: opening a pipe that somebody put here must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(not_safe(&path, "it is a link: remove it, and set the secret again")),
            Err(errno) => return Err(io(&path, errno)),
        };
        let stat = fs::fstat(&fd).map_err(|errno| io(&path, errno))?;
        check_private(&path, &stat, FileType::RegularFile, "chmod 600")?;
        if stat.st_nlink != 1 {
            return Err(not_safe(&path, "it has a second name: remove both, and set the secret again"));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or(0).min(bytes_max)));
        let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let read = File::from(fd).take(most).read_to_end(&mut bytes);
        read.map_err(|source| VaultError::Io { path, source })?;
        Ok(Some(bytes))
    }

    /// Writes a secret's file: whole or not at all.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        let path = self.path.join(name);
        // No secret's name begins with a dot, so this one belongs to nobody; one that is there was left by a crash.
        let temporary = format!(".{name}.new");
        let _ = fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, &temporary, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| io(&path, errno))?;
        let mut file = File::from(fd);
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|source| VaultError::Io { path: path.clone(), source })?;
        fail::point("secret.before-change");
        fs::renameat(&self.fd, &temporary, &self.fd, name).map_err(|errno| io(&path, errno))?;
        fail::point("secret.after-change");
        fs::fsync(&self.fd).map_err(|errno| io(&self.path, errno))
    }

    /// Removes a secret's file. False where there was none.
    pub(super) fn remove(&self, name: &str) -> Result<bool, VaultError> {
        fail::point("secret.before-change");
        let removed = fs::unlinkat(&self.fd, name, AtFlags::empty());
        fail::point("secret.after-change");
        match removed {
            Ok(()) => fs::fsync(&self.fd).map(|()| true).map_err(|errno| io(&self.path, errno)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(io(&self.path.join(name), errno)),
        }
    }
}

fn check_private(path: &Path, stat: &Stat, expected: FileType, remedy: &str) -> Result<(), VaultError> {
    if FileType::from_raw_mode(stat.st_mode) != expected {
        return Err(not_safe(path, "it is something else than expected: remove it, and set the secret again"));
    }
    let owner = rustix::process::geteuid().as_raw();
    if stat.st_uid != owner {
        return Err(not_safe(path, &format!("it belongs to user {}, not to {owner}", stat.st_uid)));
    }
    if stat.st_mode & 0o077 != 0 {
        let mode = stat.st_mode & 0o7777;
        return Err(not_safe(path, &format!("others may use it (mode {mode:o}): `{remedy} {}`", path.display())));
    }
    Ok(())
}

fn not_safe(path: &Path, problem: &str) -> VaultError {
    VaultError::Unsafe { path: path.to_owned(), problem: problem.to_owned() }
}

fn io(path: &Path, errno: Errno) -> VaultError {
    VaultError::Io { path: path.to_owned(), source: errno.into() }
}
