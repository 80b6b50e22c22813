//! What the unit does: the old program has the new one started, looks at it, and puts itself back where that is not well.

use std::time::{Duration, Instant};

use backends::spawn::Spawn;

use super::attempt::{Attempt, Stage};
use super::place::Place;
use super::{probe, systemctl};
use crate::agent::install;
use crate::context::Context;
use crate::output;

/// How long the new program may take to say which version it is.
const TOLD_TIME_MAX: Duration = Duration::from_secs(30);

/// So often the new one is tried, over ends of this unit and of the machine: one that takes the machine down is not started for ever.
const TIMES_MAX: u32 = 2;

/// Goes on with what is written down, from wherever an earlier one was, to its end.
pub(crate) async fn finish(context: &Context) -> anyhow::Result<()> {
    let (place, state) = (Place::default(), context.state.as_path());
    let Some(mut attempt) = Attempt::read(state)? else { return Ok(()) };
    loop {
        let next = match &attempt.stage {
            Stage::Asked => match says_its_version(&place, &attempt).await {
                Ok(()) => Stage::Trying { times: 0 },
                Err(why) => Stage::Failed { why: format!("it was not started: {why}") },
            },
            Stage::Trying { times } if *times >= TIMES_MAX => Stage::Back {
                why: format!("it was started {times} times, and this machine or what looks at it ended meanwhile"),
            },
            Stage::Trying { times } => {
                let times = times + 1;
                attempt.at(Stage::Trying { times }, state)?;
                store::fail::point("upgrade.trying");
                match try_it(&place, &attempt, context).await {
                    Ok(()) => Stage::Done,
                    Err(why) => Stage::Back { why },
                }
            }
            Stage::Back { why } => {
                let why = go_back(&place, &attempt, context)
                    .await
                    .map_or_else(|more| format!("{why}; {more}"), |()| why.clone());
                Stage::Failed { why }
            }
            Stage::Done | Stage::Failed { .. } => return Ok(()),
        };
        output::say(&format!("{} → {}: {next:?}", attempt.from, attempt.to));
        store::fail::point("upgrade.before-stage");
        attempt.at(next, state)?;
        store::fail::point("upgrade.after-stage");
        if attempt.is_over() {
            place.tidy();
        }
    }
}

/// Before anything is touched: it can be started at all, and is what it was signed as.
async fn says_its_version(place: &Place, attempt: &Attempt) -> Result<(), String> {
    let program = place.program_of(&attempt.to);
    let said = Spawn::new(&program, Instant::now() + TOLD_TIME_MAX).arg("--version").run().await;
    let said = said.map_err(|error| error.message)?;
    let text = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    match said.code == 0 && text == format!("remit {}", attempt.to) {
        true => Ok(()),
        false => Err(format!("`{} --version` ended with {} and said `{text}`", program.display(), said.code)),
    }
}

async fn try_it(place: &Place, attempt: &Attempt, context: &Context) -> Result<(), String> {
    let told = |error: anyhow::Error| format!("{error:#}");
    place.switch_to(&attempt.to).map_err(told)?;
    let since_ms = context.clock.now_ms();
    restart().await.map_err(told)?;
    let heard_since_ms = attempt.is_heard.then_some(since_ms);
    probe::wait(&probe::Wanted { version: &attempt.to, heard_since_ms }, context).await
}

/// What ran before runs again. That it hears the hub is not asked: perhaps nobody does.
async fn go_back(place: &Place, attempt: &Attempt, context: &Context) -> Result<(), String> {
    let told = |error: anyhow::Error| format!("the agent {} could not be put back: {error:#}", attempt.from);
    place.switch_back().map_err(told)?;
    restart().await.map_err(told)?;
    let wanted = probe::Wanted { version: &attempt.from, heard_since_ms: None };
    probe::wait(&wanted, context).await.map_err(|why| format!("the agent {} is not well either: {why}", attempt.from))
}

/// Both halves. Nothing waits for them to be ready: what looks at them does.
async fn restart() -> anyhow::Result<()> {
    // What the one before ended how often says nothing of this one, and systemd forgets it only when it gets to it.
    systemctl(&[&["reset-failed"][..], install::UNITS].concat()).await?;
    systemctl(&[&["restart", "--no-block"][..], install::UNITS].concat()).await.map(|_| ())
}
