//! Clients: listed, made, and how long what their runs leave is kept.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::endpoint::{Call, Endpoint, Nothing};
use crate::Error;
use crate::db::{Client, Page, Paged};

/// Ten years: what must be kept longer is exported.
const RETENTION_DAYS_MAX: u32 = 3_650;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/v1/clients", "List clients", list),
        Endpoint::new(Method::PUT, "/v1/clients/{client}", "Make a client, or change how long its runs are kept", put),
    ]
}

/// What a client is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Put {
    /// After so many days what its runs left is deleted: 1 to 3,650.
    #[schemars(range(min = 1, max = 3_650))]
    retention_days: u32,
}

async fn list(call: Call<Page, Nothing>) -> Result<Paged<Client>, Error> {
    let page = call.query.clone();
    call.read(move |view| view.clients(&page)).await
}

async fn put(call: Call<Nothing, Put>) -> Result<Client, Error> {
    let (client, days) = (call.part("client").to_owned(), call.body.retention_days);
    if !(1..=RETENTION_DAYS_MAX).contains(&days) {
        return Err(Error::Invalid(vec![format!("`retention-days`: expected 1 to {RETENTION_DAYS_MAX}")]));
    }
    let done = ("client-put", json!({ "retention-days": days }));
    call.write(&client, done, move |change, held, now_ms| {
        change.know_client(held, None, now_ms)?;
        change.set_retention(held, days)
    })
    .await?;
    call.read(move |view| view.client(&client)).await
}
