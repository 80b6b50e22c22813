//! A log has a line like this.

mod file;
mod follower;
mod journal;
mod matches;

use agent::Log;

use crate::kept::Kept;
use crate::{Error, Sink, Surroundings};

pub(super) async fn watch(
    log: &Log,
    pattern: &str,
    around: &Surroundings,
    sink: &Sink,
    kept: &Kept,
) -> Result<(), Error> {
    let matches = matches::Matches::new(pattern)?;
    match log {
        Log::File(path) => file::watch(path, matches, around, sink, kept).await,
        Log::Journal(unit) => journal::watch(unit, matches, around, sink, kept).await,
    }
}
