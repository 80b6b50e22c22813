//! All devices with what they say of themselves: from this a technician works out whom an order would mean, before they sign it.

use axum::http::Method;
use bus::Presence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::endpoint::{Call, Endpoint, Nothing};
use crate::Error;
use crate::db::{Device, Page, Paged};

/// The most devices of a page, each with facts of up to 256 KiB: 25 MiB where all are as large as may be.
const DEVICES_MAX: u32 = 100;

/// The most pages that are made at once.
const AT_WORK_MAX: usize = 4;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let list =
        Endpoint::new(Method::GET, "/v1/inventory", "List devices with their facts, and whether they are there", list);
    vec![Endpoint { at_work_max: AT_WORK_MAX, ..list }]
}

/// Which devices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Which {
    /// Of this client alone.
    client: Option<String>,
    /// `next` of the page before; left out, the list begins.
    after: Option<String>,
    /// At most so many: 1 to 100, and 100 where it is left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// A device, its facts, and whether it is there.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Listed {
    /// The device.
    device: Device,
    /// What it says of itself, by section.
    facts: Map<String, Value>,
    /// `online`, `offline`, or `unknown` where nobody listened for long enough to say.
    presence: String,
    /// When it last said how it is, in milliseconds since 1970; left out where it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_ms: Option<u64>,
}

/// As it stands in an answer.
pub(super) fn word(presence: Presence) -> String {
    crate::word(&presence)
}

async fn list(call: Call<Which, Nothing>) -> Result<Paged<Listed>, Error> {
    let Which { client, after, limit } = &call.query;
    let (client, page) = (client.clone(), Page { after: after.clone(), limit: Some(limit.unwrap_or(DEVICES_MAX)) });
    let found = call
        .read(move |view| {
            let Paged { items, next } = view.devices(client.as_deref(), &page)?;
            let with_facts = |device: Device| {
                let facts = view.facts(&device.device)?.into_iter().map(|it| (it.name, it.value)).collect();
                let seen_ms = view.seen_ms(&device.device)?;
                Ok((device, facts, seen_ms))
            };
            let items = items.into_iter().map(with_facts);
            let items = items.collect::<Result<Vec<(Device, Map<String, Value>, Option<u64>)>, Error>>()?;
            Ok(Paged { items, next })
        })
        .await?;
    let listed = found.items.into_iter().map(|(device, facts, seen_ms)| {
        let presence = word(call.hub().presence(&device.device));
        Listed { device, facts, presence, seen_ms }
    });
    Ok(Paged { items: listed.collect(), next: found.next })
}
