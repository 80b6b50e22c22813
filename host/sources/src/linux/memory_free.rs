//! Little memory left: what the kernel says could be had without swapping.

use std::time::Duration;

use agent::Threshold;
use serde_json::json;

use crate::sink::{Level, data, percent};
use crate::{Error, Sink, Surroundings};

use super::shared::beat;

const MEMORY: &str = "/proc/meminfo";
/// How often it is looked at: it tells nobody when it changes.
const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn watch(below: &str, clear: Option<&str>, around: &Surroundings, sink: &Sink) -> Result<(), Error> {
    let threshold = Threshold::falling(below, clear).map_err(Error::Bad)?;
    let mut level = Level::default();
    loop {
        let text = super::read(MEMORY)?;
        let (Some(total), Some(available)) = (bytes(&text, "MemTotal:"), bytes(&text, "MemAvailable:")) else {
            return Err(super::unlike(MEMORY));
        };
        let is_raised = threshold.is_raised(level.is_raised(), available, total);
        let said = || {
            data([
                ("available-bytes", json!(available)),
                ("total-bytes", json!(total)),
                ("available-percent", json!(percent(available, total))),
                ("swap-free-bytes", json!(bytes(&text, "SwapFree:"))),
            ])
        };
        level.tell(sink, is_raised, around, "", said).await;
        beat(EVERY).await;
    }
}

fn bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1 << 10)
}
