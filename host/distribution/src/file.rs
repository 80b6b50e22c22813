//! A component as a plain file, with what was signed about it beside it: `name.wasm` has `name.wasm.statement`, with all of its
//! signatures in `name.wasm.statement.sig`; further statements are `name.wasm.statement.2` and up. Plain files too, which
//! `ssh-keygen -Y verify` reads without us, and which a web server has without being asked for a list.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::package::{ATTACHMENTS_MAX, COMPONENT_BYTES_MAX, SIGNATURE_BYTES_MAX, SIGNATURES_MAX, STATEMENT_BYTES_MAX};
use crate::{Attachment, Error, Package};

/// The most bytes of a file with all signatures of a statement.
pub(crate) const ALL_SIGNATURES_BYTES_MAX: u64 = SIGNATURES_MAX as u64 * SIGNATURE_BYTES_MAX;

/// How a signature of OpenSSH ends: several are one after the other.
const END: &[u8] = b"-----END SSH SIGNATURE-----";

/// What is added to a component's name for its statements, counted from 1.
pub(crate) fn statement(at: usize) -> String {
    match at {
        1 => ".statement".to_owned(),
        _ => format!(".statement.{at}"),
    }
}

/// What is added to a statement's name for its signatures.
pub(crate) const SIGNATURES: &str = ".sig";

/// Reads a component, and what is beside it.
pub fn read(path: &Path) -> Result<Package, Error> {
    let component = bytes(path, COMPONENT_BYTES_MAX)?;
    let component = component.ok_or_else(|| Error::NotFound { url: path.display().to_string() })?;
    Package { component, attachments: beside(path)? }.checked()
}

/// Reads what is beside a component.
pub fn beside(path: &Path) -> Result<Vec<Attachment>, Error> {
    let mut attachments = Vec::new();
    // One more than there may be, so that it is told.
    for at in 1..=ATTACHMENTS_MAX + 1 {
        let path = with(path, &statement(at));
        let Some(statement) = bytes(&path, STATEMENT_BYTES_MAX)? else { break };
        let signatures = bytes(&with(&path, SIGNATURES), ALL_SIGNATURES_BYTES_MAX)?.unwrap_or_default();
        attachments.push(Attachment { statement, signatures: split(&signatures) });
    }
    Ok(attachments)
}

/// Writes a component, and what is signed about it beside it. What older statements there are beyond those goes.
pub fn write(path: &Path, package: &Package) -> Result<(), Error> {
    let package = package.clone().checked()?;
    let put = |path: &Path, bytes: &[u8]| store::whole::write(path, bytes).map_err(Error::io(path));
    for (at, attachment) in (1..).zip(&package.attachments) {
        let path = with(path, &statement(at));
        put(&path, &attachment.statement)?;
        put(&with(&path, SIGNATURES), &join(&attachment.signatures))?;
    }
    for at in package.attachments.len() + 1.. {
        let path = with(path, &statement(at));
        if !remove(&path)? {
            break;
        }
        remove(&with(&path, SIGNATURES))?;
    }
    put(path, &package.component)
}

/// The signatures that a file has, one after the other.
pub(crate) fn split(mut all: &[u8]) -> Vec<Vec<u8>> {
    let mut signatures = Vec::new();
    while !all.trim_ascii().is_empty() {
        let end = all.windows(END.len()).position(|it| it == END).map_or(all.len(), |at| at + END.len());
        let (one, rest) = all.split_at_checked(end).unwrap_or((all, &[]));
        // Each ends with the end of its line, as whoever signs writes it.
        signatures.push([one.trim_ascii(), b"\n"].concat());
        all = rest;
    }
    signatures
}

fn join(signatures: &[Vec<u8>]) -> Vec<u8> {
    signatures.iter().flat_map(|it| [it.trim_ascii_end(), b"\n"]).flatten().copied().collect()
}

/// A file, if it is there and not too large.
pub(crate) fn bytes(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    match bytes.len() as u64 > bytes_max {
        true => Err(Error::TooLarge { what: path.display().to_string(), bytes_max }),
        false => Ok(Some(bytes)),
    }
}

/// Whether there was one.
pub(crate) fn remove(path: &Path) -> Result<bool, Error> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(path)(error)),
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(text: &str) -> Vec<u8> {
        format!("-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n").into_bytes()
    }

    #[test]
    fn what_is_beside_a_file_travels_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        let attachment = |name: &str, signatures: &[&str]| Attachment {
            statement: name.as_bytes().to_vec(),
            signatures: signatures.iter().map(|it| signature(it)).collect(),
        };
        let more = Package {
            component: b"\0asm".to_vec(),
            attachments: vec![attachment("a", &["1", "2"]), attachment("b", &["3"])],
        };
        write(&file, &more).unwrap();
        assert_eq!(read(&file).unwrap(), more);
        assert!(folder.path().join("a.wasm.statement.2.sig").exists());
        let fewer = Package { attachments: vec![attachment("a", &["1"])], ..more };
        write(&file, &fewer).unwrap();
        assert_eq!(read(&file).unwrap(), fewer, "nothing of an older one is left");
        assert!(!folder.path().join("a.wasm.statement.2.sig").exists());
        assert!(matches!(read(&folder.path().join("b.wasm")), Err(Error::NotFound { .. })));
    }

    #[test]
    fn signatures_are_told_apart() {
        let (one, two) = (signature("1"), signature("2"));
        assert_eq!(split(&[one.clone(), two.clone()].concat()), [one.clone(), two.clone()]);
        assert_eq!(split(&[one.clone(), b"\r\n\n".to_vec(), two.clone()].concat()), [one.clone(), two]);
        assert!(split(b" \n").is_empty());
        assert_eq!(split(b"no signature"), [b"no signature\n"], "what it is worth is for others");
        assert_eq!(split(&join(std::slice::from_ref(&one))), [one]);
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        let of = |bytes: u64| {
            File::create(&file).unwrap().set_len(bytes).unwrap();
            read(&file).map(|package| package.component.len() as u64)
        };
        assert_eq!(of(COMPONENT_BYTES_MAX).unwrap(), COMPONENT_BYTES_MAX);
        assert!(matches!(of(COMPONENT_BYTES_MAX + 1), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn more_statements_than_there_may_be_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        std::fs::write(&file, b"\0asm").unwrap();
        let put = |at: usize| std::fs::write(with(&file, &statement(at)), at.to_string()).unwrap();
        (1..=ATTACHMENTS_MAX).for_each(put);
        assert_eq!(read(&file).unwrap().attachments.len(), ATTACHMENTS_MAX);
        put(ATTACHMENTS_MAX + 1);
        assert!(matches!(read(&file), Err(Error::TooMany { .. })));
    }
}
