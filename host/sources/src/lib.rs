//! What a device notices.
//!
//! In goes what a rule watches, out come notices, as the system itself tells them: a file a source. It decides nothing: what
//! becomes of a notice is for `agent`. It changes nothing on the device, and starts no process: what only a process can tell is
//! asked of the device's own backends, which are handed in.

mod asked;
mod kept;
#[cfg(target_os = "linux")]
mod linux;
mod sink;
#[cfg(test)]
mod testing;

use std::path::PathBuf;
use std::sync::Arc;

use agent::Watch;
use model::Clock;
use tokio_util::sync::CancellationToken;

pub use asked::Asked;
use kept::Kept;
pub use kept::sweep;
pub use sink::{Noticed, Sink};

/// What sources stand on.
#[derive(Clone)]
pub struct Surroundings {
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// What was noticed and must outlive the agent, such as how far a log was read. Only its owner may enter.
    pub folder: PathBuf,
    /// What the device itself can be asked.
    pub asked: Asked,
    /// What the sources of many rules see together.
    #[cfg(target_os = "linux")]
    pub(crate) shared: Arc<linux::Shared>,
}

impl Surroundings {
    /// For all the sources of one agent: what they share is in here.
    pub fn new(clock: Arc<dyn Clock>, folder: PathBuf, asked: Asked) -> Self {
        Self {
            clock,
            folder,
            asked,
            #[cfg(target_os = "linux")]
            shared: Arc::default(),
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX)
    }
}

/// Why something cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is written is wrong: everything, a line each.
    #[error("{}", .0.join("\n"))]
    Bad(Vec<String>),
    /// This system has no such thing.
    #[error("this system has no {what}")]
    Unsupported {
        /// What it lacks.
        what: String,
    },
    /// The system said so.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Watches until it is stopped. What cannot be watched for now (a file system that is not mounted yet) is waited for; an error is
/// what waiting does not mend. `run-finished` and `emitted` are the agent's own, and come from nowhere here.
pub async fn watch(watch: Watch, around: Surroundings, sink: Sink, stop: CancellationToken) -> Result<(), Error> {
    let problems = watch.check();
    if !problems.is_empty() {
        return Err(Error::Bad(problems));
    }
    let kept = Kept::new(&around.folder, sink.order(), &watch);
    #[cfg(target_os = "linux")]
    let watched = linux::watch(watch, around, sink, kept.clone());
    #[cfg(not(target_os = "linux"))]
    let watched = async {
        let _ = (around, sink);
        Err(Error::Unsupported { what: format!("source of `{}` events yet", watch.event_type()) })
    };
    until(stop, watched, kept).await
}

/// Watches until it is stopped, and then until what it keeps is written.
async fn until(
    stop: CancellationToken,
    watched: impl Future<Output = Result<(), Error>>,
    kept: Kept,
) -> Result<(), Error> {
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = watched => ended,
    };
    kept.settled().await;
    ended
}
