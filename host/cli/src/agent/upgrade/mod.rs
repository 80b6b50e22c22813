//! Another agent in the place of the one that runs (decision 33).
//!
//! The executor verifies a release, lays it beside what runs, writes down what is to be done, and has a unit of its own do it: that
//! runs the *old* program, so whatever the new one is, something that is known to work looks at it and puts it back. Which agent is
//! started is one link; a cut of power leaves it at one of both.

mod attempt;
mod finish;
mod place;
mod probe;
mod stage;

pub(crate) use attempt::{Attempt, Stage};
pub(crate) use finish::finish;
pub(crate) use place::{LINK, Place};
pub(in crate::agent) use stage::{Missing, Refusals, stage, staged};

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use backends::spawn::{Output, Spawn};
use model::RunId;
use semver::Version;

use crate::context::Context;
use crate::stamp;

/// What puts one in the place of the other.
pub(crate) const UNIT: &str = "remit-upgrade.service";

/// There while systemd is process 1.
const BOOTED: &str = "/run/systemd/system";

/// Long enough for what only queues.
const SYSTEMCTL_TIME_MAX: Duration = Duration::from_secs(60);

/// Why the agent here cannot be replaced by order, whatever the order.
pub(in crate::agent) fn against_here() -> Result<(), String> {
    if !Path::new(BOOTED).is_dir() {
        return Err("no systemd starts the agent here, and nothing else could put it back".to_owned());
    }
    Place::default().check_own()
}

/// Writes down what is to be done, and has it begun. What follows is that unit's.
pub(in crate::agent) async fn begin(run: RunId, to: &Version, is_heard: bool, context: &Context) -> anyhow::Result<()> {
    let place = Place::default();
    place.check_own().map_err(anyhow::Error::msg)?;
    place.remember_before()?;
    store::fail::point("upgrade.before-attempt");
    let from = stamp::own()?.version;
    Attempt::new(run, from, to.clone(), is_heard, context.clock.now_ms()).write(&context.state)?;
    store::fail::point("upgrade.after-attempt");
    go_on().await.inspect_err(|_| Attempt::forget(&context.state))
}

/// Has the unit go on with what is written down; where it does already, that is all.
pub(in crate::agent) async fn go_on() -> anyhow::Result<()> {
    systemctl(&["start", "--no-block", UNIT]).await.map(|_| ())
}

async fn systemctl(arguments: &[&str]) -> anyhow::Result<Output> {
    let spawn = Spawn::new("/usr/bin/systemctl", Instant::now() + SYSTEMCTL_TIME_MAX);
    let output = spawn.arg("--no-ask-password").args(arguments.iter().copied()).run().await;
    let output = output.map_err(|error| anyhow::anyhow!("{}", error.message)).context("systemctl")?;
    if output.code != 0 {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("`systemctl {}` ended with {}: {}", arguments.join(" "), output.code, said.trim());
    }
    Ok(output)
}
