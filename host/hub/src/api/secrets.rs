//! Secrets of devices: handed over sealed, listed by name, and read by nobody.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trust::Signed;

use super::endpoint::{Call, Endpoint, Nothing};
use crate::Error;
use crate::db::{Page, Paged, Secret, WhichSecrets};

/// The most at once: 3 MiB where all are as large as may be.
const AT_ONCE_MAX: usize = 64;

/// As much as these have, with each line break written as two bytes.
const BODY_BYTES_MAX: usize = 4 << 20;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let put = Endpoint::new(Method::POST, "/v1/secrets", "Hand over secrets that are sealed to devices", put);
    vec![
        Endpoint::new(Method::GET, "/v1/secrets", "List the secrets of devices, never what they are", list),
        Endpoint { body_bytes_max: BODY_BYTES_MAX, at_work_max: 8, ..put },
    ]
}

/// Which secrets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Which {
    /// Of this client alone.
    client: Option<String>,
    /// Of this device alone.
    device: Option<String>,
    /// Of this name alone.
    name: Option<String>,
    /// `next` of the page before; left out, the list begins.
    after: Option<String>,
    /// At most so many: 1 to 500, and 100 where it is left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// Secrets for devices of one client.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Put {
    /// Statements with their signatures, one a device and name.
    #[schemars(length(min = 1, max = 64))]
    signed: Vec<String>,
}

/// What became of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Done {
    /// How many were not there before.
    new: usize,
}

async fn list(call: Call<Which, Nothing>) -> Result<Paged<Secret>, Error> {
    let Which { client, device, name, after, limit } = &call.query;
    let page = Page { after: after.clone(), limit: *limit };
    let which = WhichSecrets { client: client.clone(), device: device.clone(), name: name.clone() };
    call.read(move |view| view.secrets(&which, &page)).await
}

async fn put(call: Call<Nothing, Put>) -> Result<Done, Error> {
    let texts = call.body.signed.iter().take(AT_ONCE_MAX);
    let signed = texts.map(|text| Signed::from_text(text.as_bytes())).collect::<Result<Vec<_>, _>>();
    let new = call.hub().put_secrets(signed.map_err(|refusal| vec![refusal])?, call.asker()?).await?;
    Ok(Done { new })
}
