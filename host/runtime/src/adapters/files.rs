//! Scope entries are names of roots. What an effect is about is the root and the path.

use std::borrow::Cow;

use backends::files::target;
use contract::files::{FindEntries, GetEntry, GetSha256, GetUsage, ListRoots, ReadFile, ReadTail};
use contract::files_erase::EraseEntries;
use contract::files_write::{MakeFolder, RemoveEntries, WriteFile};

use super::{Adapter, Charges, bytes_of};

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
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.root)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.root, &self.path)]
    }

    fn charges(&self) -> Charges {
        Charges { file_bytes: bytes_of(self.content.len()), ..Charges::default() }
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

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.root)]
    }

    fn targets(&self) -> Vec<String> {
        self.paths.iter().map(|path| target(&self.root, path)).collect()
    }
}

impl Adapter for EraseEntries {
    const GUARDS: &'static [&'static str] = &["unchanged-since-ms"];

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.root)]
    }

    fn targets(&self) -> Vec<String> {
        self.paths.iter().map(|path| target(&self.root, path)).collect()
    }
}
