use std::sync::Arc;

use contract::files::{
    Entries, Entry, EntryKind, FindEntries, GetEntry, GetSha256, GetUsage, ListRoots, ReadFile, ReadTail, Selection,
    Usage,
};
use contract::files_erase::{EraseEntries, Erasure};
use contract::files_write::{MakeFolder, Removal, RemoveEntries, WriteFile};
use contract::types::{Change, Effect, Error};
use contract::{Context, files, files_erase, files_write};
use model::{Clock, Digest};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use crate::Shared;
use crate::attributes::find;

use super::path::{RelPath, path_order};
use super::planned::{Content, Head, Node, Planned, Sight, made, written};
use super::selection::{Order, Wanted};
use super::tally::{Doomed, Meta, Tally};
use super::{
    CONTENT_BYTES_MAX, FOLDER, PAGE_ENTRIES_MAX, WALK_DEPTH_MAX, Write, check_content, check_hashable, check_lines,
    check_paths, check_read_length, decide_write, is_link, last_lines, no_root, nothing_at, other_file_system,
    out_of_time, quarantine_full, wrong_kind,
};

/// Files as they would be: what was planned, over what is there. It can only read what is there.
pub struct Overlay {
    base: Arc<dyn files::Backend>,
    clock: Arc<dyn Clock>,
    planned: Mutex<Planned>,
    /// The bound of the quarantine that would keep what is replaced or removed.
    quarantine_bytes_max: u64,
}

/// One look at one root, with everything that was planned so far.
struct View<'a> {
    base: &'a dyn files::Backend,
    cx: &'a Context,
    root: &'a str,
    planned: MutexGuard<'a, Planned>,
    quarantine_bytes_max: u64,
}

impl Overlay {
    /// Over a backend that is only read.
    pub fn new(base: Arc<dyn files::Backend>, shared: &Shared) -> Self {
        let quarantine_bytes_max = shared.policy.files.quarantine.bytes_max;
        Self { base, clock: Arc::clone(&shared.clock), planned: Mutex::default(), quarantine_bytes_max }
    }

    /// With something planned already: how the twin in memory gets its files.
    pub(super) fn with(base: Arc<dyn files::Backend>, shared: &Shared, planned: Planned) -> Self {
        Self { planned: Mutex::new(planned), ..Self::new(base, shared) }
    }

    async fn view<'a>(&'a self, cx: &'a Context, root: &'a str) -> View<'a> {
        View {
            base: &*self.base,
            cx,
            root,
            planned: self.planned.lock().await,
            quarantine_bytes_max: self.quarantine_bytes_max,
        }
    }
}

impl View<'_> {
    async fn entry(&self, path: &RelPath) -> Result<Option<Entry>, Error> {
        match self.planned.see(self.root, path)? {
            Sight::Nothing => Ok(None),
            Sight::Planned(entry, _) => Ok(Some(entry.clone())),
            Sight::Base => {
                let call = GetEntry { root: self.root.to_owned(), path: path.as_str().to_owned() };
                self.base.get_entry(self.cx, &call).await
            }
        }
    }

    async fn folder(&self, path: &RelPath) -> Result<Entry, Error> {
        let Some(entry) = self.entry(path).await? else { return Err(nothing_at(path.as_str())) };
        match entry.kind {
            EntryKind::Folder => Ok(entry),
            EntryKind::Link => Err(is_link(path.as_str())),
            found => Err(wrong_kind(path.as_str(), "folder", found)),
        }
    }

    /// Refuses what may not be changed below: no folder, a link, or on another file system than the root.
    async fn check_above(&self, path: &RelPath) -> Result<(), Error> {
        for above in path.above() {
            if Meta::of(&self.folder(&above).await?).is_mount_point {
                return Err(other_file_system(above.as_str()));
            }
        }
        Ok(())
    }

    async fn file(&self, path: &RelPath) -> Result<Entry, Error> {
        let Some(entry) = self.entry(path).await? else { return Err(nothing_at(path.as_str())) };
        match entry.kind {
            EntryKind::File => Ok(entry),
            EntryKind::Link => Err(is_link(path.as_str())),
            found => Err(wrong_kind(path.as_str(), "file", found)),
        }
    }

    async fn base_bytes(&self, path: &RelPath, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let call = ReadFile { root: self.root.to_owned(), path: path.as_str().to_owned(), offset, length };
        self.base.read_file(self.cx, &call).await
    }

    /// At most `length` bytes of a file from `offset`.
    async fn bytes(&self, path: &RelPath, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let Sight::Planned(_, content) = self.planned.see(self.root, path)? else {
            return self.base_bytes(path, offset, length).await;
        };
        let from_head = within(content.head_bytes, offset, length);
        let mut bytes = match content.head {
            Head::Base if from_head > 0 => self.base_bytes(path, offset, from_head).await?,
            _ => vec![0; from_head],
        };
        let into_tail = usize::try_from(offset.saturating_sub(content.head_bytes)).unwrap_or(usize::MAX);
        let tail = content.tail.get(into_tail..).unwrap_or_default();
        bytes.extend(tail.iter().take(length - from_head));
        Ok(bytes)
    }

    async fn hash(&self, path: &RelPath, size_bytes: u64) -> Result<Sha256, Error> {
        check_hashable(path, size_bytes)?;
        let mut hash = Sha256::new();
        let mut offset = 0;
        while offset < size_bytes && !self.cx.is_over() {
            let bytes = self.bytes(path, offset, within(size_bytes, offset, CONTENT_BYTES_MAX)).await?;
            if bytes.is_empty() {
                break;
            }
            hash.update(&bytes);
            offset += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        }
        match self.cx.is_over() {
            true => Err(out_of_time()),
            false => Ok(hash),
        }
    }

    /// The wanted entries below a folder that are planned.
    fn planned_below(&self, folder: &RelPath, wanted: &Wanted) -> Vec<Entry> {
        let is_after = |path: &str| wanted.after.as_ref().is_none_or(|after| path_order(path, after.as_str()).is_gt());
        let prefix = folder.prefix();
        let planned = self.planned.below(self.root, &prefix).filter_map(|(entry, below, depth)| {
            let owner = || find(&entry.attributes, "owner").map(str::to_owned);
            let is_wanted =
                depth <= wanted.max_depth && is_after(&entry.path) && wanted.matches(below, &Meta::of(entry), owner);
            is_wanted.then(|| entry.clone())
        });
        planned.collect()
    }

    /// Offers the wanted entries of the base that are still to be seen, in the order of paths, until `offer` has enough.
    /// Answers how many were skipped, and whether some were not looked at.
    async fn each_of_base(
        &self,
        folder: &RelPath,
        selection: &Selection,
        mut offer: impl FnMut(Entry) -> bool,
    ) -> Result<(u32, bool), Error> {
        if !matches!(self.planned.see(self.root, folder)?, Sight::Base) {
            return Ok((0, false));
        }
        let mut selection = Selection { limit: PAGE_ENTRIES_MAX, ..selection.clone() };
        selection.attributes.retain(|(name, _)| name != "order");
        let mut skipped = 0;
        loop {
            let call = FindEntries {
                root: self.root.to_owned(),
                path: folder.as_str().to_owned(),
                selection: selection.clone(),
            };
            let page = self.base.find_entries(self.cx, &call).await?;
            skipped = skipped.max(page.skipped);
            let last = page.items.last().map(|entry| entry.path.clone());
            for entry in page.items {
                let path = RelPath::parse(&entry.path)?;
                if matches!(self.planned.see(self.root, &path), Ok(Sight::Base)) && !offer(entry) {
                    return Ok((skipped, false));
                }
            }
            let Some(last) = last.filter(|_| page.truncated && !self.cx.is_over()) else {
                return Ok((skipped, page.truncated));
            };
            selection.attributes.retain(|(name, _)| name != "after");
            selection.attributes.push(("after".to_owned(), last));
        }
    }

    async fn tally(&self, folder: &RelPath) -> Result<Tally, Error> {
        let mut of_base = Tally::default();
        if matches!(self.planned.see(self.root, folder)?, Sight::Base) {
            let call = GetUsage { root: self.root.to_owned(), path: folder.as_str().to_owned() };
            of_base = Tally::of(&self.base.get_usage(self.cx, &call).await?);
            if !self.planned.touches(self.root, folder) {
                return Ok(of_base);
            }
        }
        let everything = Selection {
            max_depth: WALK_DEPTH_MAX,
            pattern: None,
            modified_before_ms: None,
            min_size_bytes: None,
            limit: PAGE_ENTRIES_MAX,
            attributes: vec![("one-file-system".to_owned(), "true".to_owned())],
        };
        let mut tally = Tally::default();
        for entry in self.planned_below(folder, &Wanted::parse(&everything)?) {
            tally.add(&Meta::of(&entry));
        }
        let add = |entry: Entry| {
            tally.add(&Meta::of(&entry));
            true
        };
        let (skipped, is_cut) = self.each_of_base(folder, &everything, add).await?;
        tally.skipped = skipped;
        tally.truncated = is_cut || of_base.truncated;
        Ok(tally)
    }

    /// Nothing is planned in a root that is not there.
    async fn base_has_root(&self) -> Result<(), Error> {
        let call = GetEntry { root: self.root.to_owned(), path: String::new() };
        self.base.get_entry(self.cx, &call).await?.map(|_| ()).ok_or_else(|| no_root(self.root))
    }

    /// What a file would hold after this is appended to it.
    fn appended(&self, path: &RelPath, size_bytes: u64, content: &[u8]) -> Result<Content, Error> {
        let mut appended = match self.planned.see(self.root, path)? {
            Sight::Planned(_, planned) => planned.clone(),
            _ => Content { head: Head::Base, head_bytes: size_bytes, tail: Vec::new() },
        };
        appended.tail.extend(content);
        Ok(appended)
    }

    /// What would be removed at a path; none where nothing is.
    async fn doomed(&self, path: &RelPath) -> Result<Option<Doomed>, Error> {
        let Some(entry) = self.entry(path).await? else { return Ok(None) };
        self.check_above(path).await?;
        let meta = Meta::of(&entry);
        let below = match entry.kind {
            EntryKind::Folder if !meta.is_mount_point => self.tally(path).await?,
            _ => Tally::default(),
        };
        Ok(Some(Doomed { meta, below }))
    }

    /// Counts what the quarantine would keep, or says that it could not.
    fn keep(&mut self, bytes: u64) -> Result<(), Error> {
        let kept = self.planned.kept_bytes(self.root);
        *kept = match kept.saturating_add(bytes) {
            sum if sum <= self.quarantine_bytes_max => sum,
            _ => return Err(quarantine_full(bytes, self.quarantine_bytes_max)),
        };
        Ok(())
    }

    /// Plans a removal; none where nothing was there.
    async fn remove(
        &mut self,
        path: &RelPath,
        unchanged_since_ms: u64,
        is_kept: bool,
    ) -> Result<Option<Doomed>, Error> {
        if self.cx.is_over() {
            return Err(out_of_time());
        }
        let Some(doomed) = self.doomed(path).await? else { return Ok(None) };
        doomed.check(path, unchanged_since_ms)?;
        if is_kept {
            self.keep(doomed.allocated_bytes())?;
        }
        self.planned.put(self.root, path, Node::Gone);
        Ok(Some(doomed))
    }
}

/// How many of `length` bytes from `offset` are within a file of this size.
fn within(size_bytes: u64, offset: u64, length: usize) -> usize {
    usize::try_from(size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX).min(length)
}

fn digest(hash: Sha256) -> String {
    format!("sha256:{}", hex::encode(hash.finalize()))
}

#[async_trait::async_trait]
impl files::Backend for Overlay {
    async fn list_roots(&self, cx: &Context, call: &ListRoots) -> Result<Vec<String>, Error> {
        self.base.list_roots(cx, call).await
    }

    async fn get_entry(&self, cx: &Context, call: &GetEntry) -> Result<Option<Entry>, Error> {
        self.view(cx, &call.root).await.entry(&RelPath::parse(&call.path)?).await
    }

    async fn find_entries(&self, cx: &Context, call: &FindEntries) -> Result<Entries, Error> {
        let (path, wanted) = (RelPath::parse(&call.path)?, Wanted::parse(&call.selection)?);
        let view = self.view(cx, &call.root).await;
        if !view.planned.touches(&call.root, &path) {
            return self.base.find_entries(cx, call).await;
        }
        view.folder(&path).await?;
        let mut page = wanted.page();
        for entry in view.planned_below(&path, &wanted) {
            page.offer(entry);
        }
        let mut offered = 0;
        let offer = |entry: Entry| {
            page.offer(entry);
            offered += 1;
            wanted.order != Order::Path || offered <= wanted.limit
        };
        let (skipped, is_cut) = view.each_of_base(&path, &call.selection, offer).await?;
        Ok(page.finish(is_cut, skipped))
    }

    async fn get_usage(&self, cx: &Context, call: &GetUsage) -> Result<Usage, Error> {
        let path = RelPath::parse(&call.path)?;
        let view = self.view(cx, &call.root).await;
        if !view.planned.touches(&call.root, &path) {
            return self.base.get_usage(cx, call).await;
        }
        view.folder(&path).await?;
        Ok(view.tally(&path).await?.usage())
    }

    async fn read_file(&self, cx: &Context, call: &ReadFile) -> Result<Vec<u8>, Error> {
        let (path, length) = (RelPath::parse(&call.path)?, check_read_length(call.length)?);
        let view = self.view(cx, &call.root).await;
        view.file(&path).await?;
        view.bytes(&path, call.offset, length).await
    }

    async fn read_tail(&self, cx: &Context, call: &ReadTail) -> Result<String, Error> {
        let (path, lines) = (RelPath::parse(&call.path)?, check_lines(call.lines)?);
        let view = self.view(cx, &call.root).await;
        let size_bytes = view.file(&path).await?.size_bytes;
        let most = u64::try_from(CONTENT_BYTES_MAX).unwrap_or(u64::MAX);
        let tail = view.bytes(&path, size_bytes.saturating_sub(most), CONTENT_BYTES_MAX).await?;
        Ok(last_lines(&tail, lines))
    }

    async fn get_sha256(&self, cx: &Context, call: &GetSha256) -> Result<String, Error> {
        let path = RelPath::parse(&call.path)?;
        let view = self.view(cx, &call.root).await;
        match view.planned.see(&call.root, &path)? {
            Sight::Base => self.base.get_sha256(cx, call).await,
            _ => {
                let size_bytes = view.file(&path).await?.size_bytes;
                Ok(hex::encode(view.hash(&path, size_bytes).await?.finalize()))
            }
        }
    }
}

#[async_trait::async_trait]
impl files_write::Backend for Overlay {
    async fn write_file(&self, cx: &Context, call: &WriteFile) -> Result<Change, Error> {
        check_content(&call.content)?;
        let path = RelPath::parse(&call.path)?.not_the_root()?;
        let mut view = self.view(cx, &call.root).await;
        view.base_has_root().await?;
        view.check_above(&path).await?;
        let found = view.entry(&path).await?;
        let write = decide_write(&path, call.mode, found.as_ref().map(|entry| entry.kind))?;
        let size_bytes = found.as_ref().map_or(0, |entry| entry.size_bytes);
        if found.as_ref().is_some_and(|entry| Meta::of(entry).is_mount_point) {
            return Err(other_file_system(path.as_str()));
        }
        let (before, after, content) = match write {
            Write::Create => (None, Digest::of(&call.content).to_string(), Content::bytes(call.content.clone())),
            Write::Replace => {
                let before = digest(view.hash(&path, size_bytes).await?);
                (Some(before), Digest::of(&call.content).to_string(), Content::bytes(call.content.clone()))
            }
            Write::Append => {
                let hash = view.hash(&path, size_bytes).await?;
                let after = digest(hash.clone().chain_update(&call.content));
                (Some(digest(hash)), after, view.appended(&path, size_bytes, &call.content)?)
            }
        };
        if before.as_ref() == Some(&after) {
            return Ok(Change::unchanged(before));
        }
        if let Some(found) = found.as_ref().filter(|_| write == Write::Replace) {
            view.keep(Meta::of(found).allocated_bytes)?;
        }
        let is_same_inode = write == Write::Append;
        let entry = written(&path, found.as_ref(), is_same_inode, content.size_bytes(), self.clock.now_ms());
        view.planned.put(&call.root, &path, Node::Here(entry, content));
        Ok(Change::new(Effect::Changed, before, Some(after)))
    }

    async fn make_folder(&self, cx: &Context, call: &MakeFolder) -> Result<Change, Error> {
        let path = RelPath::parse(&call.path)?;
        let mut view = self.view(cx, &call.root).await;
        view.base_has_root().await?;
        let folders: Vec<RelPath> = path.above().chain([path.clone()]).collect();
        let mut missing = Vec::new();
        for folder in &folders {
            match view.entry(folder).await? {
                None => missing.push(folder),
                Some(_) if Meta::of(&view.folder(folder).await?).is_mount_point && folder != &path => {
                    return Err(other_file_system(folder.as_str()));
                }
                Some(_) => {}
            }
        }
        if missing.is_empty() {
            return Ok(Change::unchanged(Some(FOLDER.to_owned())));
        }
        for folder in missing {
            let entry = made(folder, self.clock.now_ms());
            view.planned.put(&call.root, folder, Node::Here(entry, Content::default()));
        }
        Ok(Change::new(Effect::Changed, None, Some(FOLDER.to_owned())))
    }

    async fn remove_entries(&self, cx: &Context, call: &RemoveEntries) -> Result<Vec<Removal>, Error> {
        let paths = check_paths(&call.paths)?;
        let mut view = self.view(cx, &call.root).await;
        view.base_has_root().await?;
        let mut removals = Vec::new();
        for path in &paths {
            let (change, error, doomed) = planned_removal(view.remove(path, call.unchanged_since_ms, true).await);
            removals.push(Removal {
                path: path.as_str().to_owned(),
                change,
                quarantined_bytes: doomed.map_or(0, |doomed| doomed.allocated_bytes()),
                freed_bytes: 0,
                error,
            });
        }
        Ok(removals)
    }
}

#[async_trait::async_trait]
impl files_erase::Backend for Overlay {
    async fn erase_entries(&self, cx: &Context, call: &EraseEntries) -> Result<Vec<Erasure>, Error> {
        let paths = check_paths(&call.paths)?;
        let mut view = self.view(cx, &call.root).await;
        view.base_has_root().await?;
        let mut erasures = Vec::new();
        for path in &paths {
            let (change, error, doomed) = planned_removal(view.remove(path, call.unchanged_since_ms, false).await);
            let freed_bytes = doomed.map_or(0, |doomed| doomed.freed_bytes());
            erasures.push(Erasure { path: path.as_str().to_owned(), change, freed_bytes, error });
        }
        Ok(erasures)
    }
}

fn planned_removal(removed: Result<Option<Doomed>, Error>) -> (Change, Option<Error>, Option<Doomed>) {
    match removed {
        Ok(None) => (Change::unchanged(None), None, None),
        Ok(Some(doomed)) => (Change::new(Effect::Changed, Some(doomed.state()), None), None, Some(doomed)),
        Err(error) => (Change::unchanged(None), Some(error), None),
    }
}
