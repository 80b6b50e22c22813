//! Replay: a recorded run again, without its device. The record answers; what the plugin says and asks is compared.

use std::collections::HashMap;
use std::sync::Arc;

use backends::secrets::Masker;
use model::{Clock, Ended, Event, Outcome, Phase, Recorded, Started};
use tokio_util::sync::CancellationToken;

use crate::execute::{Drive, InputsOf, Reboot, Reboots, Request, Resumed, World};
use crate::gate::{Replay, Source};
use crate::journal::Journal;
use crate::prepare::Prepared;
use crate::wasi::Inputs;
use crate::{Error, MemoryRecorder, NoObserver};

/// How a replay came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// How the record says that the run ended.
    pub recorded: Ended,
    /// How it ended now.
    pub ended: Ended,
    /// The first difference, in words; none where all is the same.
    pub divergence: Option<String>,
}

/// Runs the plugin against a recording: each part of it, where the run went over a reboot, from what the part before left.
pub async fn replay(prepared: &Prepared, events: &[Recorded], clock: &Arc<dyn Clock>) -> Result<Replayed, Error> {
    let Some(Event::Started(started)) = events.first().map(|first| &first.event) else {
        return Err(bad("it does not begin with `started`"));
    };
    let mut replayed = None;
    for part in parts(events) {
        let went = replay_part(prepared, started, &part, clock).await?;
        let is_the_same = went.divergence.is_none();
        replayed = Some(went);
        if !is_the_same {
            break;
        }
    }
    replayed.ok_or_else(|| bad("it is empty"))
}

fn bad(what: &str) -> Error {
    Error::BadRecord(format!("the record cannot be replayed: {what}"))
}

/// What a run did between two reboots.
struct Part<'a> {
    events: &'a [Recorded],
    /// What the parts before left; none for the first.
    resumed: Option<Resumed>,
}

fn parts(events: &[Recorded]) -> Vec<Part<'_>> {
    let mut before = 0;
    let part = |events_of_it| {
        let so_far = events.iter().take(before).map(|recorded: &Recorded| &recorded.event);
        let resumed = (before > 0).then(|| Resumed::of(so_far));
        before += <[Recorded]>::len(events_of_it);
        Part { events: events_of_it, resumed }
    };
    events.chunk_by(|_, next| !matches!(next.event, Event::Resumed)).map(part).collect()
}

async fn replay_part(
    prepared: &Prepared,
    started: &Started,
    part: &Part<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<Replayed, Error> {
    let (events, first) = (part.events, part.events.first().ok_or_else(|| bad("it is empty"))?);
    let (recorded, reboot) = end(events)?;
    let request = request(first, started, part.resumed.clone());
    let world = World {
        source: Source::Record(Replay::of(events)),
        inputs: inputs(events, clock)?,
        reboots: Reboots::Recorded(reboot),
        // Nothing is used.
        machine: None,
        began_ms: first.at_ms,
    };
    let recorder = MemoryRecorder::default();
    let (observer, nothing_redeemed) = (Arc::new(NoObserver), Arc::<Masker>::default());
    let journal =
        Journal::new(Box::new(recorder.clone()), Arc::clone(clock), observer, nothing_redeemed, &request.limits, None);
    let mut drive = Drive::new(prepared, request, world, journal)?;
    let came = drive.run().await;
    let unasked = drive.gate().unasked();
    let ended = drive.end(came).await?;
    let divergence = unasked
        .filter(|_| ended.outcome == recorded.outcome)
        .or_else(|| differs(&recorded, &ended))
        .or_else(|| said_otherwise(events, &recorder.events()));
    Ok(Replayed { recorded, ended, divergence })
}

/// How a part ended, and the reboot that it was granted, where that is how.
fn end(events: &[Recorded]) -> Result<(Ended, Option<Reboot>), Error> {
    let end = events.iter().find_map(|recorded| match &recorded.event {
        Event::Ended(ended) => Some(((**ended).clone(), None)),
        Event::Suspended { until_ms, boot, .. } => {
            let reboot = Reboot { until_ms: *until_ms, boot: boot.clone() };
            Some((Ended::by_host(Outcome::Suspended, ""), Some(reboot)))
        }
        _ => None,
    });
    end.ok_or_else(|| bad("it has no end"))
}

fn request(first: &Recorded, started: &Started, resumed: Option<Resumed>) -> Request {
    Request {
        run: first.run,
        mode: started.mode,
        trigger: started.trigger.clone(),
        parameters: started.parameters.as_object().cloned().unwrap_or_default(),
        limits: started.limits.clone(),
        // The record's answers already show what the plan refused.
        plan: None,
        recording: false,
        device: started.device.clone(),
        roots: started.roots.clone(),
        cancel: CancellationToken::new(),
        resumed,
    }
}

fn inputs(events: &[Recorded], clock: &Arc<dyn Clock>) -> Result<InputsOf, Error> {
    let mut recorded: HashMap<Phase, ([u8; 32], Vec<u64>)> = HashMap::new();
    for event in events {
        if let Event::Inputs { phase, clock, seed } = &event.event {
            let seed = seed.as_slice().try_into().map_err(|_| Error::BadRecord("a seed has 32 bytes".to_owned()))?;
            recorded.insert(*phase, (seed, clock.clone()));
        }
    }
    if recorded.is_empty() {
        return Err(Error::BadRecord("this record cannot be replayed: it was not made with `--record`".to_owned()));
    }
    let clock = Arc::clone(clock);
    Ok(Box::new(move |phase| {
        let (seed, said) = recorded.get(&phase).cloned().unwrap_or_default();
        Inputs::replay(Arc::clone(&clock), seed, said)
    }))
}

fn differs(recorded: &Ended, ended: &Ended) -> Option<String> {
    if recorded.outcome != ended.outcome {
        return Some(match ended.detail.is_empty() {
            true => format!("the record ended `{}`, the replay `{}`", recorded.outcome, ended.outcome),
            false => ended.detail.clone(),
        });
    }
    (recorded.verdict != ended.verdict)
        .then(|| format!("the record's verdict is `{}`, the replay's `{}`", recorded.verdict, ended.verdict))
}

/// The first report, remedy, checkpoint or line that is not as it was.
fn said_otherwise(events: &[Recorded], replayed: &[(u64, Event)]) -> Option<String> {
    let speaks = |event: &&Event| {
        matches!(
            event,
            Event::Reported { .. }
                | Event::Remedied { .. }
                | Event::Log { .. }
                | Event::Checkpoint { .. }
                | Event::Suspended { .. }
        )
    };
    let mut before = events.iter().map(|recorded| &recorded.event).filter(speaks);
    let mut now = replayed.iter().map(|(_, event)| event).filter(speaks);
    loop {
        match (before.next(), now.next()) {
            (None, None) => return None,
            (Some(before), Some(now)) if before == now => {}
            (before, now) => {
                let text = |event: Option<&Event>| match event {
                    Some(event) => serde_json::to_string(event).unwrap_or_default(),
                    None => "nothing".to_owned(),
                };
                return Some(format!("the record says {}, the replay {}", text(before), text(now)));
            }
        }
    }
}
