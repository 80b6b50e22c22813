//! Where the hub is, whom it shows itself as, and which key asks: a file beside what this technician believes. Two MSPs are two
//! folders of state.

use std::path::{Path, PathBuf};

use model::Digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::Error;

/// What the file is called.
pub const FILE: &str = "hub.toml";

/// The most bytes of it, and of a certificate.
const BYTES_MAX: u64 = 64 << 10;

/// Which hub, and as whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HubFile {
    /// `https://HOST:PORT`.
    #[serde(with = "as_text")]
    pub url: Url,
    /// Digests of the certificates of its authorities, the newest first. Nobody else is the hub.
    pub authorities: Vec<Digest>,
    /// The private key that opens sessions, or the `.pub` of one that `ssh-agent` has.
    pub key: PathBuf,
}

mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl HubFile {
    /// The one of this folder; none where none was named yet.
    pub fn read(state: &Path) -> Result<Option<Self>, Error> {
        let path = state.join(FILE);
        let text = match read_bounded(&path) {
            Err(Error::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let wrong = |error: toml::de::Error| Error::File { path: path.clone(), problem: error.to_string() };
        toml::from_str(&String::from_utf8_lossy(&text)).map(Some).map_err(wrong)
    }

    /// Keeps it, in the place of another one.
    pub fn write(&self, state: &Path) -> Result<(), Error> {
        let path = state.join(FILE);
        let text =
            toml::to_string(self).map_err(|error| Error::File { path: path.clone(), problem: error.to_string() })?;
        store::whole::write(&path, text.as_bytes()).map_err(|error| Error::Io(path, error))
    }
}

/// An authority: the digest that `remit hub init` showed, or a file with its certificate.
pub fn authority(said: &str) -> Result<Digest, Error> {
    if let Ok(digest) = said.parse() {
        return Ok(digest);
    }
    let path = PathBuf::from(said);
    let problem =
        || "it is neither a digest, `sha256:` and 64 hex digits, nor a file with a certificate in PEM".to_owned();
    let bytes = match read_bounded(&path) {
        Err(Error::Io(path, error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::File { path, problem: problem() });
        }
        bytes => bytes?,
    };
    let mut found = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(Digest::of(&one)),
        (None, _) => Err(Error::File { path, problem: problem() }),
        (Some(_), Some(_)) => {
            let problem = "it has several certificates: which one is the authority's, its digest says".to_owned();
            Err(Error::File { path, problem })
        }
    }
}

pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, Error> {
    read_at_most(path, BYTES_MAX)
}

pub(crate) fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let io = |error| Error::Io(path.to_owned(), error);
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(io)?.take(most + 1).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(Error::File { path: path.to_owned(), problem: format!("it has more than {most} bytes") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_named_is_read_again_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(HubFile::read(folder.path()).unwrap(), None);
        let file = HubFile {
            url: "https://hub.example:8443".parse().unwrap(),
            authorities: vec![Digest::of(b"ca")],
            key: "/home/tess/.ssh/id_ed25519".into(),
        };
        file.write(folder.path()).unwrap();
        assert_eq!(HubFile::read(folder.path()).unwrap(), Some(file));
        let path = folder.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("pasword = 1\n{text}")).unwrap();
        assert!(HubFile::read(folder.path()).unwrap_err().to_string().contains("pasword"));
    }

    #[test]
    fn an_authority_is_a_digest_or_one_certificate() {
        let digest = Digest::of(b"ca");
        assert_eq!(authority(&digest.to_string()).unwrap(), digest);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let named = path.to_str().unwrap();
        let pem = "-----BEGIN CERTIFICATE-----\nY2E=\n-----END CERTIFICATE-----\n";
        std::fs::write(&path, pem).unwrap();
        assert_eq!(authority(named).unwrap(), digest);
        for wrong in [pem.repeat(2), "rubbish".to_owned()] {
            std::fs::write(&path, wrong).unwrap();
            assert!(authority(named).is_err());
        }
        assert!(authority("sha256:12").unwrap_err().to_string().contains("neither"));
    }
}
