//! Tickets and notifications of plugins.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::endpoint::{Call, Endpoint, Nothing};
use crate::Error;
use crate::db::{Notification, Page, Paged, Ticket};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/v1/tickets", "List tickets", list),
        Endpoint::new(Method::POST, "/v1/tickets/{number}/close", "Close a ticket", close),
        Endpoint::new(Method::GET, "/v1/notifications", "List what devices told", told),
    ]
}

/// Which tickets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Which {
    /// Only those that are open.
    #[serde(default)]
    open: bool,
    /// `next` of the page before; left out, the list begins.
    after: Option<String>,
    /// At most so many: 1 to 500, and 100 where it is left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn list(call: Call<Which, Nothing>) -> Result<Paged<Ticket>, Error> {
    let Which { open, after, limit } = &call.query;
    let (open, page) = (*open, Page { after: after.clone(), limit: *limit });
    call.read(move |view| view.tickets(open, &page)).await
}

async fn close(call: Call<Nothing, Nothing>) -> Result<Ticket, Error> {
    let number: u64 = call.part("number").parse().map_err(|_| Error::Missing { what: "ticket" })?;
    let found = call.read(move |view| view.ticket(number)).await?;
    let done = ("ticket-closed", json!({ "ticket": number }));
    call.write(&found.client, done, move |change, held, now_ms| change.close_ticket(held, number, now_ms)).await?;
    call.read(move |view| view.ticket(number)).await
}

async fn told(call: Call<Page, Nothing>) -> Result<Paged<Notification>, Error> {
    let page = call.query.clone();
    call.read(move |view| view.notifications(&page)).await
}
