//! What a person types for where a plugin comes from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use model::Digest;
use oci_spec::distribution::Reference;
use semver::Version;
use url::Url;

use crate::Error;
use crate::package::version_of;
use crate::registry::is_untagged;

/// Where a plugin comes from. All are equal: what came is checked the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A registry.
    Oci(Reference),
    /// A file or an archive on a server.
    Url(Address),
    /// A component, with its statements beside it.
    File(PathBuf),
    /// An archive: an OCI layout in a tar.
    Archive(PathBuf),
}

/// An address, and what is expected there: `https://…/name.wasm#sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without what is expected.
    pub url: Url,
    /// The component's digest, where it is known before.
    pub expected: Option<Digest>,
}

/// How an archive ends.
const ARCHIVE: &str = ".tar";
/// How a component ends.
const COMPONENT: &str = ".wasm";

impl Source {
    /// Whether asking for it needs no network.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::File(_) | Self::Archive(_))
    }

    /// The version that it names, as a registry's tag.
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::Oci(reference) if reference.digest().is_none() => version_of(reference.tag()?),
            _ => None,
        }
    }

    /// Whether it stands for whatever is the newest, and nothing moved where that is another one than before.
    pub fn floats(&self) -> bool {
        matches!(self, Self::Oci(reference) if is_untagged(reference))
    }

    /// The same, held to the manifest that it stood for once, where it is a registry's.
    pub fn held_to(&self, manifest: Digest) -> Self {
        match self {
            Self::Oci(it) => {
                let (registry, repository) = (it.registry().to_owned(), it.repository().to_owned());
                Self::Oci(Reference::with_digest(registry, repository, manifest.to_string()))
            }
            other => other.clone(),
        }
    }
}

impl Address {
    /// Whether what is there is an archive.
    pub fn is_archive(&self) -> bool {
        self.url.path().ends_with(ARCHIVE)
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |why: String| Error::Source { text: text.to_owned(), why };
        if text.starts_with("https://") || text.starts_with("http://") {
            return address(text).map(Self::Url).map_err(bad);
        }
        if let Some(reference) = text.strip_prefix("oci://") {
            return oci(reference).map(Self::Oci).map_err(bad);
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(bad(format!("`{scheme}` is not known")));
        }
        if text.ends_with(ARCHIVE) {
            return Ok(Self::Archive(text.into()));
        }
        if text.ends_with(COMPONENT) || is_path(text) {
            return Ok(Self::File(text.into()));
        }
        if !text.contains('/') {
            return Err(bad("it names no registry and is no file".to_owned()));
        }
        oci(text).map(Self::Oci).map_err(bad)
    }
}

/// Registries have no such names.
fn is_path(text: &str) -> bool {
    let is_drive = text.get(1..3).is_some_and(|it| it == ":\\" || it == ":/");
    text.starts_with(['/', '.', '\\', '~']) || is_drive
}

fn address(text: &str) -> Result<Address, String> {
    let mut url = Url::parse(text).map_err(|error| error.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a password in an address ends up in logs".to_owned());
    }
    let expected = url.fragment().map(str::parse).transpose().map_err(|error| format!("after `#`: {error}"))?;
    url.set_fragment(None);
    Ok(Address { url, expected })
}

fn oci(text: &str) -> Result<Reference, String> {
    let registry = text.split('/').next().unwrap_or_default();
    // Docker would take `name` for one of its own registry's: nobody who misspells a file means that.
    if !registry.contains(['.', ':']) && registry != "localhost" {
        return Err(format!("`{registry}` is no registry"));
    }
    let reference: Reference = text.parse().map_err(|error| format!("{error}"))?;
    match reference.digest() {
        Some(digest) if digest.parse::<Digest>().is_err() => Err("its digest is no SHA-256 in lower case".to_owned()),
        _ => Ok(reference),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci(reference) => write!(f, "oci://{reference}"),
            Self::Url(address) => address.fmt(f),
            Self::File(path) | Self::Archive(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected {
            Some(expected) => write!(f, "{}#{expected}", self.url),
            None => self.url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        let digest = Digest::of(b"x");
        for (text, kind, shown) in [
            ("./a.wasm", "file", "./a.wasm"),
            ("a.wasm", "file", "a.wasm"),
            ("plugins/a/a.wasm", "file", "plugins/a/a.wasm"),
            ("C:\\a\\b", "file", "C:\\a\\b"),
            ("/tmp/site.tar", "archive", "/tmp/site.tar"),
            ("https://a.example/b.wasm", "url", "https://a.example/b.wasm"),
            (&format!("https://a.example/b.tar#{digest}"), "url", &format!("https://a.example/b.tar#{digest}")),
            ("a.example/b/c:1.2.3", "oci", "oci://a.example/b/c:1.2.3"),
            ("localhost/b", "oci", "oci://localhost/b:latest"),
            ("127.0.0.1:5000/b", "oci", "oci://127.0.0.1:5000/b:latest"),
            ("oci://a.example/b.wasm:1", "oci", "oci://a.example/b.wasm:1"),
            (&format!("a.example/b@{digest}"), "oci", &format!("oci://a.example/b@{digest}")),
        ] {
            let source: Source = text.parse().unwrap();
            let found = match &source {
                Source::Oci(_) => "oci",
                Source::Url(_) => "url",
                Source::File(_) => "file",
                Source::Archive(_) => "archive",
            };
            assert_eq!((found, source.to_string().as_str()), (kind, shown), "{text}");
            // What is shown is understood again, so it can be kept.
            assert_eq!(source.to_string().parse::<Source>().unwrap(), source, "{text}");
        }
    }

    #[test]
    fn what_names_no_version_floats_until_it_is_held() {
        let source = |text: &str| text.parse::<Source>().unwrap();
        let manifest = Digest::of(b"m");
        for (text, floats, version) in [
            ("a.example/b", true, None),
            ("a.example/b:1.2.3", false, Some("1.2.3")),
            ("a.example/b:1.2.3_x", false, Some("1.2.3+x")),
            ("a.example/b:stable", false, None),
            ("https://a.example/b.wasm", false, None),
            ("./a.wasm", false, None),
        ] {
            let found = source(text).version().map(|it| it.to_string());
            assert_eq!((source(text).floats(), found.as_deref()), (floats, version), "{text}");
        }
        let held = source("a.example/b:1.2.3").held_to(manifest);
        assert_eq!(held, source(&format!("a.example/b@{manifest}")));
        assert_eq!((held.floats(), held.version()), (false, None));
        assert_eq!(source("./a.wasm").held_to(manifest), source("./a.wasm"));
    }

    #[test]
    fn what_is_typed_wrong_says_so() {
        for (text, why) in [
            ("disk-cleanup", "names no registry"),
            ("library/nginx", "`library` is no registry"),
            ("a.example/UPPER", "invalid reference"),
            ("ftp://a.example/b.wasm", "`ftp` is not known"),
            ("https://me:secret@a.example/b.wasm", "ends up in logs"),
            ("https://a.example/b.wasm#v1", "is not a digest"),
            (&format!("a.example/b@sha512:{}", "0".repeat(128)), "no SHA-256"),
            (
                &format!("a.example/b@{}", Digest::of(b"x").to_string().to_uppercase().replace("SHA", "sha")),
                "no SHA-256",
            ),
        ] {
            let error = text.parse::<Source>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
