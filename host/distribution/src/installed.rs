//! What is installed: components and what was signed about them, each under its digest, and one entry for each name and version.
//!
//! Whoever may write to the folder may change what is in it, and is found out: what is read is what its digest says, or nothing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use model::{Digest, manifest};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::file;
use crate::package::{COMPONENT_BYTES_MAX, SIGNATURE_BYTES_MAX, STATEMENT_BYTES_MAX};
use crate::{Attachment, Error, Package};

/// The most bytes of an entry: digests of 64 statements with 16 signatures each.
const ENTRY_BYTES_MAX: u64 = 256 << 10;
/// How long the rest of a download that nobody finished is kept.
const PARTIAL_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The folder of what is installed.
pub struct Installed {
    folder: PathBuf,
}

/// One version of one plugin that is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Whoever publishes it, as its manifest has it.
    pub publisher: String,
    /// The component's digest.
    pub digest: Digest,
    /// The component's size.
    pub size_bytes: u64,
    /// Where it came from.
    pub source: String,
    /// When, in milliseconds since 1970.
    pub installed_ms: u64,
    attachments: Vec<Kept>,
}

/// A statement that is kept, by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    statement: Digest,
    signatures: Vec<Digest>,
}

/// What was freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Entry {
    /// About a package. What name and version are is read from the component, by whoever verified it.
    pub fn new(name: &str, version: &Version, publisher: &str, source: &str, package: &Package, now_ms: u64) -> Self {
        Self {
            name: name.to_owned(),
            version: version.clone(),
            publisher: publisher.to_owned(),
            digest: Digest::of(&package.component),
            size_bytes: package.component.len() as u64,
            source: source.to_owned(),
            installed_ms: now_ms,
            attachments: package.attachments.iter().map(Kept::of).collect(),
        }
    }

    /// How many statements there are about it.
    pub fn statements(&self) -> usize {
        self.attachments.len()
    }

    fn file_name(&self) -> String {
        format!("{}@{}.json", self.name, self.version)
    }

    fn digests(&self) -> impl Iterator<Item = Digest> {
        let of_attachments = self.attachments.iter().flat_map(|it| it.signatures.iter().copied().chain([it.statement]));
        of_attachments.chain([self.digest])
    }
}

impl Kept {
    fn of(attachment: &Attachment) -> Self {
        Self {
            statement: Digest::of(&attachment.statement),
            signatures: attachment.signatures.iter().map(|it| Digest::of(it)).collect(),
        }
    }
}

impl Installed {
    /// In a folder that only its owner may write to; it is made where there is none.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        for folder in [folder, &folder.join("blobs"), &folder.join("entries")] {
            store::make_private_folder(folder).map_err(Error::io(folder))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The folders that files are put into, replaced in and removed from: as long as nothing is, what is installed stays.
    pub fn folders(&self) -> Vec<PathBuf> {
        ["entries", "blobs"].map(|name| self.folder.join(name)).into()
    }

    /// Where downloads under way are kept.
    pub fn partial(&self) -> PathBuf {
        self.folder.join("partial")
    }

    /// Installs a package. The same again adds the statements that are new; other bytes of the same name and version are refused.
    pub fn add(&self, mut entry: Entry, package: &Package) -> Result<Entry, Error> {
        check_name(&entry.name)?;
        let _lock = self.lock()?;
        let path = self.entry_path(&entry.file_name());
        let mut package = package.clone();
        if let Some(there) = self.read_entry(&path)? {
            if there.digest != entry.digest {
                let name = format!("{}@{}", entry.name, entry.version);
                return Err(Error::Installed { name, found: there.digest });
            }
            // What was changed since is written again.
            package.attachments.extend(self.load(&there).map(|it| it.attachments).unwrap_or_default());
        }
        let package = package.checked()?;
        entry.attachments = package.attachments.iter().map(Kept::of).collect();
        self.keep(&package.component)?;
        for attachment in &package.attachments {
            self.keep(&attachment.statement)?;
            attachment.signatures.iter().try_for_each(|it| self.keep(it))?;
        }
        let text = serde_json::to_vec_pretty(&entry).map_err(|error| Error::io(&path)(error.into()))?;
        store::whole::write(&path, &text).map_err(Error::io(&path))?;
        Ok(entry)
    }

    /// Everything that is installed, by name and version.
    pub fn list(&self) -> Result<Vec<Entry>, Error> {
        let folder = self.folder.join("entries");
        let mut entries = Vec::new();
        for file in fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let path = file.map_err(Error::io(&folder))?.path();
            // What a host that died has left is none.
            if path.extension().is_some_and(|it| it == "json") {
                entries.extend(self.read_entry(&path)?);
            }
        }
        entries.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        Ok(entries)
    }

    /// What `name` or `name@version` stands for: the newest, where no version is named.
    pub fn find(&self, text: &str) -> Result<Entry, Error> {
        let found = self.find_all(text)?;
        found.into_iter().next_back().ok_or_else(|| Error::NotInstalled(text.to_owned()))
    }

    /// What `name` or `name@version` stands for: all versions, where none is named.
    pub fn find_all(&self, text: &str) -> Result<Vec<Entry>, Error> {
        Ok(named(&self.list()?, text).cloned().collect())
    }

    /// A plugin that is installed, if it still is what was installed.
    pub fn load(&self, entry: &Entry) -> Result<Package, Error> {
        let component = self.blob(entry.digest, COMPONENT_BYTES_MAX)?;
        let mut attachments = Vec::new();
        for kept in &entry.attachments {
            let signatures = kept.signatures.iter().map(|&it| self.blob(it, SIGNATURE_BYTES_MAX));
            let signatures = signatures.collect::<Result<_, _>>()?;
            attachments.push(Attachment { statement: self.blob(kept.statement, STATEMENT_BYTES_MAX)?, signatures });
        }
        Package { component, attachments }.checked()
    }

    /// Removes an entry; its bytes go with the next [`Installed::tidy`], unless others have them too.
    pub fn remove(&self, entry: &Entry) -> Result<(), Error> {
        let _lock = self.lock()?;
        file::remove(&self.entry_path(&entry.file_name())).map(drop)
    }

    /// Frees what no entry names, and downloads that nobody goes on with.
    pub fn tidy(&self, now_ms: u64) -> Result<Freed, Error> {
        let _lock = self.lock()?;
        let named: BTreeSet<String> = self.list()?.iter().flat_map(Entry::digests).map(|digest| digest.hex()).collect();
        let mut freed = Freed::default();
        freed.sweep(&self.folder.join("blobs"), |name, _| !named.contains(name))?;
        let is_old =
            |_: &str, modified_ms: u64| Duration::from_millis(now_ms.saturating_sub(modified_ms)) > PARTIAL_KEPT;
        freed.sweep(&self.partial(), is_old)?;
        Ok(freed)
    }

    /// Held while anything changes: what one puts there, another must not take for garbage.
    fn lock(&self) -> Result<File, Error> {
        let path = self.folder.join("lock");
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(Error::io(&path))?;
        file.lock().map_err(Error::io(&path))?;
        Ok(file)
    }

    fn entry_path(&self, file_name: &str) -> PathBuf {
        self.folder.join("entries").join(file_name)
    }

    fn read_entry(&self, path: &Path) -> Result<Option<Entry>, Error> {
        let Some(bytes) = file::bytes(path, ENTRY_BYTES_MAX)? else { return Ok(None) };
        let entry: Entry = serde_json::from_slice(&bytes).map_err(|error| Error::changed(path, error.to_string()))?;
        check_name(&entry.name)?;
        match path.file_name().is_some_and(|name| *name == *entry.file_name()) {
            true => Ok(Some(entry)),
            false => Err(Error::changed(path, format!("it is about {} {}", entry.name, entry.version))),
        }
    }

    fn blob_path(&self, digest: Digest) -> PathBuf {
        self.folder.join("blobs").join(digest.hex())
    }

    fn blob(&self, digest: Digest, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let path = self.blob_path(digest);
        let bytes = file::bytes(&path, bytes_max)?.ok_or_else(|| Error::changed(&path, "it is gone"))?;
        match Digest::of(&bytes) {
            found if found == digest => Ok(bytes),
            found => Err(Error::changed(&path, format!("it is {found}"))),
        }
    }

    /// Keeps bytes under their digest, in place of whatever else is there.
    fn keep(&self, bytes: &[u8]) -> Result<(), Error> {
        let digest = Digest::of(bytes);
        let path = self.blob_path(digest);
        match self.blob(digest, bytes.len() as u64) {
            Ok(_) => Ok(()),
            Err(_) => store::whole::write(&path, bytes).map_err(Error::io(&path)),
        }
    }
}

impl Freed {
    fn sweep(&mut self, folder: &Path, is_garbage: impl Fn(&str, u64) -> bool) -> Result<(), Error> {
        let files = match fs::read_dir(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io(folder)(error)),
        };
        for file in files {
            let file = file.map_err(Error::io(folder))?;
            let about = file.metadata().map_err(Error::io(folder))?;
            let modified = about.modified().ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            let modified_ms = u64::try_from(modified.as_millis()).unwrap_or(u64::MAX);
            if is_garbage(&file.file_name().to_string_lossy(), modified_ms) && file::remove(&file.path())? {
                self.files += 1;
                self.bytes += about.len();
            }
        }
        Ok(())
    }
}

/// Those of them that `name` or `name@version` may stand for.
pub fn named<'a>(entries: &'a [Entry], text: &'a str) -> impl Iterator<Item = &'a Entry> {
    let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
    let is_it = move |it: &&Entry| it.name == name && version.is_none_or(|version| it.version.to_string() == version);
    entries.iter().filter(is_it)
}

/// It becomes a file's name.
fn check_name(name: &str) -> Result<(), Error> {
    match manifest::is_name(name) {
        true => Ok(()),
        false => Err(Error::layout(name, format!("a name has {}", manifest::NAME_SHAPE))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(component: &str, statements: &[&str]) -> Package {
        let attachment = |it: &&str| Attachment { statement: it.as_bytes().to_vec(), signatures: vec![b"s".to_vec()] };
        Package { component: component.as_bytes().to_vec(), attachments: statements.iter().map(attachment).collect() }
    }

    fn add(installed: &Installed, name: &str, version: &str, package: &Package) -> Result<Entry, Error> {
        let version = version.parse().unwrap();
        installed.add(Entry::new(name, &version, "example", "./a.wasm", package, 7), package)
    }

    #[test]
    fn what_is_installed_is_found_and_gone_when_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let installed = Installed::open(folder.path()).unwrap();
        let (old, new) = (package("old", &["a"]), package("new", &["a", "b"]));
        add(&installed, "one", "1.9.0", &old).unwrap();
        add(&installed, "one", "1.10.0", &new).unwrap();
        let listed: Vec<String> = installed.list().unwrap().iter().map(Entry::file_name).collect();
        assert_eq!(listed, ["one@1.9.0.json", "one@1.10.0.json"]);
        assert_eq!(installed.load(&installed.find("one").unwrap()).unwrap(), new);
        assert_eq!(installed.load(&installed.find("one@1.9.0").unwrap()).unwrap(), old);
        assert!(matches!(installed.find("one@2.0.0"), Err(Error::NotInstalled(_))));
        assert!(matches!(installed.find("two"), Err(Error::NotInstalled(_))));
        installed.remove(&installed.find("one@1.10.0").unwrap()).unwrap();
        // The other one has its statement and signature too.
        assert_eq!(installed.tidy(8).unwrap(), Freed { files: 2, bytes: 4 });
        assert_eq!(installed.tidy(8).unwrap(), Freed::default());
        assert_eq!(installed.load(&installed.find("one").unwrap()).unwrap(), old);
    }

    #[test]
    fn a_version_never_changes_and_its_statements_come_together() {
        let folder = tempfile::tempdir().unwrap();
        let installed = Installed::open(folder.path()).unwrap();
        add(&installed, "one", "1.0.0", &package("x", &["a"])).unwrap();
        let error = add(&installed, "one", "1.0.0", &package("y", &["a"])).unwrap_err();
        assert!(matches!(error, Error::Installed { .. }), "{error}");
        let entry = add(&installed, "one", "1.0.0", &package("x", &["b"])).unwrap();
        assert_eq!(installed.load(&entry).unwrap(), package("x", &["a", "b"]));
        for name in ["", "../one", "One", "a/b"] {
            assert!(add(&installed, name, "1.0.0", &package("x", &[])).is_err(), "{name}");
        }
    }

    #[test]
    fn what_somebody_changed_is_refused_until_it_is_installed_again() {
        let folder = tempfile::tempdir().unwrap();
        let installed = Installed::open(folder.path()).unwrap();
        let whole = package("component", &["statement"]);
        let entry = add(&installed, "one", "1.0.0", &whole).unwrap();
        for digest in entry.digests() {
            let path = installed.blob_path(digest);
            let good = fs::read(&path).unwrap();
            installed.load(&entry).expect("the control");
            fs::write(&path, [&good[1..], b"x"].concat()).unwrap();
            assert!(matches!(installed.load(&entry), Err(Error::Changed { .. })));
            fs::remove_file(&path).unwrap();
            assert!(matches!(installed.load(&entry), Err(Error::Changed { .. })));
            add(&installed, "one", "1.0.0", &whole).unwrap();
            assert_eq!(installed.load(&entry).unwrap(), whole);
        }
        let path = installed.entry_path("one@1.0.0.json");
        fs::copy(&path, installed.entry_path("two@1.0.0.json")).unwrap();
        assert!(matches!(installed.list(), Err(Error::Changed { .. })), "an entry under another name");
        fs::remove_file(installed.entry_path("two@1.0.0.json")).unwrap();
        fs::write(&path, "{").unwrap();
        assert!(matches!(installed.list(), Err(Error::Changed { .. })));
    }

    #[test]
    fn downloads_are_kept_for_a_week() {
        let folder = tempfile::tempdir().unwrap();
        let installed = Installed::open(folder.path()).unwrap();
        fs::create_dir(installed.partial()).unwrap();
        let file = installed.partial().join("half");
        fs::write(&file, "half").unwrap();
        let written = file.metadata().unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
        let after = |more: Duration| u64::try_from((written + more).as_millis()).unwrap() + 1;
        assert_eq!(installed.tidy(after(PARTIAL_KEPT - Duration::from_secs(1))).unwrap(), Freed::default());
        assert_eq!(installed.tidy(after(PARTIAL_KEPT)).unwrap(), Freed { files: 1, bytes: 4 });
    }
}
