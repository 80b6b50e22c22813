//! Which entries are wanted, and in which order: one reading of `selection` for what is real and what is planned.

use contract::files::{Entries, Entry, EntryKind, Selection};
use contract::types::Error;
use globset::{GlobBuilder, GlobMatcher};

use crate::{attributes, errors};

use super::path::{RelPath, path_order};
use super::tally::Meta;
use super::{PAGE_ENTRIES_MAX, WALK_DEPTH_MAX};

/// The most bytes of a pattern: it becomes a regular expression.
const PATTERN_BYTES_MAX: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Path,
    Oldest,
    Newest,
    Largest,
}

/// A selection that was looked through.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) max_depth: u32,
    pub(super) one_file_system: bool,
    pub(super) order: Order,
    /// Only what comes after this path.
    pub(super) after: Option<RelPath>,
    pub(super) limit: usize,
    glob: Option<GlobMatcher>,
    modified_before_ms: Option<u64>,
    min_size_bytes: Option<u64>,
    kind: Option<EntryKind>,
    owner: Option<String>,
}

impl Wanted {
    /// What a guest handed over, or what is wrong with it.
    pub(super) fn parse(selection: &Selection) -> Result<Self, Error> {
        if !(1..=WALK_DEPTH_MAX).contains(&selection.max_depth) {
            return Err(errors::invalid("max-depth", format!("1 to {WALK_DEPTH_MAX}, not {}", selection.max_depth)));
        }
        if !(1..=PAGE_ENTRIES_MAX).contains(&selection.limit) {
            return Err(errors::invalid("limit", format!("1 to {PAGE_ENTRIES_MAX}, not {}", selection.limit)));
        }
        attributes::check(&selection.attributes)?;
        let mut wanted = Self {
            max_depth: selection.max_depth,
            one_file_system: false,
            order: Order::Path,
            after: None,
            limit: usize::try_from(selection.limit).unwrap_or(usize::MAX),
            glob: selection.pattern.as_deref().map(glob).transpose()?,
            modified_before_ms: selection.modified_before_ms,
            min_size_bytes: selection.min_size_bytes,
            kind: None,
            owner: None,
        };
        for (name, value) in &selection.attributes {
            wanted.option(name, value)?;
        }
        match wanted.after.is_some() && wanted.order != Order::Path {
            true => Err(errors::invalid("after", "`after` goes with the order `path` alone")),
            false => Ok(wanted),
        }
    }

    fn option(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let bad = || errors::invalid(name, format!("`{value}` is no value of `{name}`"));
        match name {
            "kind" => {
                let kinds = [EntryKind::File, EntryKind::Folder, EntryKind::Link, EntryKind::Other];
                self.kind = Some(kinds.into_iter().find(|kind| kind.word() == value).ok_or_else(bad)?);
            }
            "owner" => self.owner = Some(value.to_owned()),
            "one-file-system" => self.one_file_system = value.parse().map_err(|_| bad())?,
            "order" => {
                self.order = match value {
                    "path" => Order::Path,
                    "oldest" => Order::Oldest,
                    "newest" => Order::Newest,
                    "largest" => Order::Largest,
                    _ => return Err(bad()),
                }
            }
            "after" => self.after = Some(RelPath::parse(value)?),
            _ => return Err(errors::invalid("unknown-attribute", format!("a selection has no `{name}` on this host"))),
        }
        Ok(())
    }

    /// Whether an entry is wanted: `below` is its path below the folder.
    pub(super) fn matches(&self, below: &str, meta: &Meta, owner: impl FnOnce() -> Option<String>) -> bool {
        self.modified_before_ms.is_none_or(|before| meta.modified_ms < before)
            && self.min_size_bytes.is_none_or(|least| meta.size_bytes >= least)
            && self.kind.is_none_or(|kind| meta.kind == kind)
            && self.glob.as_ref().is_none_or(|glob| glob.is_match(below))
            && self.owner.as_ref().is_none_or(|wanted| owner().as_ref() == Some(wanted))
    }

    /// A page that nothing was put on yet.
    pub(super) fn page(&self) -> Page {
        Page { limit: self.limit, order: self.order, items: Vec::new(), overflown: false }
    }
}

fn glob(pattern: &str) -> Result<GlobMatcher, Error> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(errors::invalid("pattern", format!("a pattern has at most {PATTERN_BYTES_MAX} bytes")));
    }
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| errors::invalid("pattern", format!("`{pattern}`: {}", error.kind())))
}

/// The first entries in the order that is wanted, however many are offered: it never holds more than twice its limit.
pub(super) struct Page {
    limit: usize,
    order: Order,
    items: Vec<Entry>,
    overflown: bool,
}

impl Page {
    /// Offers one entry.
    pub(super) fn offer(&mut self, entry: Entry) {
        self.items.push(entry);
        if self.items.len() > self.limit.saturating_mul(2) {
            self.cut();
        }
    }

    /// Whether what comes later in the order of paths can no longer be on it.
    pub(super) fn is_settled(&self) -> bool {
        self.order == Order::Path && self.items.len() > self.limit
    }

    fn cut(&mut self) {
        match self.order {
            Order::Path => self.items.sort_by(|a, b| path_order(&a.path, &b.path)),
            Order::Oldest => {
                self.items.sort_by(|a, b| a.modified_ms.cmp(&b.modified_ms).then_with(|| path_order(&a.path, &b.path)))
            }
            Order::Newest => {
                self.items.sort_by(|a, b| b.modified_ms.cmp(&a.modified_ms).then_with(|| path_order(&a.path, &b.path)));
            }
            Order::Largest => {
                self.items.sort_by(|a, b| b.size_bytes.cmp(&a.size_bytes).then_with(|| path_order(&a.path, &b.path)));
            }
        }
        self.overflown |= self.items.len() > self.limit;
        self.items.truncate(self.limit);
    }

    /// The answer.
    pub(super) fn finish(mut self, is_cut: bool, skipped: u32) -> Entries {
        self.cut();
        Entries { items: self.items, truncated: self.overflown || is_cut, skipped }
    }
}
