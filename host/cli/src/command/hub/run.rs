use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use hub::{Hub, Notifier};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::ways;
use crate::context::Context;
use crate::output;

/// Serve devices and technicians until told to stop
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, folder: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    // A device holds a connection: as many files as the system lets this process have.
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
    let _alone = Hub::alone(folder)?;
    let hub = Arc::new(Hub::open(folder, Arc::clone(&context.clock))?);
    let notifier = ways::notifier(&hub, folder, &context.clock)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(hub, notifier))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(hub: Arc<Hub>, notifier: Notifier) -> anyhow::Result<()> {
    let listen = hub.config().listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("the hub cannot listen at {listen}"))?;
    // Before anybody is told that it listens: who knows may end it.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    output::say(&format!("the hub listens at {}", listener.local_addr()?));
    tokio::select! {
        ended = hub.serve(listener, Some(notifier)) => match ended.context("the hub ended: this is a defect of remit")? {},
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}
