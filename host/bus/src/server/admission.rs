use async_trait::async_trait;
use trust::Key;

use crate::Device;

/// Who may have a session is the hub's to decide, of what a device signed.
#[async_trait]
pub trait Admission: Send + Sync {
    /// Looks at a signed `session` statement, now.
    async fn admit(&self, signed: &[u8], now_ms: u64) -> Result<Admitted, NotAdmitted>;
}

/// A session that may begin.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Whose.
    pub device: Device,
    /// What its requests are proved by.
    pub key: Key,
    /// When it ends, by the clock.
    pub until_ms: u64,
    /// Whether the device's other sessions end: it was started anew. Whoever still uses one of them has to say so with another.
    pub ends_others: bool,
}

/// No session begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotAdmitted {
    /// One line, for whoever looks after the device.
    pub why: String,
}
