//! Orders go on their way, and are watched there.

use std::time::Duration;

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout_at};

use super::endpoint::{Call, Endpoint, Nothing};
use super::limit::Rate;
use super::orders::{Shown, digest};
use crate::Error;
use crate::rollout::{DEVICES_MAX, Wish};

/// Each device has 64 digits, quotes and a comma, and perhaps a space.
const BODY_BYTES_MAX: usize = 68 * DEVICES_MAX + (64 << 10);

/// Of what may have megabytes.
const RATE: Rate = Rate { at_once: 20, per_second: 2 };

/// So long somebody waits for what does not change; then they ask again.
const WATCH: Duration = Duration::from_secs(25);

/// What comes within this time comes together: whoever watches asks four times a second at most, however much comes.
const TOGETHER: Duration = Duration::from_millis(250);

/// The most who watch: each holds a connection, and nothing else while nothing comes.
const WATCHING_MAX: usize = 256;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = "/v1/orders/{order}/rollout";
    let put = Endpoint::new(Method::PUT, path, "Have an order go on its way to these devices", put);
    let get = Endpoint::new(Method::GET, path, "Show which devices an order went to", get);
    let watch = Endpoint::new(Method::GET, "/v1/orders/{order}/watch", "Wait until something comes of an order", watch);
    vec![
        // The largest are some megabytes, and are held against the scope device by device.
        Endpoint { body_bytes_max: BODY_BYTES_MAX, at_work_max: 4, rate: RATE, ..put },
        Endpoint { at_work_max: 4, rate: RATE, ..get },
        Endpoint::new(Method::DELETE, path, "Take an order back from whoever has not begun", withdraw),
        Endpoint { at_work_max: WATCHING_MAX, ..watch },
    ]
}

/// Where an order goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Put {
    /// The devices of each ring, in the order of its tree, by their names in hex; one list, where the order has no rings.
    rings: Vec<Vec<String>>,
    /// The digest of the list of the plugin's parts; left out where devices have the plugin.
    parcel: Option<String>,
    /// Orders whose place it takes: theirs end as it begins.
    #[serde(default)]
    replaces: Vec<String>,
}

/// Where an order went.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct AsPut {
    /// The devices of each ring, in the order of its tree; one list, where the order has no rings.
    rings: Vec<Vec<String>>,
    /// The digest of the list of the plugin's parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    parcel: Option<String>,
}

/// From where on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct After {
    /// The version that is known: what is newer is waited for. Left out, nothing is waited for.
    after: Option<u64>,
}

async fn shown<Q, B>(call: &Call<Q, B>, order: String) -> Result<Shown, Error> {
    let now = call.hub().now();
    call.read(move |view| Shown::read(view, &order, now)).await
}

async fn put(call: Call<Nothing, Put>) -> Result<Shown, Error> {
    let order = digest(call.part("order"))?;
    let Put { rings, parcel, replaces } = &call.body;
    let wish = Wish { rings: rings.clone(), parcel: parcel.clone(), replaces: replaces.clone() };
    call.hub().put_rollout(&order, wish, call.asker()?).await?;
    shown(&call, order).await
}

async fn get(call: Call<Nothing, Nothing>) -> Result<AsPut, Error> {
    let order = digest(call.part("order"))?;
    call.read(move |view| {
        view.order(&order)?;
        let (rings, parcel) = view.rollout_as_put(&order)?;
        Ok(AsPut { rings, parcel })
    })
    .await
}

async fn withdraw(call: Call<Nothing, Nothing>) -> Result<Shown, Error> {
    let order = digest(call.part("order"))?;
    call.hub().withdraw_rollout(&order, call.asker()?).await?;
    shown(&call, order).await
}

async fn watch(call: Call<After, Nothing>) -> Result<Shown, Error> {
    let order = digest(call.part("order"))?;
    let until = Instant::now() + WATCH;
    // From before it is looked, so that nothing comes between.
    let mut watching = call.hub().stirs.watch(&order);
    loop {
        let name = order.clone();
        let version = call
            .read(move |view| {
                view.order(&name)?;
                view.rollout_version(&name)
            })
            .await?;
        if call.query.after.is_none_or(|after| version > after) {
            return shown(&call, order).await;
        }
        if timeout_at(until, watching.changed()).await.is_err() {
            return shown(&call, order).await;
        }
        sleep(TOGETHER).await;
    }
}
