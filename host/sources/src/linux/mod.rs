//! The sources of Linux, a file each.

mod disk_free;

use agent::Watch;

use crate::{Error, Sink, Surroundings};

/// Watches for ever, or says why not.
pub(crate) async fn watch(watch: Watch, around: Surroundings, sink: Sink) -> Result<(), Error> {
    match watch {
        Watch::DiskFree { path, below, clear } => {
            disk_free::watch(&path, &below, clear.as_deref(), &around, &sink).await
        }
        other => Err(Error::Unsupported { what: format!("source of `{}` events yet", other.event_type()) }),
    }
}
