//! Scope entries are names of roots. What an effect is about is the root and the path.

use std::borrow::Cow;

use backends::files::target;
use contract::Answer;
use contract::files::{EntryKind, FindEntries, GetEntry, GetSha256, GetUsage, ListRoots, ReadFile, ReadTail};
use contract::files_erase::{EraseEntries, Erasure};
use contract::files_write::{MakeFolder, Removal, RemoveEntries, WriteFile, WriteMode};
use contract::types::{Change, Effect};
use model::budget::{Amounts, Budget};

use super::{Adapter, Charges, Site, bytes_of};

/// What is replaced is gone as much as what is removed. A quarantine that lets go of it later deletes nothing more.
const SPENDS: &[Budget] = &[Budget::DeletedBytes];

fn deleted(bytes: u64) -> Amounts {
    Amounts::of(Budget::DeletedBytes, bytes)
}

/// What there is on disk at these paths. What cannot be looked at is not removed either.
async fn on_disk(site: Site<'_>, root: &str, paths: &[String]) -> Amounts {
    let mut bytes = 0_u64;
    for path in paths {
        let entry = GetEntry { root: root.to_owned(), path: path.clone() };
        let Ok(Some(entry)) = site.backends.files.get_entry(site.cx, &entry).await else { continue };
        let allocated = entry.attributes.iter().find(|(name, _)| name == "allocated-bytes");
        let allocated = allocated.and_then(|(_, value)| value.parse().ok()).unwrap_or(entry.size_bytes);
        bytes = bytes.saturating_add(allocated);
        if entry.kind == EntryKind::Folder {
            let usage = GetUsage { root: root.to_owned(), path: path.clone() };
            let usage = site.backends.files.get_usage(site.cx, &usage).await;
            bytes = bytes.saturating_add(usage.map_or(0, |usage| usage.allocated_bytes));
        }
    }
    deleted(bytes)
}

/// The backend lists what is in the scope.
impl Adapter for ListRoots {}

macro_rules! about_its_root {
    ($($call:ty),*) => {
        $(impl Adapter for $call {
            fn subjects(&self) -> Vec<Cow<'_, str>> {
                vec![Cow::Borrowed(&self.root)]
            }
        })*
    };
}

about_its_root!(GetEntry, FindEntries, GetUsage, ReadFile, ReadTail, GetSha256);

impl Adapter for WriteFile {
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.root)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.root, &self.path)]
    }

    fn charges(&self) -> Charges {
        Charges { file_bytes: bytes_of(self.content.len()), ..Charges::default() }
    }

    fn reserve<'a>(&'a self, site: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async move {
            Ok(match self.mode {
                WriteMode::Replace => on_disk(site, &self.root, std::slice::from_ref(&self.path)).await,
                WriteMode::Create | WriteMode::Append => Amounts::default(),
            })
        })
    }

    fn used(&self, change: &Change, reserved: &Amounts) -> Amounts {
        if change.effect == Effect::Unchanged { Amounts::default() } else { reserved.clone() }
    }
}

impl Adapter for MakeFolder {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.root)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.root, &self.path)]
    }
}

impl Adapter for RemoveEntries {
    const GUARDS: &'static [&'static str] = &["unchanged-since-ms"];
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.root)]
    }

    fn targets(&self) -> Vec<String> {
        self.paths.iter().map(|path| target(&self.root, path)).collect()
    }

    fn reserve<'a>(&'a self, site: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async move { Ok(on_disk(site, &self.root, &self.paths).await) })
    }

    fn used(&self, all: &Vec<Removal>, _: &Amounts) -> Amounts {
        deleted(all.iter().map(|it| it.quarantined_bytes).fold(0, u64::saturating_add))
    }
}

impl Adapter for EraseEntries {
    const GUARDS: &'static [&'static str] = &["unchanged-since-ms"];
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.root)]
    }

    fn targets(&self) -> Vec<String> {
        self.paths.iter().map(|path| target(&self.root, path)).collect()
    }

    fn reserve<'a>(&'a self, site: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async move { Ok(on_disk(site, &self.root, &self.paths).await) })
    }

    fn used(&self, all: &Vec<Erasure>, _: &Amounts) -> Amounts {
        deleted(all.iter().map(|it| it.freed_bytes).fold(0, u64::saturating_add))
    }
}
