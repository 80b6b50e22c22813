//! Runs what the queue lets start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use contract::run::{LogLevel, Mode};
use model::budget::Exhausted;
use model::event::FORMAT;
use model::{Digest, Ended, Event, Grants, Limits, Outcome, RunId, Started, event};
use runtime::{Observer, Recorder, UndoRequest};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::protocol::{Handed, Told};
use super::socket::Answer;
use crate::context::Context;
use crate::fault::Refused;
use crate::installed::{Plugins, Wanted};
use crate::job::Job;
use crate::keys;
use crate::lock::MachineLock;
use crate::machine::Machine;
use crate::meant::{Found, Origin};
use crate::suspended::Waiting;
use crate::vouched::Statements;

/// How often a machine is asked for that a person's own process has: an undo, or what goes on after a reboot.
const MACHINE_ASKED_EVERY: Duration = Duration::from_millis(200);

/// How long after a record that could not be written it is tried again.
const RECORD_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What a run is of.
#[derive(Debug)]
pub(crate) enum Subject {
    /// What is installed, by its digest: what an order names.
    Digest { name: String, digest: Digest },
    /// What a person names, or brings along.
    Handed { plugin: Handed, bytes: Option<Vec<u8>> },
}

impl Subject {
    /// Finds it. Nobody vouches for it yet.
    pub(crate) fn find(self, job: &Job, context: &Context) -> anyhow::Result<Found> {
        match self {
            Self::Digest { name, digest } => {
                let plugins = Plugins::open(keys::believed(context)?, context)?;
                let Some(kept) = plugins.of_digest(&name, digest, context)? else {
                    let reason = format!("`{name}` of {digest} is not installed");
                    let next = Some(format!("`remit plugin install` it, of that digest; `remit plugin show {name}`"));
                    return Err(Refused { next, ..Refused::because(vec![reason]) }.into());
                };
                let origin = Origin::Installed(plugins.trust);
                Ok(Found { plugin: kept.plugin, statements: kept.statements, path: name.into(), origin })
            }
            Self::Handed { plugin: Handed::Installed { name }, .. } => {
                let plugins = Plugins::open(keys::believed(context)?, context)?;
                let wanted = Wanted { device: &job.device, mode: job.mode, given: job.given.clone() };
                let kept = plugins.meant(&name, &wanted, context)?;
                let origin = Origin::Installed(plugins.trust);
                Ok(Found { plugin: kept.plugin, statements: kept.statements, path: name.into(), origin })
            }
            Self::Handed { plugin: Handed::File { statements, path }, bytes } => {
                let plugin = artifact::verify_local(bytes.unwrap_or_default(), context.cache().ok().as_ref())?;
                let statements = Statements::from_texts(&statements).map_err(anyhow::Error::from)?;
                Ok(Found { plugin, statements, path: path.into(), origin: Origin::File })
            }
        }
    }
}

/// Runs it to its end, on a machine that no other process changes meanwhile.
pub(crate) async fn run(
    job: &Job,
    subject: Subject,
    machine: &Machine,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
    context: &Context,
) -> anyhow::Result<Ended> {
    let found = subject.find(job, context)?;
    let _machine = take(job.mode, &cancel, context).await?;
    job.perform(found, machine, observer, cancel, context).await
}

/// Takes back what an earlier run did, as a run of its own.
pub(crate) async fn undo(
    earlier: RunId,
    request: UndoRequest,
    machine: &Machine,
    cancel: &CancellationToken,
    context: &Context,
) -> anyhow::Result<Ended> {
    let _machine = take(Mode::Enforce, cancel, context).await?;
    if cancel.is_cancelled() {
        bail!("it was stopped before anything was taken back");
    }
    let events = machine.store.events(earlier)?;
    let recorder: Box<dyn Recorder> = Box::new(machine.store.begin(request.run)?);
    Ok(runtime::undo(&events, request, &machine.device, &context.clock, recorder).await?)
}

/// A run that could not be, or not to its end, has a record with an end all the same; one by hand, where it began. It waits until
/// that can be written: the disk may be full. An agent that ends meanwhile, or dies, leaves it to the next one: whether it has an
/// end now.
pub(crate) async fn record_failure(
    job: &Job,
    order: Option<(&str, Digest)>,
    machine: &Machine,
    failed: (Outcome, &anyhow::Error),
    leaving: &CancellationToken,
    context: &Context,
) -> bool {
    let (outcome, error) = failed;
    let exhausted = error.downcast_ref::<Refused>().and_then(|refused| refused.exhausted.as_deref().cloned());
    let ended = Ended::by_host(outcome, format!("{error:#}"));
    record_end(job, order, machine, (exhausted, ended), leaving, context).await
}

/// The same for whatever ended without a record of its own.
pub(crate) async fn record_end(
    job: &Job,
    order: Option<(&str, Digest)>,
    machine: &Machine,
    ended: (Option<Exhausted>, Ended),
    leaving: &CancellationToken,
    context: &Context,
) -> bool {
    let mut is_told = false;
    while let Err(error) = try_to_record(job, order, machine, &ended, context) {
        if !std::mem::replace(&mut is_told, true) {
            tracing::error!(run = %job.run, error = format!("{error:#}"), "its end cannot be recorded yet");
        }
        tokio::select! {
            () = tokio::time::sleep(RECORD_AGAIN_AFTER) => {}
            () = leaving.cancelled() => return false,
        }
    }
    true
}

fn try_to_record(
    job: &Job,
    order: Option<(&str, Digest)>,
    machine: &Machine,
    (exhausted, ended): &(Option<Exhausted>, Ended),
    context: &Context,
) -> anyhow::Result<()> {
    let recorded = machine.store.events(job.run)?;
    // One that waits for a reboot goes on after it.
    let is_over = event::end(&recorded).is_some() || Waiting::of(&recorded).is_some();
    let started = match order {
        _ if is_over => return Ok(()),
        _ if !recorded.is_empty() => None,
        Some(order) => Some(Event::Started(Box::new(unstarted(job, order, machine)?))),
        // Whoever asked was told.
        None => return Ok(()),
    };
    let exhausted = exhausted.clone().map(Event::Exhausted);
    let ended = Event::Ended(Box::new(ended.clone()));
    let now = context.clock.now_ms();
    let events = [started, exhausted, Some(ended)].into_iter().flatten();
    Ok(machine.log(job.run)?.append(events.map(|event| (now, event)).collect())?)
}

/// How a run begins that could not be: with all that is known of it, which is what was asked.
fn unstarted(job: &Job, (plugin, digest): (&str, Digest), machine: &Machine) -> anyhow::Result<Started> {
    Ok(Started {
        format: FORMAT,
        plugin: plugin.to_owned(),
        version: String::new(),
        digest,
        runtime: None,
        trust: "unknown".to_owned(),
        mode: job.mode,
        trigger: job.trigger.clone(),
        parameters: Value::Object(job.given.clone()),
        grants: Grants::default(),
        limits: Limits::default(),
        plan: None,
        device: backends::device::device_id(&machine.device.shared)?.to_string(),
        roots: BTreeMap::new(),
        host: crate::stamp::version().to_owned(),
        undoes: None,
    })
}

/// Asks for the machine until it is to be had. What was cancelled meanwhile is stopped by whoever runs it.
async fn take(mode: Mode, cancel: &CancellationToken, context: &Context) -> anyhow::Result<Option<MachineLock>> {
    while !cancel.is_cancelled() {
        if let Some(lock) = MachineLock::try_take(&context.state, mode)? {
            return Ok(Some(lock));
        }
        tokio::time::sleep(MACHINE_ASKED_EVERY).await;
    }
    Ok(None)
}

/// Tells whoever waits for a hand run how it goes.
pub(crate) struct Listener(pub(crate) Arc<Answer>);

impl Observer for Listener {
    fn progress(&self, percent: u32, message: &str) {
        self.0.tell(Told::Progress { percent, message: message.to_owned() });
    }

    fn log(&self, level: LogLevel, message: &str) {
        self.0.tell(Told::Log { level, message: message.to_owned() });
    }
}

/// How a run that could not be is told to whoever asked for it.
pub(crate) fn told(error: &anyhow::Error) -> Told {
    match error.downcast_ref::<Refused>() {
        Some(refused) => Told::Refused { reasons: refused.reasons.clone(), next: refused.next.clone() },
        None => Told::Failed { why: error.chain().map(ToString::to_string).collect() },
    }
}
