//! Parts of plugins, on their way to devices.

use axum::http::{Method, StatusCode};
use fleet::PART_BYTES_MAX;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoint::{Call, Endpoint, Nothing};
use super::limit::Rate;
use crate::Error;

/// The largest plugin has 128 parts: they come in a row.
const RATE: Rate = Rate { at_once: 300, per_second: 50 };

pub(super) fn endpoints() -> Vec<Endpoint> {
    let put = Endpoint::new(Method::POST, "/v1/parts", "Hand over a part of a plugin, as bytes", put);
    vec![Endpoint {
        status: StatusCode::CREATED,
        body_bytes_max: PART_BYTES_MAX,
        at_work_max: 16,
        rate: RATE,
        is_raw: true,
        ..put
    }]
}

/// A part that is kept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Kept {
    /// Of its bytes: what a list names it by.
    digest: String,
}

async fn put(call: Call<Nothing, Nothing>) -> Result<Kept, Error> {
    let digest = call.hub().put_part(call.raw.to_vec(), call.asker()?).await?;
    Ok(Kept { digest: digest.to_string() })
}
