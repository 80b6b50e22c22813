//! The other half, as this one sees it: asked over a socket, one question a connection.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::numbers::Numbers;
use super::trace::Ended;
use crate::agent::protocol;

/// It is on the same machine, and answers out of memory.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

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

    async fn ask<T: DeserializeOwned>(&self, ask: &Value) -> anyhow::Result<T> {
        let told = timeout(ANSWER_TIME_MAX, self.told(ask)).await;
        let told = told.map_err(|_| anyhow::anyhow!("it said nothing for {} s", ANSWER_TIME_MAX.as_secs()));
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
