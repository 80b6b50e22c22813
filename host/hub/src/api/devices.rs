//! Devices: listed, shown, retired. What they are counted among says a signed assignment, which is put as a document.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::endpoint::{Call, Endpoint, Nothing};
use super::inventory;
use crate::Error;
use crate::db::{Device, Fact, FactChange, KeptKey, Page, Paged};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/v1/devices", "List devices", list),
        Endpoint::new(Method::GET, "/v1/devices/{device}", "Show a device and what it says of itself", show),
        Endpoint::new(Method::GET, "/v1/devices/{device}/kv", "List what plugins keep on a device", kept),
        Endpoint::new(Method::GET, "/v1/devices/{device}/changes", "List what changed on a device", changes),
        Endpoint::new(Method::GET, "/v1/devices/{device}/records/{digest}", "Read the details beside a result", record),
        Endpoint::new(Method::POST, "/v1/devices/{device}/retire", "Give a device nothing any more", retire),
    ]
}

/// Which devices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Which {
    /// Of this client alone.
    client: Option<String>,
    /// `next` of the page before; left out, the list begins.
    after: Option<String>,
    /// At most so many: 1 to 500, and 100 where it is left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// A device and its facts.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    /// The device.
    device: Device,
    /// What it says of itself.
    facts: Vec<Fact>,
    /// `online`, `offline`, or `unknown` where nobody listened for long enough to say.
    presence: String,
    /// When it last said how it is, in milliseconds since 1970; left out where it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_ms: Option<u64>,
}

/// What a device wrote down about a run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Record {
    /// As the device sent it: its SHA-256 is in the signed result.
    record: String,
}

async fn list(call: Call<Which, Nothing>) -> Result<Paged<Device>, Error> {
    let Which { client, after, limit } = &call.query;
    let (client, page) = (client.clone(), Page { after: after.clone(), limit: *limit });
    call.read(move |view| view.devices(client.as_deref(), &page)).await
}

async fn show(call: Call<Nothing, Nothing>) -> Result<Shown, Error> {
    let name = call.part("device").to_owned();
    let presence = inventory::word(call.hub().presence(&name));
    call.read(move |view| {
        let (device, facts, seen_ms) = (view.device(&name)?, view.facts(&name)?, view.seen_ms(&name)?);
        Ok(Shown { device, facts, presence, seen_ms })
    })
    .await
}

async fn changes(call: Call<Page, Nothing>) -> Result<Paged<FactChange>, Error> {
    let (name, page) = (call.part("device").to_owned(), call.query.clone());
    call.read(move |view| {
        view.device(&name)?;
        view.fact_changes(&name, &page)
    })
    .await
}

async fn kept(call: Call<Page, Nothing>) -> Result<Paged<KeptKey>, Error> {
    let (name, page) = (call.part("device").to_owned(), call.query.clone());
    call.read(move |view| {
        view.device(&name)?;
        view.kept(&name, &page)
    })
    .await
}

async fn record(call: Call<Nothing, Nothing>) -> Result<Record, Error> {
    let (name, digest) = (call.part("device").to_owned(), call.part("digest").to_owned());
    let bytes = call.read(move |view| view.record(&name, &digest)).await?;
    // What is no text is shown as far as it is: whoever verifies it asks the device again.
    Ok(Record { record: String::from_utf8_lossy(&bytes).into_owned() })
}

async fn retire(call: Call<Nothing, Nothing>) -> Result<Device, Error> {
    let name = call.part("device").to_owned();
    let found = name.clone();
    let found = call.read(move |view| view.device(&found)).await?;
    let (done, of) = (("device-retired", json!({ "device": name })), name.clone());
    call.write(&found.client, done, move |change, held, _| change.retire(held, &of)).await?;
    let mut bytes = [0; 32];
    if hex::decode_to_slice(&name, &mut bytes).is_ok() {
        call.hub().tell_retired(&bus::Device::from(bytes));
    }
    call.read(move |view| view.device(&name)).await
}
