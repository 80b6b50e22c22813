//! The other half, as this one sees it: asked over a socket, one question a connection.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bus::Ack;
use model::Digest;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;
use trust::Key;

use super::numbers::Numbers;
use super::trace::Ended;
use crate::agent::protocol::{self, Ask, HubIs, LineIs, Thing, ToSay, Wanted};

/// It is on the same machine, and answers out of memory.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// It looks at signatures, writes down what follows, and may install a plugin.
const TAKING_TIME_MAX: Duration = Duration::from_secs(120);
/// How long it is waited for news of where the hub is: an executor that was stopped is noticed then.
const HUB_ASKED_FOR: Duration = Duration::from_secs(3_600);
/// How often it is told how the line is, where there is nothing to say.
const SAYING_EVERY: Duration = Duration::from_secs(50);

/// Where the executor listens.
pub(super) struct Executor {
    socket: PathBuf,
}

impl Executor {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether somebody listens.
    pub(super) async fn is_there(&self) -> bool {
        UnixStream::connect(&self.socket).await.is_ok()
    }

    /// How it is.
    pub(super) async fn numbers(&self) -> anyhow::Result<Numbers> {
        self.ask(&json!({ "ask": "metrics" })).await
    }

    /// The runs that ended after a place that it gave before; without one only the place where the next will be.
    pub(super) async fn ended(&self, after: Option<u64>) -> anyhow::Result<Ended> {
        self.ask(&json!({ "ask": "traces", "after": after })).await
    }

    /// Learns where the hub is that this device joined, once that is otherwise than what is known here. An error means to ask again.
    pub(super) async fn hub(&self, known: Option<&HubIs>) -> anyhow::Result<Option<HubIs>> {
        self.ask_for(&json!({ "ask": "hub", "known": known }), HUB_ASKED_FOR).await
    }

    /// A session of that hub for a key, signed by the device.
    pub(super) async fn session(&self, hub: Digest, key: &Key) -> anyhow::Result<String> {
        self.ask(&json!({ "ask": "session", "hub": hub, "key": key })).await
    }

    /// Hands over what came over the line, and learns what is wanted of it.
    pub(super) async fn came(&self, things: Vec<Thing>) -> anyhow::Result<Wanted> {
        let ask = serde_json::to_value(Ask::Came { things })?;
        self.ask_for(&ask, TAKING_TIME_MAX).await
    }

    /// Learns what there is to say, once there is something, or after a while that there is nothing.
    pub(super) async fn say(&self, acks: &[Ack], line: &LineIs) -> anyhow::Result<ToSay> {
        let ask = json!({ "ask": "say", "acks": acks, "line": line });
        match timeout(SAYING_EVERY, self.ask_for(&ask, SAYING_EVERY * 2)).await {
            Ok(to_say) => to_say,
            // The connection ends here, and with it whoever waits at its other end.
            Err(_) => Ok(ToSay::default()),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, ask: &Value) -> anyhow::Result<T> {
        self.ask_for(ask, ANSWER_TIME_MAX).await
    }

    async fn ask_for<T: DeserializeOwned>(&self, ask: &Value, most: Duration) -> anyhow::Result<T> {
        let told = timeout(most, self.told(ask)).await;
        let told = told.map_err(|_| anyhow::anyhow!("it said nothing for {} s", most.as_secs()));
        let mut told = told.and_then(|it| it).with_context(|| format!("the executor at {}", self.socket.display()))?;
        match told.get("told").and_then(Value::as_str) {
            Some("is") => {
                let value = told.get_mut("value").map(Value::take).unwrap_or_default();
                serde_json::from_value(value).context("the executor's answer")
            }
            _ => bail!("the executor does not answer that: {told}"),
        }
    }

    async fn told(&self, ask: &Value) -> anyhow::Result<Value> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        protocol::write(&mut stream, ask).await?;
        protocol::read(&mut stream).await?.context("it said nothing")
    }
}
