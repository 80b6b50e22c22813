//! What a host believes, on its disk: a file a document, each whole or not there. The pin is written once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use model::Digest;
use semver::Version;

use crate::file::{self, Error};
use crate::known::Known;
use crate::{Kind, Refusal, Signed, Taken, Time, Trust};

/// The most documents of a kind: a host has one policy and some approvals a client. What is left out could be a revocation, so a
/// folder with more is refused.
pub(crate) const DOCUMENTS_MAX: usize = 10_000;

/// The file of versions that ran.
const VERSIONS: &str = "versions.json";

/// The file of the latest time that was seen.
const CLOCK: &str = "clock";

/// The file of who signed the documents.
const KNOWN: &str = "known.json";

/// A folder that whoever opens it has made sure nobody else may write to.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// What was found in a folder.
#[derive(Debug)]
pub struct Loaded {
    /// What is believed.
    pub trust: Trust,
    /// Files that hold nothing to believe, and why: they are left out.
    pub left_out: Vec<(PathBuf, Vec<Refusal>)>,
}

impl Folder {
    /// This folder. It need not be there: then nothing is pinned.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folders that documents are put into, replaced in and removed from: as long as nothing is, what is believed stays.
    pub fn folders(&self) -> Vec<PathBuf> {
        let of_kinds = Kind::all().filter(|kind| kind.is_kept()).map(|kind| self.0.join(kind.word()));
        [self.0.clone()].into_iter().chain(of_kinds).collect()
    }

    /// Pins a root, once: another one needs another folder.
    pub fn pin(&self, trust: &Trust, root: &Signed) -> Result<(), Error> {
        let path = self.0.join("pin");
        match self.pinned()? {
            Some(pinned) if pinned != trust.pin() => {
                Err(Error::Refused(path, Refusal::NotTheRoot { found: trust.pin(), pinned }))
            }
            Some(_) => Ok(()),
            None => {
                // The pin comes last: without it the folder is as good as empty.
                self.write(Kind::Root, &file_of_root(trust.root().serial), root)?;
                file::replace(&path, format!("{}\n", trust.pin()).as_bytes())
            }
        }
    }

    /// The fingerprint that is pinned here.
    pub fn pinned(&self) -> Result<Option<Digest>, Error> {
        let path = self.0.join("pin");
        match file::read_bounded(&path) {
            Err(Error::Io(_, error)) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other),
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let wrong = |problem: String| Error::Refused(path, Refusal::WrongContent { problem });
                text.trim_end().parse().map(Some).map_err(|error: model::digest::NotADigest| wrong(error.to_string()))
            }
        }
    }

    /// All that is believed here, but for what there is to install: no run needs that. None where nothing is pinned.
    pub fn load(&self) -> Result<Option<Loaded>, Error> {
        let Some(pin) = self.pinned()? else { return Ok(None) };
        let mut known = Known::read(self.0.join(KNOWN));
        let mut roots = Vec::new();
        for path in self.list(Kind::Root)? {
            roots.push((path.clone(), document(Kind::Root, &path, Some(&mut known))?));
        }
        let mut left_out = Vec::new();
        let first = roots.iter().position(|(_, root)| Digest::of(root.statement()) == pin);
        let missing =
            || Error::Refused(self.0.clone(), Refusal::WrongContent { problem: format!("the root {pin} is gone") });
        let (path, root) = first.and_then(|at| roots.get(at)).ok_or_else(missing)?;
        let refused = |refusals: Vec<Refusal>| {
            let problem = refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Error::Refused(path.clone(), Refusal::WrongContent { problem })
        };
        let mut trust = Trust::pinned(pin, root).map_err(refused)?;
        let later = roots.iter().skip(first.map_or(0, |at| at + 1));
        later.for_each(|(path, root)| restore(&mut trust, Kind::Root, path, root, &mut left_out));
        for kind in Kind::all().filter(|kind| kind.is_kept() && !matches!(kind, Kind::Root | Kind::Index)) {
            self.restore(kind, Some(&mut known), &mut trust, &mut left_out)?;
        }
        known.keep();
        trust.restore_versions(self.versions()?);
        trust.restore_time(self.time()?);
        trust.settle();
        Ok(Some(Loaded { trust, left_out }))
    }

    /// The same, with what there is to install.
    pub fn load_with_indexes(&self) -> Result<Option<Loaded>, Error> {
        let Some(mut loaded) = self.load()? else { return Ok(None) };
        self.restore(Kind::Index, None, &mut loaded.trust, &mut loaded.left_out)?;
        Ok(Some(loaded))
    }

    fn restore(
        &self,
        kind: Kind,
        mut known: Option<&mut Known>,
        trust: &mut Trust,
        left_out: &mut Vec<(PathBuf, Vec<Refusal>)>,
    ) -> Result<(), Error> {
        for path in self.list(kind)? {
            match document(kind, &path, known.as_deref_mut()) {
                Ok(signed) => restore(trust, kind, &path, &signed, left_out),
                Err(Error::Refused(path, refusal)) => left_out.push((path, vec![refusal])),
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Keeps a document that was taken, in the place of an older one.
    pub fn keep(&self, taken: &Taken, signed: &Signed, trust: &Trust) -> Result<(), Error> {
        match taken.kind {
            Kind::Root => self.write(Kind::Root, &file_of_root(trust.root().serial), signed),
            kind => self.write(kind, &taken.subject, signed),
        }
    }

    /// Which statements of these kinds are kept, by their digests. What cannot be read is not.
    pub fn digests(&self, kinds: &[Kind]) -> Result<BTreeSet<Digest>, Error> {
        let mut digests = BTreeSet::new();
        for kind in kinds {
            let kept = self.list(*kind)?.into_iter().filter_map(|path| document(*kind, &path, None).ok());
            digests.extend(kept.map(|signed| Digest::of(signed.statement())));
        }
        Ok(digests)
    }

    /// The documents of a kind that are kept, as they were signed. What cannot be read is left out.
    pub fn documents(&self, kind: Kind) -> Result<Vec<Signed>, Error> {
        Ok(self.list(kind)?.into_iter().filter_map(|path| document(kind, &path, None).ok()).collect())
    }

    /// Has it that it is this late, by the clock. That is kept by the hour: a clock that is set back makes nothing valid again that
    /// had expired.
    pub fn note_time(&self, trust: &mut Trust, clock: Time) -> Result<(), Error> {
        match trust.note_time(clock) {
            true => file::replace(&self.clock_file(), format!("{clock}\n").as_bytes()),
            false => Ok(()),
        }
    }

    /// Where the latest time is kept that was seen. A clock that was wrong once, and far ahead, is forgotten with it.
    pub fn clock_file(&self) -> PathBuf {
        self.0.join(CLOCK)
    }

    fn time(&self) -> Result<Option<Time>, Error> {
        let path = self.clock_file();
        match file::read_bounded(&path) {
            Err(Error::Io(_, error)) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other),
            Ok(bytes) => match String::from_utf8_lossy(&bytes).trim_end().parse() {
                Ok(time) => Ok(Some(time)),
                Err(error) => Err(Error::Refused(path, Refusal::WrongContent { problem: error.to_string() })),
            },
        }
    }

    /// Keeps which versions ran, where that has changed; what another process has kept meanwhile stays.
    pub fn keep_versions(&self, trust: &Trust) -> Result<(), Error> {
        let kept = self.versions()?;
        let mut newest = kept.clone();
        for (name, version) in trust.versions() {
            let place = newest.entry(name.clone()).or_insert_with(|| version.clone());
            if *place < *version {
                place.clone_from(version);
            }
        }
        if newest == kept {
            return Ok(());
        }
        let text = serde_json::to_vec(&newest).unwrap_or_default();
        file::replace(&self.0.join(VERSIONS), &text)
    }

    fn versions(&self) -> Result<BTreeMap<String, Version>, Error> {
        let path = self.0.join(VERSIONS);
        match file::read_bounded(&path) {
            Err(Error::Io(_, error)) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(other) => Err(other),
            // Without it every old version could run again: whoever looks after the host decides, and not this line.
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Refused(path, Refusal::NotJson { problem: error.to_string() })),
        }
    }

    fn write(&self, kind: Kind, name: &str, signed: &Signed) -> Result<(), Error> {
        let folder = self.0.join(kind.word());
        std::fs::create_dir_all(&folder).map_err(|error| Error::Io(folder.clone(), error))?;
        file::replace(&folder.join(format!("{name}.signed")), &signed.to_text())
    }

    /// The documents of a kind, in the order of their names.
    fn list(&self, kind: Kind) -> Result<Vec<PathBuf>, Error> {
        let folder = self.0.join(kind.word());
        let io = |error| Error::Io(folder.clone(), error);
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io)?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if path.extension() == Some("signed".as_ref()) {
                paths.push(path);
            }
            if paths.len() > DOCUMENTS_MAX {
                return Err(io(std::io::Error::other(format!("it has more than {DOCUMENTS_MAX} documents"))));
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// Roots are read in the order of their numbers.
fn file_of_root(serial: u64) -> String {
    format!("{serial:020}")
}

/// A document of this folder, in one file with its signatures.
fn document(kind: Kind, path: &Path, known: Option<&mut Known>) -> Result<Signed, Error> {
    let bytes = file::read_bounded(path)?;
    let signed = Signed::from_text(&bytes).map_err(|refusal| Error::Refused(path.to_owned(), refusal))?;
    Ok(match known {
        Some(known) => known.meet(kind, &bytes, signed),
        None => signed,
    })
}

fn restore(trust: &mut Trust, kind: Kind, path: &Path, signed: &Signed, left_out: &mut Vec<(PathBuf, Vec<Refusal>)>) {
    if let Err(refusals) = trust.restore(kind, signed) {
        left_out.push((path.to_owned(), refusals));
    }
}
