use contract::files::{
    Entries, Entry, FindEntries, GetEntry, GetSha256, GetUsage, ListRoots, ReadFile, ReadTail, Usage,
};
use contract::files_erase::{EraseEntries, Erasure};
use contract::files_write::{MakeFolder, Removal, RemoveEntries, WriteFile};
use contract::types::{Change, Error, ErrorKind};
use contract::{Context, Undo, files, files_erase, files_write};

use crate::{Shared, Undoer};

/// Files on a platform that this host does not know yet.
pub struct Files;

impl Files {
    /// Over what the device shares, which is not used.
    pub fn new(_: &Shared) -> Self {
        Self
    }
}

/// Nothing is kept here that could be let go.
pub fn let_go_expired(_: &Shared) -> Result<Vec<Error>, Error> {
    Ok(Vec::new())
}

fn unsupported<T>() -> Result<T, Error> {
    Err(Error::new(ErrorKind::Unsupported, "platform", "files are reached on Linux alone so far"))
}

#[async_trait::async_trait]
impl files::Backend for Files {
    async fn list_roots(&self, _: &Context, _: &ListRoots) -> Result<Vec<String>, Error> {
        unsupported()
    }
    async fn get_entry(&self, _: &Context, _: &GetEntry) -> Result<Option<Entry>, Error> {
        unsupported()
    }
    async fn find_entries(&self, _: &Context, _: &FindEntries) -> Result<Entries, Error> {
        unsupported()
    }
    async fn get_usage(&self, _: &Context, _: &GetUsage) -> Result<Usage, Error> {
        unsupported()
    }
    async fn read_file(&self, _: &Context, _: &ReadFile) -> Result<Vec<u8>, Error> {
        unsupported()
    }
    async fn read_tail(&self, _: &Context, _: &ReadTail) -> Result<String, Error> {
        unsupported()
    }
    async fn get_sha256(&self, _: &Context, _: &GetSha256) -> Result<String, Error> {
        unsupported()
    }
}

#[async_trait::async_trait]
impl files_write::Backend for Files {
    async fn write_file(&self, _: &Context, _: &WriteFile) -> Result<Change, Error> {
        unsupported()
    }
    async fn make_folder(&self, _: &Context, _: &MakeFolder) -> Result<Change, Error> {
        unsupported()
    }
    async fn remove_entries(&self, _: &Context, _: &RemoveEntries) -> Result<Vec<Removal>, Error> {
        unsupported()
    }
}

#[async_trait::async_trait]
impl files_erase::Backend for Files {
    async fn erase_entries(&self, _: &Context, _: &EraseEntries) -> Result<Vec<Erasure>, Error> {
        unsupported()
    }
}

#[async_trait::async_trait]
impl Undoer for Files {
    async fn undo(&self, _: &Context, _: &Undo) -> Result<Change, Error> {
        unsupported()
    }
}
