//! The sources of Linux, a file each.

mod disk_free;
mod load;
mod memory_free;
mod pidfd;
mod pressure;
mod process;
mod ready;
mod service_state;
mod shared;
mod systemd;

use agent::Watch;

use crate::{Error, Sink, Surroundings};

pub(crate) use shared::Shared;

/// Watches for ever, or says why not.
pub(crate) async fn watch(watch: Watch, around: Surroundings, sink: Sink) -> Result<(), Error> {
    match watch {
        Watch::DiskFree { path, below, clear } => {
            disk_free::watch(&path, &below, clear.as_deref(), &around, &sink).await
        }
        Watch::Load { above, clear } => load::watch(&above, clear.as_deref(), &around, &sink).await,
        Watch::MemoryFree { below, clear } => memory_free::watch(&below, clear.as_deref(), &around, &sink).await,
        Watch::Pressure { resource, above, clear } => {
            pressure::watch(resource, &above, clear.as_deref(), &around, &sink).await
        }
        Watch::Process { name, is_present } => process::watch(&name, is_present, &around, &sink).await,
        Watch::ServiceState { service, state } => service_state::watch(&service, state, &around, &sink).await,
        other => Err(Error::Unsupported { what: format!("source of `{}` events yet", other.event_type()) }),
    }
}

/// What the kernel says there.
fn read(path: &str) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Io { what: format!("cannot read `{path}`"), source })
}

/// It says something else there than every kernel that we know.
fn unlike(path: &str) -> Error {
    Error::Unsupported { what: format!("`{path}` as other kernels have it") }
}
