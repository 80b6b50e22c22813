//! What technicians ask: `/v1`, one row an endpoint ([`endpoint`]). From the rows come routes, limits and the OpenAPI document.
//!
//! A request goes one way, whatever it asks ([`serve`]): how often, how much, who, what; and only then the handler, which has no way
//! to the database but through the scope of whoever asks.

mod audit;
mod clients;
mod devices;
mod documents;
mod endpoint;
mod enrolments;
mod health;
mod inventory;
mod limit;
mod openapi;
mod orders;
mod parts;
mod problem;
mod query;
mod rollouts;
mod secrets;
mod serve;
mod sessions;
#[cfg(test)]
mod tests;
mod tickets;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::http::Request;
use axum::routing::{MethodFilter, on};

use crate::Hub;
use crate::config::Limits;
use endpoint::Endpoint;
use limit::Meter;

/// What all requests share.
pub(crate) struct Api {
    hub: Arc<Hub>,
    meter: Meter,
    /// Of those without a session, by where they come from.
    peers: Meter,
}

/// All endpoints, with these limits.
fn endpoints(limits: &Limits) -> Vec<Endpoint> {
    [
        health::endpoints(),
        sessions::endpoints(),
        enrolments::endpoints(limits),
        documents::endpoints(),
        clients::endpoints(),
        devices::endpoints(),
        inventory::endpoints(),
        query::endpoints(),
        tokens::endpoints(),
        orders::endpoints(),
        rollouts::endpoints(),
        secrets::endpoints(),
        parts::endpoints(),
        tickets::endpoints(),
        audit::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The routes of the technicians' API, over a hub.
pub fn router(hub: Arc<Hub>) -> Router {
    let endpoints = endpoints(&hub.config().limits);
    let api = Arc::new(Api { hub, meter: Meter::new(), peers: Meter::new() });
    let mut router = Router::new();
    for (at, endpoint) in endpoints.into_iter().enumerate() {
        let filter = MethodFilter::try_from(endpoint.method.clone()).unwrap_or(MethodFilter::GET);
        let (path, row) = (endpoint.path, Arc::new(serve::Row::new(at, endpoint)));
        let api = Arc::clone(&api);
        let handler = move |path: RawPathParams, request: Request<Body>| {
            serve::serve(Arc::clone(&api), Arc::clone(&row), path, request)
        };
        router = router.route(path, on(filter, handler));
    }
    router.fallback(serve::nowhere).method_not_allowed_fallback(serve::no_method)
}

/// The OpenAPI 3.1 document of all endpoints.
pub fn openapi() -> serde_json::Value {
    openapi::document(&endpoints(&Limits::default()))
}
