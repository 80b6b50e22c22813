mod logins;
mod sessions;
mod users;

use contract::Context;
use contract::device_people::{Backend, ListLogins, ListSessions, ListUsers, Login, Session, User};
use contract::types::Error;

use crate::facts::Root;
use crate::{Shared, errors};

use super::pseudonyms::{People, Pseudonyms};

/// This machine, or the recorded files of one.
pub(super) struct Linux {
    root: Root,
    shared: Shared,
    pseudonyms: Pseudonyms,
}

impl Linux {
    /// This machine, or the system under `shared.root`.
    pub(super) fn new(shared: &Shared) -> Self {
        Self::at(Root::new(&shared.root), shared)
    }

    /// Files below a folder.
    pub(super) fn at(root: Root, shared: &Shared) -> Self {
        Self { root, shared: shared.clone(), pseudonyms: Pseudonyms::new(shared) }
    }

    /// Runs what blocks where it may.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root, &People) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let root = self.root.clone();
        let people = self.pseudonyms.open(&root)?;
        tokio::task::spawn_blocking(move || work(&root, &people))
            .await
            .map_err(|error| errors::failed("panic", format!("reading people: {error}")))
    }
}

#[async_trait::async_trait]
impl Backend for Linux {
    async fn list_sessions(&self, _: &Context, _: &ListSessions) -> Result<Vec<Session>, Error> {
        let now_ms = self.shared.clock.now_ms();
        self.blocking(move |root, people| sessions::read(root, people, now_ms)).await
    }

    async fn list_users(&self, _: &Context, _: &ListUsers) -> Result<Vec<User>, Error> {
        let now_ms = self.shared.clock.now_ms();
        self.blocking(move |root, people| users::read(root, people, now_ms)).await
    }

    async fn list_logins(&self, _: &Context, call: &ListLogins) -> Result<Vec<Login>, Error> {
        let (since_ms, limit) = (call.since_ms, super::check_limit(call)?);
        self.blocking(move |root, people| logins::read(root, people, since_ms, limit)).await
    }
}
