use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contract::files::{
    Entries, Entry, EntryKind, FindEntries, GetEntry, GetSha256, GetUsage, ListRoots, ReadFile, ReadTail, Usage,
};
use contract::types::Error;
use contract::{Context, files};
use model::Scope;
use serde::Deserialize;

use crate::{Shared, errors};

use super::path::RelPath;
use super::planned::{Content, Node, Planned, made, written};
use super::selection::Wanted;
use super::tally::Tally;
use super::{Overlay, no_root, nothing_at};

/// Files of a device in memory: `[files]` of a fixture.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fixture {
    /// The roots that exist, by name.
    #[serde(default)]
    pub roots: BTreeSet<String>,
    /// What is in them; folders above a path are there by themselves.
    #[serde(default)]
    pub entries: Vec<FixtureEntry>,
}

/// `[[files.entries]]`: something in a root.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureEntry {
    /// Its root; it exists by being named here.
    pub root: String,
    /// Where it is, below the root.
    pub path: String,
    /// What it is; a file if left out.
    #[serde(default)]
    pub kind: FixtureKind,
    /// What a file holds, as text.
    pub content: Option<String>,
    /// How long a file of zeros is, where it has no `content`.
    pub size_bytes: Option<u64>,
    /// How long ago it was last written, when the fixture is loaded.
    #[serde(default)]
    pub age_seconds: u64,
    /// Attributes as `files.entry` has them, such as `owner`.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// What an entry of a fixture is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixtureKind {
    /// A file.
    #[default]
    File,
    /// A folder.
    Folder,
    /// A link; where it leads does not matter, because none is followed.
    Link,
    /// A socket, pipe or device.
    Other,
}

/// Files in memory: everything is planned, over roots that are empty.
pub struct Memory;

impl Memory {
    /// The files of a fixture.
    #[expect(clippy::new_ret_no_self, reason = "the twin is the overlay: what is planned on it is what it holds")]
    pub fn new(fixture: &Fixture, shared: &Shared) -> Result<Overlay, Error> {
        let now_ms = shared.clock.now_ms();
        let mut planned = Planned::default();
        let mut roots = fixture.roots.clone();
        for entry in &fixture.entries {
            let path = RelPath::parse(&entry.path)?.not_the_root()?;
            roots.insert(entry.root.clone());
            for above in path.above() {
                if matches!(planned.see(&entry.root, &above)?, super::planned::Sight::Base) {
                    let folder = made(&above, now_ms);
                    planned.put(&entry.root, &above, Node::Here(folder, Content::default()));
                }
            }
            let (entry_there, content) = node(&path, entry, now_ms);
            planned.put(&entry.root, &path, Node::Here(entry_there, content));
        }
        Ok(Overlay::with(Arc::new(Empty { roots, now_ms }), shared, planned))
    }
}

fn node(path: &RelPath, fixture: &FixtureEntry, now_ms: u64) -> (Entry, Content) {
    let modified_ms = now_ms.saturating_sub(fixture.age_seconds.saturating_mul(1_000));
    let content = match &fixture.content {
        Some(text) => Content::bytes(text.clone().into_bytes()),
        None => Content::zeros(fixture.size_bytes.unwrap_or_default()),
    };
    let mut entry = match fixture.kind {
        FixtureKind::Folder => made(path, modified_ms),
        FixtureKind::File => written(path, None, false, content.size_bytes(), modified_ms),
        FixtureKind::Link => Entry { kind: EntryKind::Link, ..written(path, None, false, 0, modified_ms) },
        FixtureKind::Other => Entry { kind: EntryKind::Other, ..written(path, None, false, 0, modified_ms) },
    };
    entry.attributes.retain(|(name, _)| !fixture.attributes.contains_key(name));
    entry.attributes.extend(fixture.attributes.clone());
    (entry, content)
}

/// Roots with nothing in them.
struct Empty {
    roots: BTreeSet<String>,
    now_ms: u64,
}

impl Empty {
    /// Whether the path is the root itself, which is all that there is.
    fn is_root(&self, root: &str, path: &str) -> Result<bool, Error> {
        match self.roots.contains(root) {
            true => Ok(RelPath::parse(path)?.as_str().is_empty()),
            false => Err(no_root(root)),
        }
    }

    fn no_file<T>(&self, root: &str, path: &str) -> Result<T, Error> {
        match self.is_root(root, path)? {
            true => Err(super::wrong_kind(path, "file", EntryKind::Folder)),
            false => Err(nothing_at(path)),
        }
    }

    fn check_folder(&self, root: &str, path: &str) -> Result<(), Error> {
        match self.is_root(root, path)? {
            true => Ok(()),
            false => Err(nothing_at(path)),
        }
    }
}

#[async_trait::async_trait]
impl files::Backend for Empty {
    async fn list_roots(&self, cx: &Context, _: &ListRoots) -> Result<Vec<String>, Error> {
        granted_roots(cx, self.roots.iter())
    }

    async fn get_entry(&self, _: &Context, call: &GetEntry) -> Result<Option<Entry>, Error> {
        let is_root = self.is_root(&call.root, &call.path)?;
        Ok(is_root.then(|| made(&RelPath::root(), self.now_ms)))
    }

    async fn find_entries(&self, _: &Context, call: &FindEntries) -> Result<Entries, Error> {
        Wanted::parse(&call.selection)?;
        self.check_folder(&call.root, &call.path)?;
        Ok(Entries { items: Vec::new(), truncated: false, skipped: 0 })
    }

    async fn get_usage(&self, _: &Context, call: &GetUsage) -> Result<Usage, Error> {
        self.check_folder(&call.root, &call.path)?;
        Ok(Tally::default().usage())
    }

    async fn read_file(&self, _: &Context, call: &ReadFile) -> Result<Vec<u8>, Error> {
        self.no_file(&call.root, &call.path)
    }

    async fn read_tail(&self, _: &Context, call: &ReadTail) -> Result<String, Error> {
        self.no_file(&call.root, &call.path)
    }

    async fn get_sha256(&self, _: &Context, call: &GetSha256) -> Result<String, Error> {
        self.no_file(&call.root, &call.path)
    }
}

/// Those of the roots that the call's scope has.
pub(super) fn granted_roots<'a>(cx: &Context, roots: impl Iterator<Item = &'a String>) -> Result<Vec<String>, Error> {
    let grammar = contract::FILES.scope;
    let scope = Scope::new(grammar, cx.scope.clone()).map_err(|error| errors::invalid("scope", error.to_string()))?;
    Ok(roots.filter(|root| scope.allows(root)).cloned().collect())
}
