use std::borrow::Cow;

use contract::patch::{GetPolicy, ListHistory, ListSources, ListUpdates};
use contract::patch_control::{Hold, RefreshIndex, Release};
use contract::patch_install::{InstallUpdates, Repair, RequestReboot};

use super::Adapter;

/// What an install changes beside packages, in ways that nobody can foretell. Of `software` the package manager can, as a rule:
/// where it cannot, the overlay says so.
const UNSEEN_BY_INSTALL: &[&str] = &["command", "files", "http", "process", "query", "service"];

/// Lists have only what is of a source in the scope.
impl Adapter for ListUpdates {}
impl Adapter for ListHistory {}
impl Adapter for ListSources {}
impl Adapter for GetPolicy {}

impl Adapter for RefreshIndex {
    /// What an index would bring is in nobody's hands.
    const UNSEEN_BY: &'static [&'static str] = &["patch"];

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.source)]
    }
}

impl Adapter for Hold {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.source)]
    }

    fn targets(&self) -> Vec<String> {
        vec![format!("{}:{}", self.source, self.product)]
    }
}

impl Adapter for Release {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.source)]
    }

    fn targets(&self) -> Vec<String> {
        vec![format!("{}:{}", self.source, self.product)]
    }
}

impl Adapter for InstallUpdates {
    const UNSEEN_BY: &'static [&'static str] = UNSEEN_BY_INSTALL;

    /// The source of each id, once.
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        let mut sources: Vec<&str> = self.ids.iter().map(|id| id.split(':').next().unwrap_or(id)).collect();
        sources.sort_unstable();
        sources.dedup();
        sources.into_iter().map(Cow::Borrowed).collect()
    }

    fn targets(&self) -> Vec<String> {
        self.ids.clone()
    }
}

impl Adapter for Repair {
    /// What is half-installed may be of any version afterwards.
    const UNSEEN_BY: &'static [&'static str] = &["command", "files", "http", "process", "query", "service", "software"];

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.source)]
    }
}

/// The machine is of no source.
impl Adapter for RequestReboot {
    fn targets(&self) -> Vec<String> {
        vec!["machine".to_owned()]
    }
}
