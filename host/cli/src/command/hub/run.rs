use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::server::{self, Desk, Limits};
use hub::{Delivery, Hub, Post, api};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use crate::context::Context;
use crate::output;

/// How often it is looked what runs out and what is too old.
const CHORES_EVERY: Duration = Duration::from_secs(3_600);

/// Serve devices and technicians until told to stop
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, folder: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    // A device holds a connection: as many files as the system lets this process have.
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
    let _alone = Hub::alone(folder)?;
    let hub = Arc::new(Hub::open(folder, Arc::clone(&context.clock))?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(hub, context))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(hub: Arc<Hub>, context: &Context) -> anyhow::Result<()> {
    let post = Arc::new(Post::new(Arc::clone(&hub)));
    let delivery = Delivery::new(Arc::clone(&post)).run();
    let (exchange, admission) = (Arc::clone(&post), post);
    let desk = Arc::new(Desk::new(exchange, admission, hub.ca().digest(), Arc::clone(&context.clock)));
    let leaving = Arc::downgrade(&desk);
    hub.when_retired(move |device| {
        if let Some(desk) = leaving.upgrade() {
            desk.end(device);
        }
    });
    let routes = api::router(Arc::clone(&hub)).merge(server::routes(desk));
    let listen = hub.config().listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("the hub cannot listen at {listen}"))?;
    let tls = Arc::new(hub.ca().tls()?);
    // Before anybody is told that it listens: who knows may end it.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    output::say(&format!("the hub listens at {}", listener.local_addr()?));
    let mut chores = interval(CHORES_EVERY);
    let chores = async {
        loop {
            chores.tick().await;
            hub.do_chores().await;
        }
    };
    // What is acknowledged is on the disk, so it may end at any time.
    tokio::select! {
        () = server::serve(listener, tls, routes, Limits::default()) => {}
        () = chores => {}
        () = delivery => anyhow::bail!("what carries orders to devices ended: this is a defect of remit"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
