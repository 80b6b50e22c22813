//! What is planned in a tree of files: entries that would be there, and paths at which nothing would be any more.

use std::collections::BTreeMap;
use std::ops::Bound;

use contract::files::{Entry, EntryKind};
use contract::types::Error;

use super::is_link;
use super::path::RelPath;

/// The block of most file systems: what a planned file is taken to occupy is a multiple of it.
const BLOCK_BYTES: u64 = 4_096;

/// What a planned file holds: a beginning that is not kept here, and then bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) head: Head,
    pub(super) head_bytes: u64,
    pub(super) tail: Vec<u8>,
}

/// What the beginning of a planned file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Head {
    /// As many zeros: large files in fixtures.
    #[default]
    Zeros,
    /// What the file of the base holds there.
    Base,
}

impl Content {
    pub(super) fn bytes(tail: Vec<u8>) -> Self {
        Self { tail, ..Self::default() }
    }

    pub(super) fn zeros(head_bytes: u64) -> Self {
        Self { head_bytes, ..Self::default() }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.head_bytes + u64::try_from(self.tail.len()).unwrap_or(u64::MAX)
    }
}

/// What is planned at one path. Nothing that a base has below it shows through.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Gone,
    Here(Entry, Content),
}

/// What one sees at a path.
#[derive(Debug)]
pub(super) enum Sight<'a> {
    /// Whatever the base has.
    Base,
    Nothing,
    Planned(&'a Entry, &'a Content),
}

/// Everything that is planned, by root and path.
#[derive(Debug, Default)]
pub(super) struct Planned {
    roots: BTreeMap<String, BTreeMap<String, Node>>,
    /// By root, the bytes that its quarantine would have from this run.
    kept_bytes: BTreeMap<String, u64>,
}

impl Planned {
    /// What is at a path, as far as it was planned.
    pub(super) fn see(&self, root: &str, path: &RelPath) -> Result<Sight<'_>, Error> {
        let Some(nodes) = self.roots.get(root) else { return Ok(Sight::Base) };
        match nodes.get(path.as_str()) {
            Some(Node::Gone) => return Ok(Sight::Nothing),
            Some(Node::Here(entry, content)) => return Ok(Sight::Planned(entry, content)),
            None => {}
        }
        for above in path.above().rev() {
            match nodes.get(above.as_str()) {
                Some(Node::Here(entry, _)) if entry.kind == EntryKind::Link => return Err(is_link(above.as_str())),
                Some(_) => return Ok(Sight::Nothing),
                None => {}
            }
        }
        Ok(Sight::Base)
    }

    /// Whether anything is planned at or below a folder, or a folder above it: else the base alone can answer.
    pub(super) fn touches(&self, root: &str, folder: &RelPath) -> bool {
        let has = |path: &str| self.roots.get(root).is_some_and(|nodes| nodes.contains_key(path));
        let prefix = folder.prefix();
        has(folder.as_str())
            || folder.above().any(|above| has(above.as_str()))
            || self.with_prefix(root, &prefix).next().is_some()
    }

    /// What is planned at paths that begin so.
    fn with_prefix<'a>(&'a self, root: &str, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let nodes =
            self.roots.get(root).map(|nodes| nodes.range::<str, _>((Bound::Included(prefix), Bound::Unbounded)));
        nodes
            .into_iter()
            .flatten()
            .map(|(path, node)| (path.as_str(), node))
            .take_while(move |(path, _)| path.starts_with(prefix))
    }

    /// Plans what is at a path, and that nothing of what was below it is there.
    pub(super) fn put(&mut self, root: &str, path: &RelPath, node: Node) {
        let below: Vec<String> = self.with_prefix(root, &path.prefix()).map(|(known, _)| known.to_owned()).collect();
        let nodes = self.roots.entry(root.to_owned()).or_default();
        below.iter().for_each(|known| drop(nodes.remove(known)));
        nodes.insert(path.as_str().to_owned(), node);
    }

    /// The bytes that the quarantine of a root would have from this run.
    pub(super) fn kept_bytes(&mut self, root: &str) -> &mut u64 {
        self.kept_bytes.entry(root.to_owned()).or_default()
    }

    /// The planned entries below the folder of this prefix, each with its path below it and its depth.
    pub(super) fn below<'a>(&'a self, root: &str, prefix: &'a str) -> impl Iterator<Item = (&'a Entry, &'a str, u32)> {
        self.with_prefix(root, prefix).filter_map(move |(path, node)| {
            let below = path.strip_prefix(prefix).filter(|below| !below.is_empty())?;
            let depth = u32::try_from(below.split('/').count()).unwrap_or(u32::MAX);
            match node {
                Node::Here(entry, _) => Some((entry, below, depth)),
                Node::Gone => None,
            }
        })
    }
}

/// The entry of a file that was written: what it was stays what it is (owner, mode), where there was one.
pub(super) fn written(
    path: &RelPath,
    found: Option<&Entry>,
    is_same_inode: bool,
    size_bytes: u64,
    now_ms: u64,
) -> Entry {
    let stays = |name: &str| match name {
        "accessed-ms" | "changed-ms" | "allocated-bytes" => false,
        "links" | "inode" | "created-ms" => is_same_inode,
        _ => true,
    };
    let mut attributes: Vec<(String, String)> = match found {
        Some(found) => found.attributes.iter().filter(|(name, _)| stays(name)).cloned().collect(),
        None => vec![("mode".to_owned(), "0644".to_owned())],
    };
    let allocated_bytes = size_bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES;
    let mut add = |name: &str, value: u64| attributes.push((name.to_owned(), value.to_string()));
    add("accessed-ms", now_ms);
    add("changed-ms", now_ms);
    add("allocated-bytes", allocated_bytes);
    if found.is_none() || !is_same_inode {
        add("links", 1);
    }
    Entry { path: path.as_str().to_owned(), kind: EntryKind::File, size_bytes, modified_ms: now_ms, attributes }
}

/// The entry of a folder that was made.
pub(super) fn made(path: &RelPath, now_ms: u64) -> Entry {
    let attributes =
        [("mode", "0755".to_owned()), ("changed-ms", now_ms.to_string()), ("allocated-bytes", BLOCK_BYTES.to_string())];
    Entry {
        path: path.as_str().to_owned(),
        kind: EntryKind::Folder,
        size_bytes: 0,
        modified_ms: now_ms,
        attributes: attributes.map(|(name, value)| (name.to_owned(), value)).to_vec(),
    }
}
