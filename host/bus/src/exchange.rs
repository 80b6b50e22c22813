//! The hub's side.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::Digest;

use crate::{Ack, Beat, Bells, Device, Found, Logged, Mailbox, Message, Position, Presence, Revision, TooMuch};

/// Where messages to and from devices lie.
///
/// What has to last is durable when a call answers. Many devices ask at once, each for itself: whoever keeps this on a disk lets
/// those that deliver together share a commit. Where the hub asks for many devices, one call has them all.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// What lies in a device's mailbox.
    async fn mailbox(&self, of: &Device) -> Result<Option<Mailbox>, Fault>;

    /// The same for a device that has this one: with the names of the documents that it may read, and those of them that it is
    /// not known to have, as long as all of it fits into so many bytes. What is left out is asked for, so to leave out all of it is
    /// always right.
    async fn mailbox_beside(&self, of: &Device, _: Has<'_>, _: usize) -> Result<Option<Beside>, Fault> {
        let found = self.mailbox(of).await?;
        Ok(found.map(|mailbox| Beside { mailbox, names: Vec::new(), documents: Vec::new() }))
    }

    /// Replaces mailboxes, each whole or not at all and independently of the others; an answer for each, in order. One device
    /// twice in a call is two replacements, in order. Nobody's bell is rung.
    async fn replace(&self, with: Vec<Replacement>) -> Result<Vec<Result<Revision, Conflict>>, Fault>;

    /// Rings, for those who listen now; nobody learns whether they heard it. They look within this time, each at a moment that
    /// it draws: ten thousand that look at once would be in each other's way.
    async fn ring(&self, whom: Whom<'_>, within: Duration) -> Result<(), Fault>;

    /// The bells that ring in this process, for those who hold connections of devices.
    fn bells(&self) -> &Bells;

    /// Keeps what a device says, and answers for each in order. A message whose key is taken is kept no second time.
    async fn deliver(&self, from: &Device, messages: Vec<Message>) -> Result<Vec<Ack>, Fault>;

    /// What was kept after this, at most so many, oldest first. What is in the log stays as it is, and nothing appears before
    /// what was read.
    async fn log(&self, after: Position, most: usize) -> Result<Vec<Logged>, Fault>;

    /// A device is there. It need not outlive the hub.
    async fn beat(&self, from: &Device, beat: Beat) -> Result<(), Fault>;

    /// Whether these are there, in order.
    async fn presence(&self, of: &[Device]) -> Result<Vec<Presence>, Fault>;

    /// Keeps a document of at most [`DOCUMENT_BYTES_MAX`](crate::DOCUMENT_BYTES_MAX) bytes. Who may read it is said by mailboxes.
    async fn put_document(&self, document: Bytes) -> Result<Digest, Fault>;

    /// Those of these documents that this device's mailbox names; any other is missing, whether it is there or not. At most
    /// [`DOCUMENTS_MAX`](crate::DOCUMENTS_MAX), and as many as fit into [`BATCH_BYTES_MAX`](crate::BATCH_BYTES_MAX).
    async fn documents(&self, reader: &Device, wanted: &[Digest]) -> Result<Found, Fault>;
}

/// What a device is known to have.
#[derive(Clone, Copy, Debug)]
pub struct Has<'a> {
    /// The mailbox.
    pub mailbox: Option<Digest>,
    /// Documents.
    pub documents: &'a HashSet<Digest>,
}

/// A mailbox, and documents beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// What lies there.
    pub mailbox: Mailbox,
    /// What the device may read.
    pub names: Vec<Digest>,
    /// Some of it; nothing where the device has this mailbox.
    pub documents: Vec<Bytes>,
}

/// A mailbox for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Whose.
    pub device: Device,
    /// What is there now; none where nothing is.
    pub expected: Option<Revision>,
    /// What will be: at most [`MAILBOX_BYTES_MAX`](crate::MAILBOX_BYTES_MAX).
    pub bytes: Bytes,
    /// The documents that this device may therefore read: at most [`NAMED_MAX`](crate::NAMED_MAX). A device that knew the
    /// digest of another client's document reads nothing by that.
    pub names: Vec<Digest>,
}

/// Somebody replaced it first: what is there now is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mailbox was replaced meanwhile")]
pub struct Conflict {
    /// What is there.
    pub found: Option<Revision>,
}

/// Whose bells.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    /// Everybody's.
    All,
    /// Theirs.
    These(&'a [Device]),
}

/// Why an exchange did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Too much at once: again after this time.
    #[error("too much at once: again in {} ms", after.as_millis())]
    Busy {
        /// After which it may go.
        after: Duration,
    },
    /// More than may be, whoever asks and whenever.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// What is below it failed. Nobody outside hears why.
    #[error("the exchange failed")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}
