//! Orders and what became of them. The hub makes none: it keeps what technicians signed.

use axum::http::Method;
use model::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Call, Endpoint, Nothing};
use crate::Error;
use crate::db::{Counted, Order, Page, Paged, ResultRow};

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
    /// Only those that did not go well.
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
struct Shown {
    /// The order.
    order: Order,
    /// What became of it, counted from the log of results.
    counted: Counted,
}

fn digest(call: &str) -> Result<String, Error> {
    call.parse::<Digest>().map(|it| it.to_string()).map_err(|_| Error::Missing { what: "order" })
}

async fn list(call: Call<Which, Nothing>) -> Result<Paged<Order>, Error> {
    let Which { signer, after, limit } = &call.query;
    let (signer, page) = (signer.clone(), Page { after: after.clone(), limit: *limit });
    call.read(move |view| view.orders(signer.as_deref(), &page)).await
}

async fn show(call: Call<Nothing, Nothing>) -> Result<Shown, Error> {
    let order = digest(call.part("order"))?;
    call.read(move |view| Ok(Shown { order: view.order(&order)?, counted: view.counted(&order)? })).await
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
