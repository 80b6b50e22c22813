//! What has come of a blob so far. It is kept in a file so that the next try can go on from there, and is used by nobody: what is
//! handed over is what came and was checked.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::package::{Expected, check_digest};

/// A blob under way.
pub(crate) struct Partial {
    expected: Expected,
    what: String,
    bytes: Vec<u8>,
    hasher: Sha256,
    /// None where another process is at the same blob: then nothing is kept.
    file: Option<(PathBuf, File)>,
}

impl Partial {
    /// With what is there of it from the last time. Without a folder nothing is kept.
    pub(crate) fn open(folder: Option<&Path>, what: &str, expected: Expected) -> Result<Self, Error> {
        let mut partial =
            Self { expected, what: what.to_owned(), bytes: Vec::new(), hasher: Sha256::new(), file: None };
        if let Some(folder) = folder {
            store::make_private_folder(folder).map_err(Error::io(folder))?;
            let path = folder.join(expected.digest.hex());
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(Error::io(&path))?;
            match file.try_lock() {
                Ok(()) => {
                    partial.file = Some((path, file));
                    partial.take_up()?;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
            }
        }
        Ok(partial)
    }

    fn take_up(&mut self) -> Result<(), Error> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let mut kept = Vec::new();
        // What is longer than it should be is none of ours.
        let read = file.take(self.expected.size + 1).read_to_end(&mut kept).map_err(Error::io(path))?;
        match read as u64 > self.expected.size {
            true => self.start_over(),
            false => {
                self.hasher.update(&kept);
                self.bytes = kept;
                Ok(())
            }
        }
    }

    /// How much there is: where to go on.
    pub(crate) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn expected(&self) -> Expected {
        self.expected
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.length() == self.expected.size
    }

    /// Takes the next piece, unless it is more than was announced.
    pub(crate) fn add(&mut self, piece: &[u8]) -> Result<(), Error> {
        let found = self.length() + piece.len() as u64;
        if found > self.expected.size {
            self.start_over()?;
            return Err(Error::WrongSize { what: self.what.clone(), expected: self.expected.size, found });
        }
        if let Some((path, file)) = &mut self.file {
            file.write_all(piece).map_err(Error::io(path))?;
        }
        self.hasher.update(piece);
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Forgets what came.
    pub(crate) fn start_over(&mut self) -> Result<(), Error> {
        self.bytes.clear();
        self.hasher = Sha256::new();
        if let Some((path, file)) = &mut self.file {
            file.set_len(0).and_then(|()| file.rewind()).map_err(Error::io(path))?;
        }
        Ok(())
    }

    /// The bytes, if they are what was asked for. Nothing of them is kept any more, whatever they are.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Error> {
        let found = Digest::from(<[u8; 32]>::from(std::mem::take(&mut self.hasher).finalize()));
        if let Some((path, _)) = &self.file {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(path)(error)),
                _ => {}
            }
        }
        check_digest(&self.what, self.expected.digest, found)?;
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_taken_up_again_and_gone_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Some(folder.path());
        let expected = Expected::of(b"a whole component");
        let open = || Partial::open(folder, "it", expected).unwrap();
        open().add(b"a whole ").unwrap();
        let mut partial = open();
        assert_eq!(partial.length(), 8);
        assert!(Partial::open(folder, "it", expected).unwrap().length() == 0, "another process keeps out of it");
        partial.add(b"component").unwrap();
        assert!(partial.is_whole());
        assert_eq!(partial.finish().unwrap(), b"a whole component");
        assert_eq!(open().length(), 0);
    }

    #[test]
    fn what_somebody_changed_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let expected = Expected::of(b"a whole component");
        let open = || Partial::open(Some(folder.path()), "it", expected).unwrap();
        open().add(b"a whole ").unwrap();
        std::fs::write(folder.path().join(expected.digest.hex()), b"another ").unwrap();
        let mut partial = open();
        partial.add(b"component").unwrap();
        assert!(matches!(partial.finish(), Err(Error::WrongDigest { .. })));
        std::fs::write(folder.path().join(expected.digest.hex()), b"more than there is of it").unwrap();
        assert_eq!(open().length(), 0);
        assert!(matches!(open().add(b"more than there is of it"), Err(Error::WrongSize { .. })));
    }
}
