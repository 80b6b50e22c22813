//! A plugin with everything that travels with it in one file, for sites without a network: an OCI image layout in a tar, which other
//! tools read too.
//!
//! Reading one takes nothing for granted. It names files of one level only, whose names are digests, so there is no path that could
//! lead anywhere: what is not of that form is refused, and nothing is ever unpacked to the disk.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use model::Digest;
use tar::{EntryType, Header};

use crate::layout::{self, Image, MANIFEST, MANIFEST_BYTES_MAX};
use crate::package::{ATTACHMENTS_MAX, COMPONENT_BYTES_MAX, Expected};
use crate::{Attachment, Error, Label, Package};

/// The most bytes of an archive: the largest component, and what is signed about it.
pub const ARCHIVE_BYTES_MAX: u64 = COMPONENT_BYTES_MAX + (16 << 20);
/// The most entries: a plugin with 64 statements and 16 signatures of each has 1,200 blobs.
const ENTRIES_MAX: usize = 2048;
/// The most bytes of a tar's extended header: other tools write times into it.
const EXTENSION_BYTES_MAX: u64 = 8 << 10;

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs/sha256/";

/// Why an archive is not read.
#[derive(Debug, thiserror::Error)]
pub enum BadArchive {
    /// Larger than any of ours.
    #[error("it has more than {ARCHIVE_BYTES_MAX} bytes")]
    TooLarge,
    /// More entries than any of ours.
    #[error("it has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// It is compressed, and what comes out may have no end.
    #[error("it is compressed; an archive of plugins is a plain tar")]
    Compressed,
    /// A header that means nothing.
    #[error("it is no tar: {0}")]
    Tar(String),
    /// A path that leads out, or is none of a layout's.
    #[error("it has an entry `{0}`, which is none of an OCI layout")]
    Path(String),
    /// A link, a device, or a file with holes.
    #[error("`{path}` in it is a {kind}, and an OCI layout has only files and folders")]
    Kind {
        /// Which entry.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// Two files under one name: readers would disagree which of them counts.
    #[error("it has `{0}` twice")]
    Twice(String),
    /// It ends in the middle of a file.
    #[error("it ends in the middle of `{0}`")]
    Cut(String),
    /// What is in a file is not what its name says.
    #[error("`{path}` in it is {found}: it was changed")]
    Digest {
        /// Which entry.
        path: String,
        /// The digest of what is in it.
        found: Digest,
    },
    /// A manifest names what is not there.
    #[error("{0} is missing from it")]
    Missing(String),
    /// There is nothing in it.
    #[error("there is no plugin in it")]
    Empty,
    /// There is more than one in it.
    #[error("there are {0} plugins in it: an archive has one")]
    Several(usize),
    /// What is there is none of ours.
    #[error(transparent)]
    Content(#[from] Box<Error>),
}

impl From<Error> for BadArchive {
    fn from(error: Error) -> Self {
        Self::Content(Box::new(error))
    }
}

/// Writes a plugin as an archive: the same bytes for the same plugin.
pub fn write(package: &Package, label: &Label) -> Result<Vec<u8>, Error> {
    let package = package.clone().checked()?;
    let config = layout::config(&package, label)?;
    let image = layout::plugin(&package, label, &config)?;
    // Listed under its tag, so that other tools can name it.
    let mut listed = vec![layout::named(image.descriptor.clone(), &label.tag())];
    let mut images = Vec::new();
    for attachment in &package.attachments {
        let image = layout::attachment(attachment, &image.descriptor)?;
        listed.push(image.descriptor.clone());
        images.push(image);
    }
    images.push(image);
    let blobs: BTreeMap<Digest, &[u8]> = images.iter().flat_map(contents).map(|it| (Digest::of(it), it)).collect();
    let mut archive = tar::Builder::new(Vec::new());
    let mut put = |path: &str, bytes: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let put = archive.append_data(&mut header, path, bytes);
        put.map_err(|source| Error::Io { path: path.to_owned(), source })
    };
    put(MARKER, &layout::marker()?)?;
    put(INDEX, &layout::index(listed)?)?;
    for (digest, bytes) in blobs {
        put(&format!("{BLOBS}{}", digest.hex()), bytes)?;
    }
    let written = archive.into_inner();
    written.map_err(|source| Error::Io { path: "the archive".to_owned(), source })
}

fn contents<'a>(image: &'a Image<'a>) -> impl Iterator<Item = &'a [u8]> {
    image.blobs.iter().copied().chain([image.manifest.as_slice()])
}

/// The plugin in an archive.
pub fn read(archive: impl Read) -> Result<Package, BadArchive> {
    let files = Files::read(archive)?;
    files.get(MARKER)?;
    let listed = layout::read_index(INDEX, files.get(INDEX)?)?;
    let statements = layout::statements(INDEX, &listed)?;
    let mut plugins = Vec::new();
    // Other tools list whatever they like beside it.
    for manifest in listed.iter().filter_map(|it| layout::expected(INDEX, it, MANIFEST, MANIFEST_BYTES_MAX).ok()) {
        if layout::is_plugin(files.blob(manifest)?) {
            plugins.push(manifest);
        }
    }
    let plugin = match *plugins.as_slice() {
        [] => return Err(BadArchive::Empty),
        [plugin] => plugin,
        _ => return Err(BadArchive::Several(plugins.len())),
    };
    let component = layout::read_plugin(INDEX, files.blob(plugin)?)?;
    let component = files.blob(component)?.to_vec();
    let mut attachments = Vec::with_capacity(statements.len().min(ATTACHMENTS_MAX));
    for manifest in statements {
        let what = manifest.digest.to_string();
        let (statement, signatures) = layout::read_attachment(&what, files.blob(manifest)?, plugin.digest)?;
        let signatures = signatures.into_iter().map(|it| files.blob(it).map(<[u8]>::to_vec));
        let signatures = signatures.collect::<Result<_, _>>()?;
        attachments.push(Attachment { statement: files.blob(statement)?.to_vec(), signatures });
    }
    Ok(Package { component, attachments }.checked()?)
}

/// What is in an archive: names that are allowed, and blobs that are what they are called.
#[derive(Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn read(archive: impl Read) -> Result<Self, BadArchive> {
        let mut bytes = Vec::new();
        let read = archive.take(ARCHIVE_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| BadArchive::Tar(error.to_string()))?;
        if bytes.len() as u64 > ARCHIVE_BYTES_MAX {
            return Err(BadArchive::TooLarge);
        }
        if [&[0x1f, 0x8b][..], b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"].iter().any(|magic| bytes.starts_with(magic)) {
            return Err(BadArchive::Compressed);
        }
        let mut files = Self::default();
        let mut archive = tar::Archive::new(Cursor::new(&bytes));
        let tar = |error: std::io::Error| BadArchive::Tar(error.to_string());
        // Raw: extensions are entries like any other, and none is believed.
        for (at, entry) in archive.entries().map_err(tar)?.raw(true).enumerate() {
            if at >= ENTRIES_MAX {
                return Err(BadArchive::TooManyEntries);
            }
            files.add(entry.map_err(tar)?)?;
        }
        Ok(files)
    }

    fn add(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), BadArchive> {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let size = entry.header().size().map_err(|error| BadArchive::Tar(error.to_string()))?;
        let refused = |kind| Err(BadArchive::Kind { path: path.clone(), kind });
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory if ["blobs", "blobs/sha256", "."].contains(&path.trim_end_matches('/')) => {
                return Ok(());
            }
            EntryType::Directory => return Err(BadArchive::Path(path)),
            EntryType::Symlink | EntryType::Link => return refused("link"),
            EntryType::Char | EntryType::Block => return refused("device"),
            EntryType::Fifo => return refused("pipe"),
            EntryType::GNUSparse => return refused("file with holes"),
            EntryType::XHeader | EntryType::XGlobalHeader if size <= EXTENSION_BYTES_MAX => return extension(entry),
            _ => return refused("thing of another kind"),
        }
        let digest = path.strip_prefix(BLOBS).map(|hex| format!("sha256:{hex}").parse::<Digest>());
        let digest = match digest {
            Some(Ok(digest)) => Some(digest),
            None if path == MARKER || path == INDEX => None,
            // Podman's and docker's own index, for those that read nothing newer: it says nothing that the other does not.
            None if path == "manifest.json" || path == "repositories" => return Ok(()),
            _ => return Err(BadArchive::Path(path)),
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| BadArchive::Tar(error.to_string()))?;
        if bytes.len() as u64 != size {
            return Err(BadArchive::Cut(path));
        }
        if let Some(digest) = digest
            && digest != Digest::of(&bytes)
        {
            return Err(BadArchive::Digest { path, found: Digest::of(&bytes) });
        }
        match self.0.insert(path.clone(), bytes) {
            None => Ok(()),
            Some(_) => Err(BadArchive::Twice(path)),
        }
    }

    fn get(&self, path: &str) -> Result<&[u8], BadArchive> {
        self.0.get(path).map(Vec::as_slice).ok_or_else(|| BadArchive::Missing(path.to_owned()))
    }

    fn blob(&self, expected: Expected) -> Result<&[u8], BadArchive> {
        let bytes = self.get(&format!("{BLOBS}{}", expected.digest.hex()))?;
        expected.check(&expected.digest.to_string(), bytes)?;
        Ok(bytes)
    }
}

/// Times and owners of other tools are passed over; what would give the next entry another name or size is refused.
fn extension(mut entry: tar::Entry<'_, impl Read>) -> Result<(), BadArchive> {
    let bad = |error: std::io::Error| BadArchive::Tar(error.to_string());
    let Some(extensions) = entry.pax_extensions().map_err(bad)? else { return Ok(()) };
    for extension in extensions {
        let key = String::from_utf8_lossy(extension.map_err(bad)?.key_bytes()).into_owned();
        if ["path", "linkpath", "size"].contains(&key.as_str()) || key.starts_with("GNU.") {
            return Err(BadArchive::Tar(format!("its extended header has a `{key}`")));
        }
    }
    Ok(())
}
