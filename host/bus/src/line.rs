//! The device's side.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::Digest;

use crate::{Ack, Beat, Found, Message, TooMuch};

/// A device's line to the hub: one at a time may wait, while others ask.
///
/// Nothing that comes off it is known to be true. Whoever asks for a document compares its digest; what a mailbox says is only
/// what to look at.
#[async_trait]
pub trait Line: Send + Sync {
    /// Waits until there is reason to look, at most so long and at most [`WAIT_MAX`](crate::WAIT_MAX). There is where the bell
    /// rang, or where the mailbox is not the one that is had. A bell may be missed, so whoever waits looks now and then anyway.
    async fn wait(&self, has: Option<Digest>, most: Duration) -> Result<Woken, Trouble>;

    /// The mailbox, unless it is the one that is had.
    async fn mailbox(&self, has: Option<Digest>) -> Result<Pulled, Trouble>;

    /// Documents, at most [`DOCUMENTS_MAX`](crate::DOCUMENTS_MAX).
    async fn documents(&self, wanted: &[Digest]) -> Result<Found, Trouble>;

    /// Hands messages over, at most [`MESSAGES_MAX`](crate::MESSAGES_MAX) of together at most
    /// [`BATCH_BYTES_MAX`](crate::BATCH_BYTES_MAX). What was not acknowledged may have arrived, and is sent again.
    async fn deliver(&self, messages: &[Message]) -> Result<Vec<Ack>, Trouble>;

    /// Says that the device is there. It may be lost.
    async fn beat(&self, beat: &Beat) -> Result<(), Trouble>;
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The time is over.
    Quiet,
    /// There is something to look at, at a moment that is drawn from this time.
    Rung {
        /// From now.
        within: Duration,
    },
}

/// What a look into the mailbox came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Nothing was ever put into it.
    Empty,
    /// It is the one that is had.
    Same,
    /// Another one.
    New(Bytes),
}

/// Why a line did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nobody answers.
    #[error("the hub cannot be reached: {why}")]
    Unreachable {
        /// What happened.
        why: String,
    },
    /// Whoever answers is not the hub that was joined.
    #[error("whoever answers is not the hub: {why}")]
    Stranger {
        /// What is wrong with it.
        why: String,
    },
    /// The hub has too much to do.
    #[error("the hub is busy: again in {} s", after.as_secs())]
    Busy {
        /// After which it wants to be asked again.
        after: Duration,
    },
    /// The hub does not want this, and will not by being asked again.
    #[error("the hub refuses it ({status}): {why}")]
    Refused {
        /// The code of its answer.
        status: u16,
        /// What it says: one line, cut, and nothing in it steers a terminal.
        why: String,
    },
    /// It has no session for us, and gives none.
    #[error("the hub gives no session: {why}")]
    NoSession {
        /// What it says.
        why: String,
    },
    /// What it answered is not what it should.
    #[error("the hub's answer cannot be read: {why}")]
    Garbled {
        /// What is wrong with it.
        why: String,
    },
    /// More than may be at once: nothing was sent.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// What to do after trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never: what was asked has to change.
    Never,
    /// Not before this time.
    After(Duration),
    /// After a time that is drawn, and grows each time.
    Backoff,
}

impl Trouble {
    /// Whether and when to ask again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy { after } => Retry::After(*after),
            Self::Refused { .. } | Self::TooMuch(_) => Retry::Never,
            // A stranger may be a proxy that is on its way out, and who has no session today may be accepted tomorrow.
            Self::Unreachable { .. } | Self::Stranger { .. } | Self::NoSession { .. } | Self::Garbled { .. } => {
                Retry::Backoff
            }
        }
    }
}
