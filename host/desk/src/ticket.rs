//! Tickets that plugins raised on devices, as the hub has them: each once, however often it was told.

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::Error;

/// A ticket, as the hub has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// What it is called at the hub.
    pub number: u64,
    /// Whose device raised it.
    pub client: String,
    /// Which device.
    pub device: String,
    /// What it goes by there: the plugin, and what that calls it.
    pub key: String,
    /// `open` or `closed`.
    pub state: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// How often it was raised.
    pub times: u64,
    /// When the hub first heard of it, in milliseconds since 1970.
    pub opened_ms: u64,
    /// When it last did.
    pub changed_ms: u64,
}

impl Client {
    /// The tickets of this technician's clients, the oldest first; those that are closed too, where that is asked.
    pub async fn tickets(&self, closed_too: bool) -> Result<Vec<Row>, Error> {
        let open: &[(&str, &str)] = if closed_too { &[] } else { &[("open", "true")] };
        self.list("/v1/tickets", open).await
    }
}
