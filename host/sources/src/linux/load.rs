//! More that wants to run than there are processors, as the kernel averages it over a minute.

use std::time::Duration;

use agent::Rising;
use serde_json::json;

use crate::sink::{Level, data};
use crate::{Error, Sink, Surroundings};

use super::shared::beat;

const LOAD: &str = "/proc/loadavg";
const PROCESSORS: &str = "/sys/devices/system/cpu/online";
/// The kernel works it out as often.
const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn watch(above: &str, clear: Option<&str>, around: &Surroundings, sink: &Sink) -> Result<(), Error> {
    let rising = Rising::number(above, clear).map_err(Error::Bad)?;
    let mut level = Level::default();
    loop {
        let text = super::read(LOAD)?;
        let averages: Vec<f64> = text.split_whitespace().take(3).filter_map(|it| it.parse().ok()).collect();
        let [minute, five, fifteen] = averages.as_slice() else { return Err(super::unlike(LOAD)) };
        // Processors come and go on machines that are virtual.
        let processors = processors(&super::read(PROCESSORS)?).ok_or_else(|| super::unlike(PROCESSORS))?;
        let each = minute / f64::from(processors);
        let is_raised = rising.is_raised(level.is_raised(), each);
        let said = || {
            data([
                ("load-1m", json!(minute)),
                ("load-5m", json!(five)),
                ("load-15m", json!(fifteen)),
                ("processors", json!(processors)),
                ("load-by-processor", json!((each * 100.0).round() / 100.0)),
            ])
        };
        level.tell(sink, is_raised, around, "", said).await;
        beat(EVERY).await;
    }
}

/// How many a list such as `0-3,6` has.
fn processors(list: &str) -> Option<u32> {
    let mut count = 0;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        count += last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)? + 1;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::processors;

    #[test]
    fn processors_are_counted() {
        let counts = ["0", "0-3\n", "0-1,4,6-7", "", "3-1"].map(processors);
        assert_eq!(counts, [Some(1), Some(4), Some(5), None, None]);
    }
}
