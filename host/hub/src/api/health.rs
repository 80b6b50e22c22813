//! Whether the hub works.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoint::{Call, Endpoint, Nothing, Who};
use super::limit::Rate;
use crate::Error;

/// Whoever watches asks once in some seconds; whoever asks more often is told to come back.
const RATE: Rate = Rate { at_once: 20, per_second: 5 };

pub(super) fn endpoints() -> Vec<Endpoint> {
    let open = |endpoint: Endpoint| Endpoint { who: Who::Anybody, rate: RATE, ..endpoint };
    vec![
        open(Endpoint::new(Method::GET, "/v1/health", "Whether it runs", health)),
        open(Endpoint::new(Method::GET, "/v1/ready", "Whether it can work: its database answers", ready)),
        open(Endpoint::new(Method::GET, "/v1/openapi", "This document", document)),
    ]
}

/// That it runs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Health {
    /// Always `ok`: one that is not does not answer.
    status: String,
    /// Its version.
    version: String,
}

fn well() -> Health {
    Health { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

async fn health(_: Call<Nothing, Nothing>) -> Result<Health, Error> {
    Ok(well())
}

async fn ready(call: Call<Nothing, Nothing>) -> Result<Health, Error> {
    call.hub().ping().await.map(|()| well())
}

async fn document(_: Call<Nothing, Nothing>) -> Result<serde_json::Value, Error> {
    Ok(super::openapi())
}
