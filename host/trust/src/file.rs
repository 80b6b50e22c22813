//! Signed statements in files, as people carry them.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::signed::SIGNED_BYTES_MAX;
use crate::{Refusal, Signed};

/// A file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system said so.
    #[error("{}", .0.display())]
    Io(PathBuf, #[source] std::io::Error),
    /// What is in it is no signed statement.
    #[error("{}", .0.display())]
    Refused(PathBuf, #[source] Refusal),
}

/// The statement beside a plugin's file: `NAME.wasm.statement`. Its signatures are in `NAME.wasm.statement.sig`, where
/// `ssh-keygen -Y sign` puts the first one too.
pub fn statement_of(plugin: &Path) -> PathBuf {
    with(plugin, ".statement")
}

/// Reads a statement with the signatures in the `.sig` beside it, or with those behind it in one file.
pub fn read(path: &Path) -> Result<Signed, Error> {
    let refused = |refusal| Error::Refused(path.to_owned(), refusal);
    let statement = read_bounded(path)?;
    match read_bounded(&with(path, ".sig")) {
        Ok(signatures) => Signed::detached(statement, &String::from_utf8_lossy(&signatures)).map_err(refused),
        Err(Error::Io(_, error)) if error.kind() == ErrorKind::NotFound => {
            Signed::from_text(&statement).map_err(refused)
        }
        Err(other) => Err(other),
    }
}

/// Writes a statement, and its signatures into the `.sig` beside it: `ssh-keygen -Y verify` takes both as they are.
pub fn write(path: &Path, signed: &Signed) -> Result<(), Error> {
    replace(path, signed.statement())?;
    replace(&with(path, ".sig"), signed.signatures().concat().as_bytes())
}

/// Puts bytes in the place of a file, whole or not at all, and durable.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    store::whole::write(path, bytes).map_err(|error| Error::Io(path.to_owned(), error))
}

/// A file of which no more is read than a signed statement may have.
pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, Error> {
    read_at_most(path, SIGNED_BYTES_MAX)
}

/// A file, if it has no more bytes than this.
pub(crate) fn read_at_most(path: &Path, most: usize) -> Result<Vec<u8>, Error> {
    let io = |error| Error::Io(path.to_owned(), error);
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(most as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() <= most {
        true => Ok(bytes),
        false => Err(Error::Refused(path.to_owned(), Refusal::TooLarge { bytes: bytes.len(), most })),
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}
