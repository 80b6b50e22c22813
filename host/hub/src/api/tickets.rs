//! Tickets of plugins, and what devices told.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::endpoint::{Call, Endpoint, Nothing};
use crate::Error;
use crate::db::{Actor, Notification, Page, Paged, Ticket, TicketNote, TicketState, WhichTickets};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/v1/tickets", "List tickets", list),
        Endpoint::new(Method::GET, "/v1/tickets/{number}", "Show a ticket and what was said about it", show),
        Endpoint::new(Method::POST, "/v1/tickets/{number}/notes", "Say something about a ticket", note),
        Endpoint::new(Method::POST, "/v1/tickets/{number}/assign", "Give a ticket to somebody", assign),
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
    /// Of this client alone.
    client: Option<String>,
    /// Of this device alone.
    device: Option<String>,
    /// `next` of the page before; left out, the list begins.
    after: Option<String>,
    /// At most so many: 1 to 500, and 100 where it is left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// A ticket, and what was said about it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    /// The ticket.
    ticket: Ticket,
    /// In order.
    notes: Vec<TicketNote>,
}

/// Who may read a note.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Visibility {
    /// Technicians.
    #[default]
    Internal,
    /// The customer too.
    Customer,
}

/// What to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Note {
    /// In CommonMark.
    #[schemars(length(min = 1, max = 32768))]
    body: String,
    /// Who may read it: `internal` where it is left out.
    #[serde(default)]
    visibility: Visibility,
}

/// Who looks after it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct To {
    /// A person, as people call them.
    #[schemars(length(min = 1, max = 255))]
    to: String,
}

/// How it was resolved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Resolution {
    /// In CommonMark; left out, nobody says.
    #[schemars(length(max = 32768))]
    resolution: Option<String>,
}

async fn list(call: Call<Which, Nothing>) -> Result<Paged<Ticket>, Error> {
    let Which { open, client, device, after, limit } = &call.query;
    let page = Page { after: after.clone(), limit: *limit };
    let state = open.then_some(TicketState::Open);
    let which = WhichTickets { state, client: client.clone(), device: device.clone() };
    call.read(move |view| view.tickets(&which, &page)).await
}

async fn show(call: Call<Nothing, Nothing>) -> Result<Shown, Error> {
    let number = number(&call)?;
    shown(&call, number).await
}

async fn note(call: Call<Nothing, Note>) -> Result<Shown, Error> {
    let number = number(&call)?;
    let found = call.read(move |view| view.ticket(number)).await?;
    let Note { body, visibility } = &call.body;
    let (body, visibility, by) = (body.clone(), crate::word(visibility), who(&call)?);
    let done = ("ticket-noted", json!({ "ticket": number }));
    call.write(&found.client, done, move |change, held, now_ms| {
        change.reply_to_ticket(held, number, (&by, &visibility, &body), now_ms)
    })
    .await?;
    shown(&call, number).await
}

async fn assign(call: Call<Nothing, To>) -> Result<Shown, Error> {
    let number = number(&call)?;
    let found = call.read(move |view| view.ticket(number)).await?;
    let to = call.body.to.clone();
    let done = ("ticket-assigned", json!({ "ticket": number, "to": to }));
    call.write(&found.client, done, move |change, held, now_ms| change.assign_ticket(held, number, &to, now_ms))
        .await?;
    shown(&call, number).await
}

async fn close(call: Call<Nothing, Resolution>) -> Result<Shown, Error> {
    let number = number(&call)?;
    let found = call.read(move |view| view.ticket(number)).await?;
    let resolution = call.body.resolution.clone();
    let done = ("ticket-closed", json!({ "ticket": number }));
    call.write(&found.client, done, move |change, held, now_ms| {
        change.close_ticket(held, number, resolution.as_deref(), now_ms)
    })
    .await?;
    shown(&call, number).await
}

async fn told(call: Call<Page, Nothing>) -> Result<Paged<Notification>, Error> {
    let page = call.query.clone();
    call.read(move |view| view.notifications(&page)).await
}

fn number<Q, B>(call: &Call<Q, B>) -> Result<u64, Error> {
    call.part("number").parse().map_err(|_| Error::Missing { what: "ticket" })
}

/// As the ticket names whoever asks.
fn who<Q, B>(call: &Call<Q, B>) -> Result<String, Error> {
    Ok(match &call.asker()?.actor {
        Actor::Technician(holder, _) => holder.clone(),
        other => other.to_string(),
    })
}

async fn shown<Q, B>(call: &Call<Q, B>, number: u64) -> Result<Shown, Error> {
    call.read(move |view| Ok(Shown { ticket: view.ticket(number)?, notes: view.ticket_notes(number)? })).await
}
