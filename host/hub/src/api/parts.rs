//! Parts of plugins, on their way to devices.

use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::PART_BYTES_MAX;
use model::Digest;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoint::{Call, Endpoint, Nothing};
use super::limit::Rate;
use crate::Error;

/// The largest plugin has 128 parts: they come in a row.
const RATE: Rate = Rate { at_once: 300, per_second: 50 };

pub(super) fn endpoints() -> Vec<Endpoint> {
    let put = Endpoint::new(Method::POST, "/v1/parts", "Hand over a part of a plugin, as bytes", put);
    let get = Endpoint::new(Method::GET, "/v1/parts/{digest}", "Read a part of the plugin of an order", get);
    vec![
        Endpoint {
            status: StatusCode::CREATED,
            body_bytes_max: PART_BYTES_MAX,
            at_work_max: 16,
            rate: RATE,
            is_raw: true,
            ..put
        },
        Endpoint { at_work_max: 16, rate: RATE, ..get },
    ]
}

/// A part that is kept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Kept {
    /// Of its bytes: what a list names it by.
    digest: String,
}

/// A part as it was handed over.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Part {
    /// Of its bytes.
    digest: String,
    /// These, in base64.
    bytes: String,
}

async fn get(call: Call<Nothing, Nothing>) -> Result<Part, Error> {
    let digest: Digest = call.part("digest").parse().map_err(|_| Error::Missing { what: "part" })?;
    let digest = digest.to_string();
    let name = digest.clone();
    let bytes = call.read(move |view| view.ordered_part(&name)).await?;
    Ok(Part { digest, bytes: STANDARD.encode(bytes) })
}

async fn put(call: Call<Nothing, Nothing>) -> Result<Kept, Error> {
    let digest = call.hub().put_part(call.raw.to_vec(), call.asker()?).await?;
    Ok(Kept { digest: digest.to_string() })
}
