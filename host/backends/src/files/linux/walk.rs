//! A walk through the folders below a handle, in the order of paths, within bounds.

use std::ffi::CString;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use contract::Context;
use contract::files::EntryKind;
use contract::types::Error;
use rustix::fs::Dir as Listing;
use tokio_util::sync::CancellationToken;

use crate::files::path::{RelPath, is_within, path_order};
use crate::files::tally::{Doomed, Tally};
use crate::files::{QUARANTINE, WALK_DEPTH_MAX, WALK_ENTRIES_MAX};

use super::root::{Stat, io, open_listing};

/// Kept of a call's time for its answer: what is cut short is still answered.
const ANSWER: Duration = Duration::from_millis(200);

/// How long blocking work may go on.
#[derive(Clone)]
pub(super) struct Patience {
    until: Instant,
    cancel: CancellationToken,
}

impl Patience {
    pub(super) fn of(cx: &Context) -> Self {
        Self { until: cx.deadline.checked_sub(ANSWER).unwrap_or(cx.deadline), cancel: cx.cancel.clone() }
    }

    pub(super) fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || Instant::now() >= self.until
    }
}

/// How to walk, and what became of it.
pub(super) struct Walk {
    pub(super) patience: Patience,
    pub(super) max_depth: u32,
    /// Whether to stay out of mount points.
    pub(super) one_file_system: bool,
    /// Where to go on: only what comes after this path is visited.
    pub(super) after: Option<RelPath>,
    /// Entries that could not be read or named.
    pub(super) skipped: u32,
    /// Whether something was not looked at.
    pub(super) is_cut: bool,
    looked_at: u64,
}

impl Walk {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            max_depth: WALK_DEPTH_MAX,
            one_file_system: true,
            after: None,
            skipped: 0,
            is_cut: false,
            looked_at: 0,
        }
    }

    /// Visits everything below a folder whose path is `path`, until `visit` breaks.
    pub(super) fn run(
        &mut self,
        folder: &Dir,
        path: &RelPath,
        visit: &mut dyn FnMut(&str, &Stat) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let listing = open_listing(folder, c".").map_err(|error| io(path.as_str(), error))?;
        let mut prefix = path.prefix();
        let _ = self.folder(listing, &mut prefix, 1, visit);
        Ok(())
    }

    fn folder(
        &mut self,
        folder: OwnedFd,
        prefix: &mut String,
        depth: u32,
        visit: &mut dyn FnMut(&str, &Stat) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(names) = self.names(&folder) else { return ControlFlow::Continue(()) };
        let folder_length = prefix.len();
        for name in names {
            if self.patience.is_over() || self.looked_at >= WALK_ENTRIES_MAX {
                self.is_cut = true;
                return ControlFlow::Break(());
            }
            prefix.push_str(&name);
            let flow = self.entry(&folder, &name, prefix, depth, visit);
            prefix.truncate(folder_length);
            flow?;
        }
        ControlFlow::Continue(())
    }

    fn entry(
        &mut self,
        folder: &OwnedFd,
        name: &str,
        path: &mut String,
        depth: u32,
        visit: &mut dyn FnMut(&str, &Stat) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let after = self.after.as_ref().map(RelPath::as_str);
        let is_seen = after.is_some_and(|after| path_order(path, after).is_le());
        if is_seen && after.is_some_and(|after| !is_within(after, path)) {
            return ControlFlow::Continue(());
        }
        let stat = match Stat::of(folder, name) {
            Ok(Some(stat)) => stat,
            // It went between the listing and the look.
            Ok(None) => return ControlFlow::Continue(()),
            Err(_) => {
                self.skipped += 1;
                return ControlFlow::Continue(());
            }
        };
        self.looked_at += 1;
        if !is_seen {
            visit(path, &stat)?;
        }
        if stat.kind != EntryKind::Folder || (self.one_file_system && stat.is_mount_point) {
            return ControlFlow::Continue(());
        }
        if depth >= self.max_depth {
            self.is_cut |= self.max_depth >= WALK_DEPTH_MAX;
            return ControlFlow::Continue(());
        }
        let Some(inside) = CString::new(name).ok().and_then(|name| open_listing(folder, &name).ok()) else {
            self.skipped += 1;
            return ControlFlow::Continue(());
        };
        path.push('/');
        self.folder(inside, path, depth + 1, visit)
    }

    /// The names in a folder, in order; none where it cannot be read.
    fn names(&mut self, folder: &OwnedFd) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let Ok(listing) =
            folder.as_fd().try_clone_to_owned().map_err(drop).and_then(|fd| Listing::new(fd).map_err(drop))
        else {
            self.skipped += 1;
            return None;
        };
        let room = WALK_ENTRIES_MAX.saturating_sub(self.looked_at);
        for entry in listing {
            let Ok(entry) = entry else {
                self.skipped += 1;
                break;
            };
            if u64::try_from(names.len()).unwrap_or(u64::MAX) >= room {
                self.is_cut = true;
                break;
            }
            match entry.file_name().to_str() {
                Ok("." | ".." | QUARANTINE) => {}
                Ok(name) => names.push(name.to_owned()),
                Err(_) => self.skipped += 1,
            }
        }
        names.sort_unstable();
        Some(names)
    }
}

/// What would go with a name in a folder.
pub(super) fn doomed(folder: &Dir, name: &str, stat: &Stat, patience: &Patience) -> Result<Doomed, Error> {
    let mut below = Tally::default();
    if stat.kind == EntryKind::Folder && !stat.is_mount_point {
        let inside = CString::new(name).ok().and_then(|name| open_listing(folder, &name).ok());
        match inside {
            Some(inside) => below = tally(&Dir::from_std_file(inside.into()), patience)?,
            None => below.skipped = 1,
        }
    }
    Ok(Doomed { meta: stat.meta(), below })
}

/// What is below a folder, added up.
pub(super) fn tally(folder: &Dir, patience: &Patience) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut walk = Walk::new(patience.clone());
    walk.run(folder, &RelPath::root(), &mut |_, stat| {
        tally.add(&stat.meta());
        ControlFlow::Continue(())
    })?;
    tally.skipped = walk.skipped;
    tally.truncated = walk.is_cut;
    Ok(tally)
}
