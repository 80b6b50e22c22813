//! A plugin in transit: the component, and what people signed about it. What that says is for others.

use std::collections::BTreeMap;

use model::Digest;

use crate::Error;

/// The most bytes of a component: as many as are ever verified.
pub const COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// The most bytes of a statement: it names digests and grants, no data.
pub const STATEMENT_BYTES_MAX: u64 = 256 << 10;
/// The most bytes of a signature: as many as are ever verified; OpenSSH's are some 300.
pub const SIGNATURE_BYTES_MAX: u64 = 4 << 10;
/// The most signatures of one statement: a threshold of people, not a petition.
pub const SIGNATURES_MAX: usize = 16;
/// The most statements that travel with a plugin.
pub const ATTACHMENTS_MAX: usize = 64;

/// A plugin with everything that travels with it. None of it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The component.
    pub component: Vec<u8>,
    /// What was signed about it.
    pub attachments: Vec<Attachment>,
}

/// A statement and its detached signatures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// The very bytes that were signed.
    pub statement: Vec<u8>,
    /// One a signer.
    pub signatures: Vec<Vec<u8>>,
}

/// What is written on the outside, for registries and the people who browse them. Whoever receives a plugin reads what is
/// inside of it, and never this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub title: String,
    /// Its version.
    pub version: String,
    /// One line.
    pub description: String,
    /// An SPDX expression.
    pub licenses: String,
    /// Whoever publishes it.
    pub vendor: String,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
}

impl Package {
    /// Whether everything of it is within its limits, in the order in which everybody has it.
    pub(crate) fn checked(mut self) -> Result<Self, Error> {
        at_most("the component", self.component.len(), COMPONENT_BYTES_MAX)?;
        if self.attachments.len() > ATTACHMENTS_MAX {
            return Err(Error::TooMany { what: "statements about one plugin".to_owned(), most: ATTACHMENTS_MAX });
        }
        for attachment in &mut self.attachments {
            attachment.check()?;
            attachment.signatures.sort_unstable();
            attachment.signatures.dedup();
        }
        self.attachments.sort_unstable();
        self.attachments.dedup();
        Ok(self)
    }
}

impl Attachment {
    pub(crate) fn check(&self) -> Result<(), Error> {
        at_most("a statement", self.statement.len(), STATEMENT_BYTES_MAX)?;
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(Error::TooMany { what: "signatures of one statement".to_owned(), most: SIGNATURES_MAX });
        }
        self.signatures.iter().try_for_each(|it| at_most("a signature", it.len(), SIGNATURE_BYTES_MAX))
    }
}

fn at_most(what: &str, bytes: usize, bytes_max: u64) -> Result<(), Error> {
    match bytes as u64 > bytes_max {
        true => Err(Error::TooLarge { what: what.to_owned(), bytes_max }),
        false => Ok(()),
    }
}

impl Label {
    /// As annotations, without those that say nothing.
    pub(crate) fn annotations(&self) -> BTreeMap<String, String> {
        let all = [
            (oci_spec::image::ANNOTATION_TITLE, &self.title),
            (oci_spec::image::ANNOTATION_VERSION, &self.version),
            (oci_spec::image::ANNOTATION_DESCRIPTION, &self.description),
            (oci_spec::image::ANNOTATION_LICENSES, &self.licenses),
            (oci_spec::image::ANNOTATION_VENDOR, &self.vendor),
        ];
        all.into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| (name.to_owned(), text.clone()))
            .collect()
    }

    /// The tag of this version. Build metadata begins with a sign that no tag may have.
    pub fn tag(&self) -> String {
        tag_of(&self.version)
    }
}

/// The tag of a version.
pub fn tag_of(version: &str) -> String {
    version.replace('+', "_")
}

/// The version that a tag stands for, if it is one.
pub fn version_of(tag: &str) -> Option<semver::Version> {
    tag.replace('_', "+").parse().ok()
}

/// Bytes as they are asked for: of a digest, and of a size that is known before a byte has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl Expected {
    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::of(bytes), size: bytes.len() as u64 }
    }

    /// Whether these are the bytes.
    pub(crate) fn check(&self, what: &str, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() as u64 != self.size {
            let found = bytes.len() as u64;
            return Err(Error::WrongSize { what: what.to_owned(), expected: self.size, found });
        }
        check_digest(what, self.digest, Digest::of(bytes))
    }

    /// Whether so much is ever asked for.
    pub(crate) fn at_most(&self, what: &str, bytes_max: u64) -> Result<(), Error> {
        match self.size > bytes_max {
            true => Err(Error::TooLarge { what: what.to_owned(), bytes_max }),
            false => Ok(()),
        }
    }
}

pub(crate) fn check_digest(what: &str, expected: Digest, found: Digest) -> Result<(), Error> {
    match expected == found {
        true => Ok(()),
        false => Err(Error::WrongDigest { what: what.to_owned(), expected, found }),
    }
}
