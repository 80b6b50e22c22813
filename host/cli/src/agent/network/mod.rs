//! The half of the agent that speaks to the network. It is a user that may do nothing, knows no key, and starts nothing: what it
//! learns of the machine is counts and ended runs, which it asks the executor for.

mod executor;
mod export;
mod line;
mod metrics;
pub(crate) mod numbers;
mod otlp;
mod serve;
pub(crate) mod trace;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use distribution::{Limits, Network, Roots};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use self::executor::Executor;
use self::export::Exporter;
use self::metrics::Page;
use super::config::{self, Config, private_file};
use super::idle;
use super::supervisor::Supervisor;

/// How often an executor that is away is looked for.
const AWAY_EVERY: Duration = Duration::from_secs(2);
/// How often one that was there is.
const THERE_EVERY: Duration = Duration::from_secs(30);
/// How long a collector is waited for.
const COLLECTOR: Limits =
    Limits { connect: Duration::from_secs(10), stall: Duration::from_secs(10), whole: Duration::from_secs(30) };

/// Runs until it is told to stop.
pub(crate) async fn run(file: Option<PathBuf>, supervisor: &Supervisor) -> anyhow::Result<()> {
    let mut config = config::read(file.as_deref())?;
    config.log.begin()?;
    let (mut stop, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut reload = signal(SignalKind::hangup())?;
    loop {
        let executor = Arc::new(Executor::new(config.socket()));
        let mut running = start(&config, &executor).await?;
        supervisor.ready();
        let next = tokio::select! {
            never = watch(&executor, supervisor) => match never {},
            _ = stop.recv() => None,
            _ = interrupt.recv() => None,
            next = next_config(&mut reload, file.as_deref(), supervisor) => Some(next),
        };
        // What it listened at is free again before it is listened at anew.
        running.shutdown().await;
        match next {
            Some(next) => config = next,
            None => break,
        }
    }
    supervisor.stopping();
    Ok(())
}

/// Waits for a configuration that can be taken. One that cannot is said, and the old one holds.
async fn next_config(reload: &mut tokio::signal::unix::Signal, file: Option<&Path>, supervisor: &Supervisor) -> Config {
    loop {
        reload.recv().await;
        supervisor.reloading();
        match config::read(file) {
            Ok(config) => {
                tracing::info!("the configuration was read anew");
                return config;
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the configuration was not taken, and the old one holds");
                supervisor.ready();
            }
        }
    }
}

/// Starts what this configuration wants.
async fn start(config: &Config, executor: &Arc<Executor>) -> anyhow::Result<JoinSet<()>> {
    let mut running = JoinSet::new();
    let counts = Arc::new(export::Counts::default());
    if let Some(listen) = &config.metrics {
        let listener = serve::listen(listen).await.with_context(|| format!("metrics at {listen}"))?;
        let page = Page::new(Arc::clone(executor), Arc::clone(&counts));
        running.spawn(serve::serve(listener, Arc::new(page)));
    }
    running.spawn(line::keep(proxy(config)?, Arc::clone(executor)));
    if let Some(traces) = &config.traces {
        let headers = traces.headers.as_deref().map(headers).transpose()?.unwrap_or_default();
        let network = network(config)?;
        let exporter = Exporter::new(network, traces.endpoint.clone(), headers, counts);
        let executor = Arc::clone(executor);
        running.spawn(async move { exporter.run(&executor).await });
    }
    Ok(running)
}

/// The way to servers, as the configuration has it.
fn network(config: &Config) -> anyhow::Result<Network> {
    Ok(Network::through(&Roots(config.ca.clone()), COLLECTOR, proxy(config)?)?)
}

/// Who stands in between, as the configuration has it.
pub(crate) fn proxy(config: &Config) -> anyhow::Result<Option<distribution::Proxy>> {
    let proxy = config.proxy.as_ref().map(|proxy| {
        let credentials = proxy.credentials.as_deref().map(private_file).transpose()?;
        let credentials = credentials.as_ref().map(|it| it.as_str());
        Ok::<_, anyhow::Error>(distribution::Proxy::new(proxy.address.clone(), &proxy.no_proxy, credentials)?)
    });
    proxy.transpose()
}

/// `Name: value`, one a line.
fn headers(file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let text = private_file(file)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let header = line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
            header.with_context(|| format!("{}:{} is no `Name: value`", file.display(), at + 1))
        })
        .collect()
}

/// Says when the executor goes and when it comes back, and that this half is alive.
async fn watch(executor: &Executor, supervisor: &Supervisor) -> Infallible {
    let mut was_there = None;
    let mut alive = interval(supervisor.alive_every().unwrap_or(THERE_EVERY));
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_there = executor.is_there().await;
        let socket = executor.socket().display().to_string();
        if was_there != Some(is_there) {
            let text = if is_there { "the executor is there" } else { "waiting for the executor" };
            supervisor.status(&format!("{text}, at {socket}"));
            tracing::info!(socket, "{text}");
            was_there = Some(is_there);
            // What it took to begin is not needed for waiting.
            idle::let_go();
        }
        let again = tokio::time::sleep(if is_there { THERE_EVERY } else { AWAY_EVERY });
        tokio::pin!(again);
        loop {
            tokio::select! {
                () = &mut again => break,
                _ = alive.tick() => supervisor.alive(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
