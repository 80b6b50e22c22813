//! What sources notice, as lines of JSON, for tests in places where they cannot be themselves: `notices FOLDER WATCH…`, where each
//! WATCH is one of `agent::Watch` as JSON. It ends when it is killed.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use agent::Watch;
use model::SystemClock;
use serde_json::json;
use sources::{Asked, Sink, Surroundings};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("expected FOLDER WATCH…")?);
    let (to, mut told) = mpsc::channel(16);
    let around = Surroundings::new(Arc::new(SystemClock), folder, Asked::nothing());
    let mut running = tokio::task::JoinSet::new();
    for (number, watch) in arguments.enumerate() {
        let watch: Watch = serde_json::from_str(&watch)?;
        let sink = Sink::new(&format!("order-{number}"), to.clone());
        running.spawn(sources::watch(watch, around.clone(), sink, CancellationToken::new()));
    }
    loop {
        tokio::select! {
            Some(told) = told.recv() => {
                let line = json!({ "order": told.order, "notice": told.notice });
                writeln!(std::io::stdout(), "{line}")?;
            }
            // None ends but for a reason.
            Some(ended) = running.join_next() => return Ok(ended??),
        }
    }
}
