//! What the host needs of a package manager where this one knows none: it has nothing to do.

use contract::patch_install::{InstallResult, InstallUpdates};
use contract::types::{Change, Error, ErrorKind};
use contract::{Context, Undo};

use crate::Undoer;

use super::{Adopted, Assumed, HoldState, Machine, RebootRequest, Simulator};

/// Answers `unsupported`.
pub(super) struct Nothing;

fn unsupported<T>() -> Result<T, Error> {
    Err(Error::new(ErrorKind::Unsupported, "platform", "updates of this platform are not managed"))
}

#[async_trait::async_trait]
impl Undoer for Nothing {
    async fn undo(&self, _: &Context, _: &Undo) -> Result<Change, Error> {
        unsupported()
    }
}

#[async_trait::async_trait]
impl Simulator for Nothing {
    async fn simulate(&self, _: &Context, _: &InstallUpdates, _: &Assumed) -> Result<Vec<InstallResult>, Error> {
        unsupported()
    }

    async fn hold_state(&self, _: &str) -> Result<HoldState, Error> {
        unsupported()
    }
}

#[async_trait::async_trait]
impl Machine for Nothing {
    async fn adopt(&self, _: &Context) -> Result<Vec<Adopted>, Error> {
        Ok(Vec::new())
    }

    async fn pending_reboot(&self) -> Result<Option<RebootRequest>, Error> {
        Ok(None)
    }

    async fn reboot(&self) -> Result<(), Error> {
        unsupported()
    }

    async fn warn(&self, _: &str) -> Result<(), Error> {
        unsupported()
    }
}
