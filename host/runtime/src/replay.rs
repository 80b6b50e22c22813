//! Replay: a recorded run again, without its device. The record answers; what the plugin says and asks is compared.

use std::collections::HashMap;
use std::sync::Arc;

use backends::secrets::Masker;
use model::{Clock, Ended, Event, Phase, Recorded, Started};
use tokio_util::sync::CancellationToken;

use crate::execute::{Drive, Request, Resumed};
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

/// Runs the plugin against a recording.
pub async fn replay(prepared: &Prepared, events: &[Recorded], clock: &Arc<dyn Clock>) -> Result<Replayed, Error> {
    let (request, recorded) = request(events)?;
    let inputs = inputs(events, clock)?;
    let recorder = MemoryRecorder::default();
    let (observer, nothing_redeemed) = (Arc::new(NoObserver), Arc::<Masker>::default());
    let journal =
        Journal::new(Box::new(recorder.clone()), Arc::clone(clock), observer, nothing_redeemed, &request.limits);
    let source = Source::Record(Replay::of(events));
    let mut drive = Drive::new(prepared, request, source, inputs, journal)?;
    let came = drive.run().await;
    let unasked = drive.gate().unasked();
    let ended = drive.end(came).await?;
    let divergence = unasked
        .filter(|_| ended.outcome == recorded.outcome)
        .or_else(|| differs(&recorded, &ended))
        .or_else(|| said_otherwise(events, &recorder.events()));
    Ok(Replayed { recorded, ended, divergence })
}

fn request(events: &[Recorded]) -> Result<(Request, Ended), Error> {
    let bad = |what: &str| Error::BadRecord(format!("the record cannot be replayed: {what}"));
    let first = events.first().ok_or_else(|| bad("it is empty"))?;
    let Event::Started(started) = &first.event else { return Err(bad("it does not begin with `started`")) };
    if events.iter().any(|recorded| matches!(recorded.event, Event::Suspended { .. })) {
        return Err(bad("the run went over a reboot, and a replay has none"));
    }
    let ended = events.iter().rev().find_map(|recorded| match &recorded.event {
        Event::Ended(ended) => Some((**ended).clone()),
        _ => None,
    });
    let ended = ended.ok_or_else(|| bad("it has no end"))?;
    Ok((request_of(first, started), ended))
}

fn request_of(first: &Recorded, started: &Started) -> Request {
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
        resumed: None::<Resumed>,
    }
}

fn inputs(events: &[Recorded], clock: &Arc<dyn Clock>) -> Result<crate::execute::InputsOf, Error> {
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

/// The first report, remedy or line that is not as it was.
fn said_otherwise(events: &[Recorded], replayed: &[(u64, Event)]) -> Option<String> {
    let speaks = |event: &&Event| matches!(event, Event::Reported { .. } | Event::Remedied { .. } | Event::Log { .. });
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
