//! What a device notices, as lines of JSON: `noticed WATCH…`, each as an order has it. Other than `notices` it asks the device's real
//! backends what only these know: it is an example, because the crate itself does not depend on them.

use std::io::Write as _;
use std::sync::Arc;

use agent::Watch;
use model::SystemClock;
use sources::{Asked, Sink, Surroundings};
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = Arc::new(SystemClock);
    let device = backends::real(&backends::Shared::in_memory(clock.clone())?);
    let around = Surroundings::new(clock, "/run".into(), Asked::from(&device.backends));
    let (to, mut noticed) = tokio::sync::mpsc::channel(16);
    let mut watching = tokio::task::JoinSet::new();
    for (number, watch) in std::env::args().skip(1).enumerate() {
        let watch: Watch = serde_json::from_str(&watch)?;
        let sink = Sink::new(&number.to_string(), to.clone());
        watching.spawn(sources::watch(watch, around.clone(), sink, CancellationToken::new()));
    }
    loop {
        tokio::select! {
            Some(told) = noticed.recv() => {
                let line = serde_json::json!({ "rule": told.order, "notice": told.notice });
                writeln!(std::io::stdout(), "{line}")?;
            }
            // None ends but for a reason.
            Some(ended) = watching.join_next() => return Ok(ended??),
        }
    }
}
