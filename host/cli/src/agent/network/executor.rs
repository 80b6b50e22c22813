//! The other half, as this one sees it: asked over a socket, one question a connection.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::numbers::Numbers;
use super::trace::Ended;

/// It is on the same machine, and answers out of memory.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// As much as either half says at once.
const FRAME_BYTES_MAX: u32 = 8 << 20;

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
        write(&mut stream, ask).await?;
        let mut length = [0; 4];
        stream.read_exact(&mut length).await?;
        let length = u32::from_be_bytes(length);
        if length > FRAME_BYTES_MAX {
            bail!("an answer of {length} bytes, and {FRAME_BYTES_MAX} are the most");
        }
        // What is only announced takes no memory.
        let mut bytes = Vec::new();
        stream.take(u64::from(length)).read_to_end(&mut bytes).await?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// A frame: a length of four bytes, and JSON.
pub(super) async fn write(to: &mut UnixStream, message: &Value) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(&bytes).await
}
