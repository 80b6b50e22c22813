//! Files of this machine.

mod owners;
mod quarantine;
mod read;
mod remove;
mod retention;
mod root;
mod undo;
mod walk;
mod write;

use std::sync::{Arc, Mutex, PoisonError};

use contract::files::{
    Entries, Entry, FindEntries, GetEntry, GetSha256, GetUsage, ListRoots, ReadFile, ReadTail, Usage,
};
use contract::files_erase::{EraseEntries, Erasure};
use contract::files_write::{MakeFolder, Removal, RemoveEntries, WriteFile};
use contract::types::{Change, Error};
use contract::{Context, Undo, files, files_erase, files_write};
use model::Clock;

use crate::{Shared, Undoer, errors};

use super::memory::granted_roots;
use super::{check_content, check_lines, check_paths, check_read_length};

pub use retention::let_go_expired;
use root::Root;
use walk::Patience;

/// Files below the roots that host policy names.
pub struct Files {
    policy: Arc<crate::Policy>,
    clock: Arc<dyn Clock>,
    /// Held by whoever changes something: what is kept is counted and made room for by one at a time.
    changing: Arc<Mutex<()>>,
}

/// What blocking work takes along.
struct Job {
    policy: Arc<crate::Policy>,
    changing: Arc<Mutex<()>>,
    now_ms: u64,
    run: String,
    patience: Patience,
}

impl Files {
    /// Over what the device shares.
    pub fn new(shared: &Shared) -> Self {
        Self { policy: Arc::clone(&shared.policy), clock: Arc::clone(&shared.clock), changing: Arc::default() }
    }

    /// Does work that blocks.
    async fn work<T: Send + 'static>(
        &self,
        cx: &Context,
        work: impl FnOnce(&Job) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let job = Job {
            policy: Arc::clone(&self.policy),
            changing: Arc::clone(&self.changing),
            now_ms: self.clock.now_ms(),
            run: cx.run.clone(),
            patience: Patience::of(cx),
        };
        let done = tokio::task::spawn_blocking(move || work(&job)).await;
        done.unwrap_or_else(|error| Err(errors::failed("panicked", error.to_string())))
    }

    /// The same, alone, and with what would undo it.
    async fn change<T: Send + 'static>(
        &self,
        cx: &Context,
        work: impl FnOnce(&Job) -> Result<(T, Vec<Undo>), Error> + Send + 'static,
    ) -> Result<T, Error> {
        let alone = move |job: &Job| {
            let _changing = job.changing.lock().unwrap_or_else(PoisonError::into_inner);
            work(job)
        };
        let (answer, undo) = self.work(cx, alone).await?;
        undo.into_iter().for_each(|undo| cx.can_undo(undo));
        Ok(answer)
    }
}

impl Job {
    fn root(&self, name: &str) -> Result<Root, Error> {
        Root::open(name, self.policy.files.roots.get(name))
    }
}

#[async_trait::async_trait]
impl files::Backend for Files {
    async fn list_roots(&self, cx: &Context, _: &ListRoots) -> Result<Vec<String>, Error> {
        let granted = granted_roots(cx, self.policy.files.roots.keys())?;
        self.work(cx, move |job| Ok(granted.into_iter().filter(|name| job.root(name).is_ok()).collect())).await
    }

    async fn get_entry(&self, cx: &Context, call: &GetEntry) -> Result<Option<Entry>, Error> {
        let call = call.clone();
        self.work(cx, move |job| read::entry(&job.root(&call.root)?, &call)).await
    }

    async fn find_entries(&self, cx: &Context, call: &FindEntries) -> Result<Entries, Error> {
        let call = call.clone();
        self.work(cx, move |job| read::find(&job.root(&call.root)?, &call, &job.patience)).await
    }

    async fn get_usage(&self, cx: &Context, call: &GetUsage) -> Result<Usage, Error> {
        let call = call.clone();
        self.work(cx, move |job| read::usage(&job.root(&call.root)?, &call, &job.patience)).await
    }

    async fn read_file(&self, cx: &Context, call: &ReadFile) -> Result<Vec<u8>, Error> {
        let (call, length) = (call.clone(), check_read_length(call.length)?);
        self.work(cx, move |job| read::file(&job.root(&call.root)?, &call.path, call.offset, length)).await
    }

    async fn read_tail(&self, cx: &Context, call: &ReadTail) -> Result<String, Error> {
        let (call, lines) = (call.clone(), check_lines(call.lines)?);
        self.work(cx, move |job| read::tail(&job.root(&call.root)?, &call.path, lines)).await
    }

    async fn get_sha256(&self, cx: &Context, call: &GetSha256) -> Result<String, Error> {
        let call = call.clone();
        self.work(cx, move |job| read::sha256(&job.root(&call.root)?, &call.path, &job.patience)).await
    }
}

#[async_trait::async_trait]
impl files_write::Backend for Files {
    async fn write_file(&self, cx: &Context, call: &WriteFile) -> Result<Change, Error> {
        check_content(&call.content)?;
        let call = call.clone();
        self.change(cx, move |job| write::file(job, &call)).await
    }

    async fn make_folder(&self, cx: &Context, call: &MakeFolder) -> Result<Change, Error> {
        let call = call.clone();
        self.change(cx, move |job| write::folder(job, &call)).await
    }

    async fn remove_entries(&self, cx: &Context, call: &RemoveEntries) -> Result<Vec<Removal>, Error> {
        let (call, paths) = (call.clone(), check_paths(&call.paths)?);
        self.change(cx, move |job| remove::to_quarantine(job, &call.root, &paths, call.unchanged_since_ms)).await
    }
}

#[async_trait::async_trait]
impl files_erase::Backend for Files {
    async fn erase_entries(&self, cx: &Context, call: &EraseEntries) -> Result<Vec<Erasure>, Error> {
        let (call, paths) = (call.clone(), check_paths(&call.paths)?);
        let erase = move |job: &Job| {
            remove::for_good(job, &call.root, &paths, call.unchanged_since_ms).map(|erasures| (erasures, Vec::new()))
        };
        self.change(cx, erase).await
    }
}

#[async_trait::async_trait]
impl Undoer for Files {
    async fn undo(&self, cx: &Context, undo: &Undo) -> Result<Change, Error> {
        let token = undo::Token::parse(undo)?;
        self.change(cx, move |job| undo::undo(job, &token).map(|change| (change, Vec::new()))).await
    }
}
