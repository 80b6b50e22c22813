//! What a device is asked that only its own tools can tell.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Backends, Context, device, patch, service};

/// How long one question may take: apt works its updates out in seconds, on a slow disk in a minute.
const ANSWER: Duration = Duration::from_mins(2);

/// What stands behind the interfaces that sources ask.
#[derive(Clone)]
pub struct Asked {
    /// Whether it waits for a reboot.
    pub device: Arc<dyn device::Backend>,
    /// Which updates it has.
    pub patch: Arc<dyn patch::Backend>,
    /// How a service is, where no systemd says so by itself.
    pub service: Arc<dyn service::Backend>,
}

impl Asked {
    /// A device that cannot be asked: its sources are those that look for themselves.
    pub fn nothing() -> Self {
        Self {
            device: Arc::new(device::Unsupported),
            patch: Arc::new(patch::Unsupported),
            service: Arc::new(service::Unsupported),
        }
    }

    /// A question about what is in this scope.
    pub(crate) fn context(scope: &[&str]) -> Context {
        let scope = scope.iter().map(|&entry| entry.to_owned()).collect();
        Context::new("", "", "", scope, Instant::now() + ANSWER)
    }
}

impl From<&Backends> for Asked {
    fn from(all: &Backends) -> Self {
        let (device, patch, service) = (Arc::clone(&all.device), Arc::clone(&all.patch), Arc::clone(&all.service));
        Self { device, patch, service }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}
