//! All that a toolchain builds a plugin of, as files of one folder: written only where it is not there yet.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use include_dir::{Dir, DirEntry};
use model::Digest;

use crate::shipped;

/// Where it lies in a project.
pub(super) const FOLDER: &str = ".remit/build";
/// Says of what the component beside it was built.
const STAMP: &str = "stamp";
const COMPONENT: &str = "component.wasm";

/// Files by their path in the folder, with `/`.
#[derive(Default)]
pub(super) struct Stage {
    files: BTreeMap<String, String>,
}

impl Stage {
    pub(super) fn add(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.insert(path.into(), text.into());
    }

    /// Adds the files of a folder that this program carries, those below it too.
    pub(super) fn add_shipped(&mut self, dir: &Dir<'_>, below: &str) -> anyhow::Result<()> {
        self.add_dir(dir, dir.path(), below)
    }

    fn add_dir(&mut self, dir: &Dir<'_>, top: &Path, below: &str) -> anyhow::Result<()> {
        for entry in dir.entries() {
            match entry {
                DirEntry::Dir(inner) => self.add_dir(inner, top, below)?,
                DirEntry::File(file) => {
                    let path = file.path().strip_prefix(top)?.to_string_lossy().replace('\\', "/");
                    let text = file.contents_utf8().with_context(|| format!("{path} is no text"))?;
                    self.add(format!("{below}/{path}"), text);
                }
            }
        }
        Ok(())
    }

    /// The component of these files: what was built last, or what `build` makes of a folder and writes into a file. Both are named
    /// as from the project's folder, where toolchains are started.
    pub(super) fn component(
        &self,
        project: &Path,
        build: impl FnOnce(&Path, &Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<u8>> {
        let folder = project.join(FOLDER);
        let (stamp, component) = (folder.join(STAMP), folder.join(COMPONENT));
        let digest = self.digest().to_string();
        if std::fs::read_to_string(&stamp).is_ok_and(|built| built == digest) && component.is_file() {
            return std::fs::read(&component).with_context(|| format!("{}", component.display()));
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        }
        for (path, text) in &self.files {
            shipped::text_file(&folder.join(path), text)?;
        }
        let here = Path::new(".").join(FOLDER);
        build(&here, &here.join(COMPONENT))?;
        let bytes = std::fs::read(&component).with_context(|| format!("{}", component.display()))?;
        std::fs::write(&stamp, digest).with_context(|| format!("{}", stamp.display()))?;
        Ok(bytes)
    }

    fn digest(&self) -> Digest {
        let mut all = Vec::new();
        for (path, text) in &self.files {
            for part in [path, text] {
                all.extend_from_slice(&part.len().to_le_bytes());
                all.extend_from_slice(part.as_bytes());
            }
        }
        Digest::of(&all)
    }
}
