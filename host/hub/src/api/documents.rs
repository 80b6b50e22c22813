//! What was signed: put once, and read by digest. It is what verifies, and nothing else.

use axum::http::Method;
use model::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trust::{SIGNED_BYTES_MAX, Signed};

use super::endpoint::{Call, Endpoint, Nothing};
use super::limit::Rate;
use crate::Error;
use crate::db::{Listed, Page, Paged};

/// As much as the largest document may have, with each byte of it written as two.
const BODY_BYTES_MAX: usize = 2 * SIGNED_BYTES_MAX + 1024;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let put = Endpoint::new(Method::POST, "/v1/documents", "Hand over a signed document", put);
    vec![
        // A few of the largest at once are as much memory as the hub has for them.
        Endpoint { body_bytes_max: BODY_BYTES_MAX, at_work_max: 8, rate: Rate { at_once: 50, per_second: 10 }, ..put },
        Endpoint::new(Method::GET, "/v1/documents", "List the documents that count", list),
        Endpoint::new(Method::GET, "/v1/documents/{digest}", "Read a document with its signatures", get),
    ]
}

/// A statement and its signatures.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Put {
    /// The statement on one line, and its signatures as `ssh-keygen` writes them.
    signed: String,
}

/// What became of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Done {
    /// Of the statement.
    digest: String,
    /// What it is.
    kind: String,
    /// Whether it was not there before.
    is_new: bool,
}

/// Which documents.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Which {
    /// Of this kind alone, such as `policy`.
    kind: Option<String>,
    /// `next` of the page before; left out, the list begins.
    after: Option<String>,
    /// At most so many: 1 to 500, and 100 where it is left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// A document.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Whole {
    /// The statement on one line, and its signatures.
    signed: String,
}

async fn put(call: Call<Nothing, Put>) -> Result<Done, Error> {
    let signed = Signed::from_text(call.body.signed.as_bytes()).map_err(|refusal| vec![refusal])?;
    let done = call.hub().put_document(signed, call.asker()?).await?;
    Ok(Done { digest: done.digest.to_string(), kind: done.kind.to_string(), is_new: done.is_new })
}

async fn list(call: Call<Which, Nothing>) -> Result<Paged<Listed>, Error> {
    let Which { kind, after, limit } = &call.query;
    let (kind, page) = (kind.clone(), Page { after: after.clone(), limit: *limit });
    call.read(move |view| view.documents(kind.as_deref(), &page)).await
}

async fn get(call: Call<Nothing, Nothing>) -> Result<Whole, Error> {
    let digest: Digest = call.part("digest").parse().map_err(|_| Error::Missing { what: "document" })?;
    let bytes = call.read(move |view| view.document(&digest.to_string())).await?;
    Ok(Whole { signed: String::from_utf8_lossy(&bytes).into_owned() })
}
