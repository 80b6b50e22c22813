use model::Digest;
use serde::{Deserialize, Serialize};

use super::{Kind, Statement};
use crate::{Key, Time};

/// The longest session of a device, in seconds. A technician's is shorter: see [`crate::Trust::session`].
pub(crate) const SECONDS_MAX: i64 = 86_400;

/// For a while, this key asks in the signer's place: of one hub, and never orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Session {
    /// The digest of the hub's CA certificate: for no other hub.
    pub hub: Digest,
    /// A key that is made for this session, and proves each request of it.
    pub key: Key,
    /// Nothing before counts.
    pub from: Time,
    /// Nothing from then on counts.
    pub until: Time,
    /// Which machine asks, by the device's own word: a digest that tells nothing else of it. A technician's says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Digest>,
    /// Which start of the agent asks, drawn by chance: two that take turns are two machines with one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Digest>,
}

impl Statement for Session {
    const KIND: Kind = Kind::Session;

    fn check(&self) -> Result<(), String> {
        if self.key.is_hardware() {
            return Err("`key`: nobody touches a key for each request".to_owned());
        }
        match self.from < self.until && self.until <= self.from.plus_seconds(SECONDS_MAX) {
            true => Ok(()),
            false => Err(format!("`until`: expected a time after `from`, and at most {SECONDS_MAX} seconds later")),
        }
    }
}
