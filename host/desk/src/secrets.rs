//! Secrets for devices: to whom one may be sealed, and who has which.

use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trust::{Name, Place, Refusal, Signed, Trust};

use crate::client::Client;
use crate::error::Error;
use crate::{ListedDocument, Seen};

/// So many go to the hub at once.
const AT_ONCE_MAX: usize = 64;

/// A secret of a device, as the hub has it: what it is, nobody there knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecretRow {
    /// The device.
    pub device: String,
    /// Whose.
    pub client: String,
    /// What plugins call it.
    pub name: String,
    /// Its version.
    pub serial: u64,
    /// Where it may be used.
    pub places: Vec<String>,
    /// The key that signed it.
    pub by: String,
    /// When the hub got it, in milliseconds since 1970.
    pub set_ms: u64,
    /// Nobody uses it from then on.
    pub expires_ms: u64,
    /// Whether it was removed.
    pub is_gone: bool,
    /// The version that the device says it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_serial: Option<u64>,
}

/// What technicians signed about whose devices are: what the hub says of that alone is not enough to tell a device a secret, or it would
/// make one up and be told.
#[derive(Debug)]
pub struct Vouched(Trust);

impl Vouched {
    /// Whose a device is, where somebody signed it who may.
    pub async fn place(&mut self, seen: &Seen, client: &Client) -> Result<Result<Place, Vec<Refusal>>, Error> {
        if let Some(digest) = seen.listed.device.assignment.as_deref().and_then(|it| it.parse::<Digest>().ok()) {
            let signed = client.document(digest).await?;
            self.0.take_back([&signed]);
        }
        Ok(self.0.place(&seen.key, client.now()))
    }
}

impl Client {
    /// What it takes to find out whose devices are.
    pub async fn vouched(&self, trust: &Trust) -> Result<Vouched, Error> {
        let mut trust = trust.clone();
        let listed: Vec<ListedDocument> = self.list("/v1/documents", &[("kind", "admission")]).await?;
        for it in listed {
            let signed = self.document(it.digest).await?;
            trust.take_back([&signed]);
        }
        Ok(Vouched(trust))
    }

    /// The secrets of devices, of these clients or of all.
    pub async fn secrets(&self, clients: &[Name], name: Option<&str>) -> Result<Vec<SecretRow>, Error> {
        let query: Vec<(&str, &str)> = name.map(|name| ("name", name)).into_iter().collect();
        if clients.is_empty() {
            return self.list("/v1/secrets", &query).await;
        }
        let mut all: Vec<SecretRow> = Vec::new();
        for client in clients {
            let query: Vec<(&str, &str)> = query.iter().copied().chain([("client", client.as_str())]).collect();
            all.extend(self.list("/v1/secrets", &query).await?);
        }
        Ok(all)
    }

    /// Hands over secrets for devices of one client.
    pub async fn put_secrets(&self, signed: &[Signed]) -> Result<(), Error> {
        for some in signed.chunks(AT_ONCE_MAX) {
            let texts: Vec<String> =
                some.iter().map(|it| String::from_utf8_lossy(&it.to_text()).into_owned()).collect();
            let _: Value = self.post("/v1/secrets", &json!({ "signed": texts })).await?;
        }
        Ok(())
    }
}
