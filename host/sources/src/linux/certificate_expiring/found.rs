use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use model::Digest;
use x509_parser::pem::Pem;

/// The most files of a folder that are read: `/etc/ssl/certs` has some three hundred.
const FILES_MAX: usize = 2_000;
/// The largest file with certificates: a bundle of all that browsers trust has 0.3 MB.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The most certificates of one rule.
const CERTIFICATES_MAX: usize = 5_000;
/// The longest name that is told: a certificate may be called anything.
const NAME_CHARS_MAX: usize = 512;
/// Hexadecimal digits of a fingerprint that tell the certificates of a file apart.
const APART_DIGITS: usize = 16;

/// A certificate in a file.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) path: PathBuf,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) serial: String,
    pub(super) sha256: String,
    pub(super) not_after_ms: i64,
}

/// The certificates of a file, or of the files of a folder, by what their notices are about: the file and the fingerprint, so that
/// one that takes the place of another is another. What holds none, and what cannot be read, is left out.
pub(super) fn all(path: &Path) -> BTreeMap<String, Certificate> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        files = entries.map(|entry| entry.path()).take(FILES_MAX).collect();
        files.sort();
    }
    let all = files.iter().flat_map(|file| of_file(file)).take(CERTIFICATES_MAX);
    all.map(|certificate| (subject(&certificate), certificate)).collect()
}

fn subject(certificate: &Certificate) -> String {
    let apart = certificate.sha256.get(..APART_DIGITS).unwrap_or_default();
    format!("{}#{apart}", certificate.path.display())
}

fn of_file(path: &Path) -> Vec<Certificate> {
    // A pipe or a device in the folder would never come to an end.
    if !path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= FILE_BYTES_MAX) {
        return Vec::new();
    }
    let mut bytes = Vec::new();
    if File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)).is_err() {
        return Vec::new();
    }
    let blocks = Pem::iter_from_buffer(&bytes).map_while(Result::ok);
    blocks.filter(|block| block.label == "CERTIFICATE").filter_map(|block| certificate(path, &block)).collect()
}

fn certificate(path: &Path, block: &Pem) -> Option<Certificate> {
    let certificate = block.parse_x509().ok()?;
    let name = |name: String| name.chars().take(NAME_CHARS_MAX).collect();
    Some(Certificate {
        path: path.to_owned(),
        subject: name(certificate.subject().to_string()),
        issuer: name(certificate.issuer().to_string()),
        serial: certificate.raw_serial_as_string(),
        sha256: Digest::of(&block.contents).hex(),
        not_after_ms: certificate.validity().not_after.timestamp().saturating_mul(1_000),
    })
}
