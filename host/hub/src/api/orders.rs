//! Orders and what became of them. The hub makes none: it keeps what technicians signed.

use axum::http::Method;
use model::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trust::Time;

use super::endpoint::{Call, Endpoint, Nothing};
use crate::Error;
use crate::db::{Counted, Order, Page, Paged, ResultRow, Rollout, View};
use crate::rollout::{order_of, say_why};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/v1/orders", "List orders", list),
        Endpoint::new(Method::GET, "/v1/orders/{order}", "Show an order and what became of it, counted", show),
        Endpoint::new(Method::GET, "/v1/orders/{order}/results", "List what devices signed about an order", results),
    ]
}

/// Which orders.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Which {
    /// Signed with the key of this fingerprint.
    signer: Option<String>,
    /// `next` of the page before; left out, the list begins.
    after: Option<String>,
    /// At most so many: 1 to 500, and 100 where it is left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// Which results.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WhichResults {
    /// Only the latest answer of each device, and only where it failed or was refused.
    #[serde(default)]
    failed: bool,
    /// `next` of the page before; left out, the list begins.
    after: Option<String>,
    /// At most so many: 1 to 500, and 100 where it is left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// An order and its counters.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Shown {
    /// The order.
    order: Order,
    /// What became of it, counted from the log of results.
    counted: Counted,
    /// How far it has come; left out where nobody has sent it on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<Rollout>,
}

impl Shown {
    /// At this time, because some wait for it.
    pub(super) fn read(view: &View<'_>, order: &str, now: Time) -> Result<Self, Error> {
        let mut rollout = view.rollout(order)?;
        if let (Some(rollout), Ok((_, order))) = (&mut rollout, order_of(view, order)) {
            say_why(rollout, &order, now);
        }
        Ok(Self { order: view.order(order)?, counted: view.counted(order)?, rollout })
    }
}

/// The order of a path.
pub(super) fn digest(call: &str) -> Result<String, Error> {
    call.parse::<Digest>().map(|it| it.to_string()).map_err(|_| Error::Missing { what: "order" })
}

async fn list(call: Call<Which, Nothing>) -> Result<Paged<Order>, Error> {
    let Which { signer, after, limit } = &call.query;
    let (signer, page) = (signer.clone(), Page { after: after.clone(), limit: *limit });
    call.read(move |view| view.orders(signer.as_deref(), &page)).await
}

async fn show(call: Call<Nothing, Nothing>) -> Result<Shown, Error> {
    let order = digest(call.part("order"))?;
    let now = call.hub().now();
    call.read(move |view| Shown::read(view, &order, now)).await
}

async fn results(call: Call<WhichResults, Nothing>) -> Result<Paged<ResultRow>, Error> {
    let order = digest(call.part("order"))?;
    let WhichResults { failed, after, limit } = &call.query;
    let (failed, page) = (*failed, Page { after: after.clone(), limit: *limit });
    call.read(move |view| {
        view.order(&order)?;
        view.results(&order, failed, &page)
    })
    .await
}
