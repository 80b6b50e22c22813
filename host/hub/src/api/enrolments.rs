//! Devices join: before they have anything but a token.

use axum::http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use trust::Signed;

use super::endpoint::{Call, Endpoint, Nothing, Who};
use super::limit::Rate;
use crate::Error;
use crate::config::Limits;
use crate::join::Joined;

/// A statement of its largest size, with two signatures.
const BODY_BYTES_MAX: usize = 16 << 10;

/// So many seconds of joins come at once: devices of one site that are switched on together.
const AT_ONCE_S: u32 = 2;

pub(super) fn endpoints(limits: &Limits) -> Vec<Endpoint> {
    let join = Endpoint::new(Method::POST, "/v1/enrolments", "Join with a token, as a device", join);
    let per_second = limits.joins_per_second;
    vec![Endpoint {
        who: Who::Anybody,
        status: StatusCode::CREATED,
        body_bytes_max: BODY_BYTES_MAX,
        rate: Rate { at_once: AT_ONCE_S * per_second, per_second },
        ..join
    }]
}

/// A signed `enrolment` statement.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Join {
    /// The statement on one line, and the signatures of the token's key and the device's.
    signed: String,
}

async fn join(call: Call<Nothing, Join>) -> Result<Joined, Error> {
    let signed = Signed::from_text(call.body.signed.as_bytes()).map_err(|refusal| vec![refusal])?;
    call.hub().join(signed).await
}
