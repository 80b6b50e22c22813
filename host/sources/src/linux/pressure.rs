//! Work that waits for processors, memory or disks: the kernel's pressure stall information.

use std::time::Duration;

use agent::{Resource, Rising};
use serde_json::json;

use crate::sink::{Level, data};
use crate::{Error, Sink, Surroundings};

use super::shared::beat;

/// Half of what the kernel averages over, which it works out every two seconds. Its triggers would wake in less, but fire again
/// and again while it lasts, and never say that it is over.
const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn watch(
    resource: Resource,
    above: &str,
    clear: Option<&str>,
    around: &Surroundings,
    sink: &Sink,
) -> Result<(), Error> {
    let rising = Rising::percentage(above, clear).map_err(Error::Bad)?;
    let file = format!("/proc/pressure/{resource}");
    let mut level = Level::default();
    loop {
        // A kernel may be built without it, or started with `psi=0`: then the file is not there, or cannot be read.
        let text = super::read(&file).map_err(|_| Error::Unsupported {
            what: "pressure stall information: its kernel was built without `CONFIG_PSI`, or started with `psi=0`"
                .to_owned(),
        })?;
        let average = |name| average(&text, name).ok_or_else(|| super::unlike(&file));
        let (ten, sixty, three_hundred) = (average("avg10=")?, average("avg60=")?, average("avg300=")?);
        let is_raised = rising.is_raised(level.is_raised(), ten);
        let said = || {
            data([
                ("resource", json!(resource)),
                ("percent-10s", json!(ten)),
                ("percent-60s", json!(sixty)),
                ("percent-300s", json!(three_hundred)),
            ])
        };
        level.tell(sink, is_raised, around, &resource.to_string(), said).await;
        beat(EVERY).await;
    }
}

/// How much of the time some of the work waited.
fn average(text: &str, name: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split(' ').find_map(|word| word.strip_prefix(name))?.parse().ok()
}
