//! What a host that died left behind is put in order before anything else runs: installs that went on without it are adopted,
//! runs that have no end get one, and those that wait for a reboot have all that they go on with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backends::patch::Adopted;
use contract::patch_install::InstallResult;
use model::{Called, EffectRecord, Event, Phase, Recorded, RunId, event};
use store::Store;

use crate::context::Context;
use crate::machine::Machine;
use crate::output::say;
use crate::suspended;

/// How long an install that is still running is waited for. What it changes must not be changed by another run meanwhile.
const ADOPTION_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// Puts in order what an earlier host left. The machine must be this process's.
pub(crate) async fn after_crash(machine: &Machine, context: &Context) -> anyhow::Result<()> {
    let cx = contract::Context::new("", "", "", Vec::new(), Instant::now() + ADOPTION_TIME_MAX);
    match machine.device.machine.adopt(&cx).await {
        Ok(adopted) => adopted.iter().try_for_each(|install| take_over(&machine.store, install, context))?,
        Err(error) if error.kind == contract::types::ErrorKind::Unsupported => {}
        Err(error) => say(&format!("note: installs of an earlier host could not be looked at: {error}")),
    }
    for run in machine.store.close_interrupted(context.clock.now_ms())? {
        say(&format!(
            "note: {run} was interrupted, because its host died; `remit runs show {run}` tells how far it was"
        ));
    }
    suspended::put_in_order(machine, context).await
}

/// What became of the install belongs into the record of the run that began it, while that has no end.
fn take_over(store: &Arc<Store>, install: &Adopted, context: &Context) -> anyhow::Result<()> {
    let (Ok(run), Some(results)) = (install.run.parse::<RunId>(), &install.results) else {
        say(&format!("note: an install of {} is still running", install.run));
        return Ok(());
    };
    let events = store.events(run)?;
    let (Some(intent), false) = (open_install(&events), event::end(&events).is_some()) else { return Ok(()) };
    if let Some(mut log) = store.open_run(run)?.filter(|log| !log.is_over()) {
        log.append(vec![(context.clock.now_ms(), Event::Called(Box::new(called(intent, results))))])?;
        say(&format!("note: the install of {run} went on without its host, and was adopted"));
    }
    Ok(())
}

/// The install that was announced and has no answer.
fn open_install(events: &[Recorded]) -> Option<u64> {
    let answered = |number: u64| {
        events.iter().any(|recorded| matches!(&recorded.event, Event::Called(called) if called.call == number))
    };
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Intent { call, function, .. } if function == "install-updates" && !answered(*call) => Some(*call),
        _ => None,
    })
}

fn called(call: u64, results: &[InstallResult]) -> Called {
    let effect = |result: &InstallResult| EffectRecord {
        target: result.id.clone(),
        effect: result.change.effect,
        before: result.change.before.clone(),
        after: result.change.after.clone(),
    };
    Called {
        call,
        phase: Phase::Remediate,
        interface: "patch-install".to_owned(),
        function: "install-updates".to_owned(),
        arguments: serde_json::Value::Null,
        duration_us: 0,
        bytes: 0,
        answer: serde_json::to_value(results).ok(),
        error: None,
        effects: results.iter().map(effect).collect(),
        undo: Vec::new(),
    }
}
