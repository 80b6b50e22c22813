//! `simulator-hub FOLDER`: a hub as `remit hub run` serves it, in a process of its own, for benches. What it takes is then its own.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use hub::Hub;
use model::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    run(&folder.context("expected: simulator-hub FOLDER")?)
}

/// Serves until its input ends. The first line that it says is the address at which it listens.
fn run(folder: &Path) -> anyhow::Result<()> {
    simulator::files::raise();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let _alone = Hub::alone(folder)?;
    let hub = Arc::new(Hub::open(folder, clock)?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(hub))
}

#[allow(clippy::print_stdout, reason = "whoever started it reads where it listens")]
async fn serve(hub: Arc<Hub>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(hub.config().listen).await.context("the hub cannot listen")?;
    println!("{}", listener.local_addr()?);
    let (ends, ended) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody says anything: it ends with whoever started it.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        let _ = ends.send(());
    });
    tokio::select! {
        served = hub.serve(listener, None) => match served? {},
        _ = ended => Ok(()),
    }
}
