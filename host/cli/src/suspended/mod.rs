//! A run that waits for a reboot: what it leaves behind so that it can go on, and what becomes of it where it cannot.
//!
//! That it waits is in its record first; the plugin and the unit come after. A host that died in between left a run that says
//! it waits, and lacks what it would go on with: whoever takes the machine next puts that in order ([`put_in_order`]).

mod unit;
mod vouched;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use artifact::Plugin;
use contract::Class;
use model::{Digest, Ended, Event, Outcome, Recorded, RunId, Started, capability};
use runtime::Resumed;
use store::{fail, whole};

use crate::context::Context;
use crate::fault::Refused;
use crate::machine::{self, Machine};
use crate::output::{say, time};
use crate::vouched::{Device, Statements};

/// What a suspended run waits with.
pub(crate) struct Waiting {
    until_ms: u64,
    boot: String,
    /// Whether its record keeps all that a replay needs: then that of the rest does too.
    pub(crate) is_recorded: bool,
    pub(crate) resumed: Resumed,
}

impl Waiting {
    /// None where the run does not wait, or no longer.
    pub(crate) fn of(events: &[Recorded]) -> Option<Self> {
        let last = events
            .iter()
            .rev()
            .map(|recorded| &recorded.event)
            .find(|event| matches!(event, Event::Suspended { .. } | Event::Resumed | Event::Ended(_)));
        let Some(Event::Suspended { until_ms, boot, .. }) = last else { return None };
        let resumed = Resumed::of(events.iter().map(|recorded| &recorded.event));
        let is_recorded = events.iter().any(|recorded| matches!(recorded.event, Event::Inputs { .. }));
        Some(Self { until_ms: *until_ms, boot: boot.clone(), is_recorded, resumed })
    }

    /// Whether the machine has still to be rebooted.
    pub(crate) async fn is_before_reboot(&self, run: RunId, machine: &Machine) -> anyhow::Result<bool> {
        let pending = machine.device.machine.pending_reboot().await?;
        Ok(pending.is_some_and(|request| request.boot == self.boot || request.run == run.to_string()))
    }
}

/// Keeps what the run goes on with: the plugin and, where systemd will start the machine, a unit that calls `remit resume`.
pub(crate) fn leave(
    context: &Context,
    run: RunId,
    (plugin, statements, device): (&Plugin, &Statements, &Device),
    record: Option<&Path>,
) -> anyhow::Result<()> {
    fail::point("suspended.before-plugin");
    let file = plugin_file(context, run);
    let folder = folder(context);
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    // The plugin comes last: without it the run does not go on.
    if *plugin.trust() != artifact::Trust::Unsigned {
        vouched::leave(&folder, run, statements, device)?;
    }
    whole::write(&file, plugin.bytes()).with_context(|| format!("{}", file.display()))?;
    if !unit::can_be() {
        say(&format!("note: no systemd here: after the reboot, call `remit resume {run}`"));
        return Ok(());
    }
    unit::leave(context, run, record)
}

/// The plugin, as it was when the run was suspended.
pub(crate) fn plugin_file(context: &Context, run: RunId) -> PathBuf {
    folder(context).join(format!("{run}.wasm"))
}

fn folder(context: &Context) -> PathBuf {
    context.state.join("suspended")
}

/// Reboots for a run that waits for it, where no agent does: never outside the owner's windows.
pub(crate) async fn reboot(machine: &Machine, context: &Context) -> anyhow::Result<()> {
    let class = capability::interface("patch-install").map_or(Class::L4, |it| it.class);
    let now_ms = i64::try_from(context.clock.now_ms()).unwrap_or(i64::MAX);
    if let Err(reason) = machine.policy.device.admits(class, now_ms) {
        bail!("the machine is not rebooted now: {reason}; reboot it when a window opens, and the run goes on");
    }
    machine.device.machine.reboot().await.context("the reboot that the run waits for")
}

/// Nothing is left of a run that is over. What cannot be removed is no reason to fail: the next one that looks tries again.
pub(crate) fn forget(context: &Context, run: RunId) {
    unit::remove(run);
    let _ = std::fs::remove_file(plugin_file(context, run));
    let _ = std::fs::remove_file(vouched::file(&folder(context), run));
}

/// Whether those who vouched for it still do; else why not. A run by hand goes on by hand.
pub(crate) fn still_approved(
    context: &Context,
    run: RunId,
    plugin: Plugin,
    started: &Started,
) -> anyhow::Result<Result<Plugin, Refused>> {
    match started.trust == artifact::Trust::Unsigned.to_string() {
        true => Ok(Ok(plugin)),
        false => vouched::ask(&folder(context), run, plugin, started, context),
    }
}

/// Each run that waits has all that it goes on with, or has its end; and nothing is left of one that is over.
pub(crate) async fn put_in_order(machine: &Machine, context: &Context) -> anyhow::Result<()> {
    for run in machine.store.suspended()? {
        // Whoever has it goes on with it right now.
        let Some(mut log) = machine.store.open_run(run)? else { continue };
        let (started, events) = machine::record(&machine.store, run)?;
        let Some(waiting) = Waiting::of(&events) else { continue };
        if let Some(ended) = cannot_go_on(&waiting, &started, run, context) {
            say(&format!("note: {run} is over, {}: {}", ended.outcome, ended.detail));
            log.append(vec![(context.clock.now_ms(), Event::Ended(Box::new(ended)))])?;
            forget(context, run);
            continue;
        }
        if unit::can_be() && !unit::is_there(run) {
            unit::leave(context, run, None)?;
            say(&format!("note: the unit that goes on with {run} after the boot was not there, and is again"));
        }
        if waiting.is_before_reboot(run, machine).await? {
            let until = time(waiting.until_ms);
            say(&format!("note: {run} waits for the reboot that it was granted, until {until}: reboot this machine"));
        }
    }
    sweep(machine, context)
}

/// The end of a run that waits for nothing any more.
fn cannot_go_on(waiting: &Waiting, started: &Started, run: RunId, context: &Context) -> Option<Ended> {
    if context.clock.now_ms() > waiting.until_ms {
        let detail = format!("nobody took its reboot until {}", time(waiting.until_ms));
        return Some(Ended::by_host(Outcome::Timeout, detail));
    }
    let kept = std::fs::read(plugin_file(context, run)).ok().map(|bytes| Digest::of(&bytes));
    (kept != Some(started.digest)).then(|| {
        Ended::by_host(Outcome::Interrupted, "the host died before the plugin was kept that the run goes on with")
    })
}

/// What is left of runs that this device knows and that do not wait: their host died before it could forget them.
fn sweep(machine: &Machine, context: &Context) -> anyhow::Result<()> {
    let files = std::fs::read_dir(folder(context)).into_iter().flatten().flatten();
    let kept = files.filter_map(|file| file.path().file_stem()?.to_str()?.parse::<RunId>().ok());
    for run in kept.chain(unit::left()) {
        let events = machine.store.events(run)?;
        if !events.is_empty() && Waiting::of(&events).is_none() && machine.store.open_run(run)?.is_some() {
            forget(context, run);
        }
    }
    Ok(())
}
