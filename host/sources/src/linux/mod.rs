//! The sources of Linux, a file each.

mod account_change;
mod boot;
mod certificate_expiring;
mod disk_free;
mod file_change;
mod inotify;
#[cfg(test)]
mod levels;
mod listening_port;
mod load;
mod log_match;
mod login;
mod memory_free;
mod named;
mod netlink;
mod network_change;
mod pidfd;
mod pressure;
mod process;
mod ready;
mod reboot_pending;
mod resume;
mod service_state;
mod settle;
mod shared;
mod systemd;
#[cfg(test)]
mod tests;
mod updates_available;

use std::path::Path;

use agent::Watch;

use crate::kept::Kept;
use crate::{Error, Sink, Surroundings};

pub(crate) use shared::Shared;

/// Watches for ever, or says why not.
pub(crate) async fn watch(watch: Watch, around: Surroundings, sink: Sink, kept: Kept) -> Result<(), Error> {
    match watch {
        Watch::AccountChange { only_admins } => {
            account_change::watch(Path::new(account_change::ETC), only_admins, &around, &sink, &kept).await
        }
        Watch::Boot => boot::watch(&around, &sink, &kept).await,
        Watch::CertificateExpiring { path, within } => {
            certificate_expiring::watch(&path, &within, &around, &sink).await
        }
        Watch::DiskFree { path, below, clear } => {
            disk_free::watch(&path, &below, clear.as_deref(), &around, &sink).await
        }
        Watch::FileChange { path } => file_change::watch(&path, &around, &sink, &kept).await,
        Watch::ListeningPort { port, loopback } => listening_port::watch(port, loopback, &around, &sink, &kept).await,
        Watch::Load { above, clear } => load::watch(&above, clear.as_deref(), &around, &sink).await,
        Watch::LogMatch { log, pattern } => log_match::watch(&log, &pattern, &around, &sink, &kept).await,
        Watch::Login { user } => {
            login::watch(&login::Places::of_system(), user.as_deref(), &around, &sink, &kept).await
        }
        Watch::MemoryFree { below, clear } => memory_free::watch(&below, clear.as_deref(), &around, &sink).await,
        Watch::NetworkChange => network_change::watch(&around, &sink).await,
        Watch::Pressure { resource, above, clear } => {
            pressure::watch(resource, &above, clear.as_deref(), &around, &sink).await
        }
        Watch::Process { name, is_present } => process::watch(&name, is_present, &around, &sink).await,
        Watch::RebootPending => reboot_pending::watch(&around, &sink).await,
        Watch::Resume => resume::watch(&around, &sink, &kept).await,
        Watch::ServiceState { service, state } => service_state::watch(&service, state, &around, &sink).await,
        Watch::UpdatesAvailable { only_security } => updates_available::watch(only_security, &around, &sink).await,
        Watch::RunFinished { .. } | Watch::Emitted { .. } => Err(Error::Unsupported {
            what: format!("source of `{}`: the agent tells these itself", watch.event_type()),
        }),
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
