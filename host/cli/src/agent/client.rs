//! Asks the agent, where there is one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use runtime::Observer;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::config::{self, Config};
use super::protocol::{self, Ask, Told};
use crate::context::Context;
use crate::fault::Refused;
use crate::output;

/// Where the executor listens: a machine's own where its configuration says, any other in its folder of state.
pub(super) fn socket_of(config: &Config, context: &Context) -> PathBuf {
    context.own_agent_socket().unwrap_or_else(|| config.socket())
}

/// The same, for whoever asks it.
fn socket(context: &Context) -> anyhow::Result<PathBuf> {
    Ok(match context.own_agent_socket() {
        Some(path) => path,
        None => config::read(None)?.socket(),
    })
}

/// The agent's socket; none where no agent listens.
pub(crate) async fn find(context: &Context) -> Option<UnixStream> {
    UnixStream::connect(socket(context).ok()?).await.ok()
}

/// Asks what is answered at once.
pub(crate) async fn ask(context: &Context, ask: &Ask) -> anyhow::Result<Value> {
    let path = socket(context)?;
    let stream = UnixStream::connect(&path).await.with_context(|| no_agent(&path))?;
    tell(stream, ask).await
}

async fn tell(mut stream: UnixStream, ask: &Ask) -> anyhow::Result<Value> {
    protocol::write(&mut stream, ask).await.context("the agent does not listen")?;
    match protocol::read(&mut stream).await.context("the agent's answer")? {
        Some(Told::Is { value }) => Ok(value),
        Some(other) => Err(failed(other)),
        None => bail!("the agent gave no answer: `remit agent status` tells whether it runs"),
    }
}

/// Has the agent run something for whoever waits here, and stops it where they do.
pub(crate) async fn run(
    stream: UnixStream,
    ask: &Ask,
    plugin: Option<&[u8]>,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> anyhow::Result<model::Ended> {
    let (mut from, mut to) = stream.into_split();
    protocol::write(&mut to, ask).await.context("the agent does not listen")?;
    if let Some(bytes) = plugin {
        protocol::write_plugin(&mut to, bytes).await.context("the agent does not take the plugin")?;
    }
    let mut is_stopped = false;
    loop {
        let told = tokio::select! {
            biased;
            told = protocol::read(&mut from) => told.context("the agent's answer")?,
            () = cancel.cancelled(), if !is_stopped => {
                // Whoever says no more has gone: the agent stops the run, and still tells how it ended.
                is_stopped = true;
                to.shutdown().await.context("the agent cannot be told to stop")?;
                continue;
            }
        };
        match told {
            Some(Told::Waits { behind }) => {
                output::say(&format!("the agent has other runs under way: {behind} before this one"));
            }
            Some(Told::Began { .. }) => {}
            Some(Told::Progress { percent, message }) => observer.progress(percent, &message),
            Some(Told::Log { level, message }) => observer.log(level, &message),
            Some(Told::Ended { ended }) => return Ok(*ended),
            Some(other) => return Err(failed(other)),
            None => bail!("the agent ended before the run did; `remit runs list` tells what became of it"),
        }
    }
}

fn failed(told: Told) -> anyhow::Error {
    match told {
        Told::Refused { reasons, next } => Refused { next, ..Refused::because(reasons) }.into(),
        Told::Failed { why } => {
            let mut chain = why.into_iter().rev();
            let last = anyhow::Error::msg(chain.next().unwrap_or_default());
            chain.fold(last, |error, above| error.context(above))
        }
        _ => anyhow::Error::msg("the agent answered something else than was asked: is it of another version?"),
    }
}

fn no_agent(path: &Path) -> String {
    format!("no agent listens at {}: `remit agent run` starts one, `remit agent install` for good", path.display())
}
