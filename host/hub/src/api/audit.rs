//! Who did what, and whether that is what was written down.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Call, Endpoint, Nothing};
use super::limit::Rate;
use crate::Error;
use crate::db::{Entry, Page, Paged, Verified};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let verify = Endpoint::new(Method::GET, "/v1/audit/verification", "Walk the whole chain", verify);
    vec![
        Endpoint::new(Method::GET, "/v1/audit", "List who did what", list),
        // It reads all there is.
        Endpoint { at_work_max: 2, rate: Rate { at_once: 20, per_second: 1 }, ..verify },
    ]
}

/// What was seen before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Seen {
    /// The number of an entry that was seen before.
    number: Option<u64>,
    /// Its digest.
    digest: Option<String>,
}

async fn list(call: Call<Page, Nothing>) -> Result<Paged<Entry>, Error> {
    let page = call.query.clone();
    call.read(move |view| view.audit(&page)).await
}

async fn verify(call: Call<Seen, Nothing>) -> Result<Verified, Error> {
    let seen = match (call.query.number, call.query.digest.clone()) {
        (Some(number), Some(digest)) => Some((number, digest)),
        (None, None) => None,
        _ => return Err(Error::Invalid(vec!["`number` and `digest` go together".to_owned()])),
    };
    call.read(move |view| view.verify_audit(seen.as_ref().map(|(number, digest)| (*number, digest.as_str())))).await
}
