//! Tickets, as devices told the hub of them and technicians look after them there.

use serde::{Deserialize, Serialize};
use serde_json::json;
use trust::Name;

use crate::client::Client;
use crate::error::Error;

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TicketRow {
    /// Its number at the hub.
    pub number: u64,
    /// Whose.
    pub client: String,
    /// On which device.
    pub device: String,
    /// What it is about: `PLUGIN/FINGERPRINT`.
    pub key: String,
    /// `open` or `closed`.
    pub state: String,
    /// How bad.
    #[serde(default)]
    pub severity: String,
    /// 1, the highest, to 4; 0 where the device did not say.
    #[serde(default)]
    pub priority: u64,
    /// One line.
    pub title: String,
    /// All of it.
    pub body: String,
    /// How often it was raised.
    pub times: u64,
    /// Who looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// How it was resolved, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Whether a technician has answered since it was last opened.
    #[serde(default)]
    pub is_replied: bool,
    /// Since when, in milliseconds since 1970.
    pub opened_ms: u64,
    /// When it last changed.
    pub changed_ms: u64,
}

/// What somebody said about a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TicketNote {
    /// Who.
    pub by: String,
    /// `internal` or `customer`.
    pub visibility: String,
    /// What, in CommonMark.
    pub body: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A ticket, and what was said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TicketShown {
    /// The ticket.
    pub ticket: TicketRow,
    /// In order.
    pub notes: Vec<TicketNote>,
}

impl Client {
    /// The tickets of these clients, the oldest first; of all that this technician is for, where none is named.
    pub async fn tickets(
        &self,
        clients: &[Name],
        device: Option<&str>,
        only_open: bool,
    ) -> Result<Vec<TicketRow>, Error> {
        let open = if only_open { "true" } else { "false" };
        let query: Vec<(&str, &str)> =
            [("open", open)].into_iter().chain(device.map(|device| ("device", device))).collect();
        if clients.is_empty() {
            return self.list("/v1/tickets", &query).await;
        }
        let mut all: Vec<TicketRow> = Vec::new();
        for client in clients {
            let query: Vec<(&str, &str)> = query.iter().copied().chain([("client", client.as_str())]).collect();
            all.extend(self.list("/v1/tickets", &query).await?);
        }
        Ok(all)
    }

    /// One of them.
    pub async fn ticket(&self, number: u64) -> Result<TicketShown, Error> {
        self.get(&format!("/v1/tickets/{number}")).await
    }

    /// Says something about it: from then on its device does not close it by itself.
    pub async fn note_ticket(&self, number: u64, body: &str, visibility: &str) -> Result<TicketShown, Error> {
        let body = json!({ "body": body, "visibility": visibility });
        self.post(&format!("/v1/tickets/{number}/notes"), &body).await
    }

    /// Has somebody look after it.
    pub async fn assign_ticket(&self, number: u64, to: &str) -> Result<TicketShown, Error> {
        self.post(&format!("/v1/tickets/{number}/assign"), &json!({ "to": to })).await
    }

    /// Closes it, and says how.
    pub async fn close_ticket(&self, number: u64, resolution: &str) -> Result<TicketShown, Error> {
        self.post(&format!("/v1/tickets/{number}/close"), &json!({ "resolution": resolution })).await
    }
}
