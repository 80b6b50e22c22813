//! Sessions: a technician's key signs that another key may ask for a while. It orders nothing.

use axum::http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trust::Signed;

use super::endpoint::{Call, Endpoint, Nothing, Who};
use super::limit::Rate;
use crate::Error;

/// A statement of its largest size, with its signature.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Each verifies a signature for somebody who has proved nothing yet.
const RATE: Rate = Rate { at_once: 100, per_second: 20 };

pub(super) fn endpoints() -> Vec<Endpoint> {
    let begin = Endpoint::new(Method::POST, "/v1/sessions", "Begin a session", begin);
    vec![
        Endpoint {
            who: Who::Anybody,
            status: StatusCode::CREATED,
            body_bytes_max: BODY_BYTES_MAX,
            at_work_max: 16,
            rate: RATE,
            ..begin
        },
        Endpoint::new(Method::DELETE, "/v1/sessions", "End all sessions of one's own key", end),
    ]
}

/// A signed `session` statement.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Begin {
    /// The statement on one line, and its signature.
    signed: String,
}

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Begun {
    /// What each of its requests names.
    session: String,
    /// When it ends, in milliseconds since 1970.
    until_ms: u64,
}

async fn begin(call: Call<Nothing, Begin>) -> Result<Begun, Error> {
    let signed = Signed::from_text(call.body.signed.as_bytes()).map_err(|refusal| vec![refusal])?;
    let (session, until_ms) = call.hub().begin_session(&signed)?;
    Ok(Begun { session, until_ms })
}

async fn end(call: Call<Nothing, Nothing>) -> Result<Nothing, Error> {
    call.hub().sessions().end(&call.asker()?.key);
    Ok(Nothing {})
}
