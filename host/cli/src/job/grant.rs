//! What a plugin is granted by hand, and what a person is told where that is too little.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use artifact::Plugin;
use model::capability::{Capability, Grants};
use model::event::FORMAT;
use model::policy::{self, Allow, Missing};
use model::{Ended, Event, Outcome, Started};
use runtime::Request;
use serde_json::Value;
use trust::Trust;

use crate::context::Context;
use crate::declared::Declared;
use crate::fault::Refused;
use crate::host_policy::HostPolicy;
use crate::keys;
use crate::machine::Machine;
use crate::meant::Origin;
use crate::vouched::Statements;

use super::Job;

/// What an approval grants, where this machine pins a root. Where it pins none a file runs by hand; what is installed does not run.
/// What is refused has a record.
pub(super) fn by_approval(
    job: &Job,
    (plugin, statements): (Plugin, &Statements),
    origin: Origin,
    request: &Request,
    machine: &Machine,
    context: &Context,
) -> anyhow::Result<(Plugin, Option<Grants>)> {
    let is_installed = origin.is_installed();
    let Some(trust) = origin.believed(context)? else {
        if !is_installed {
            return Ok((plugin, None));
        }
        return Err(record_refusal(no_root(), &plugin, request, machine, context));
    };
    if !job.allow.is_empty() {
        bail!("`--allow` has no say: a signed plugin gets what its approval grants");
    }
    let wishes = plugin.manifest().wishes(&request.parameters)?;
    let decision = job.device.decide((&plugin, statements), &wishes, request.mode, &trust, context)?;
    let Some(approved) = decision.approved.clone() else {
        let next = match is_installed && decision.against_publisher().next().is_none() {
            true => job.device.approve_line(&plugin),
            false => "`remit verify` shows every check".to_owned(),
        };
        let next = Some(next);
        let refused = Refused { next, ..keys::refused(decision.refusals()) };
        return Err(record_refusal(refused, &plugin, request, machine, context));
    };
    let grants = policy::narrow(approved.grants(), &job.only);
    let grants = grants.map_err(|missing| {
        let refused = not_approved(&missing, approved.approval().as_str());
        record_refusal(refused, &plugin, request, machine, context)
    })?;
    // From here on an older version is one.
    if !trust.has_run(&approved) {
        let mut trust = Trust::clone(&trust);
        trust.ran(&approved);
        keys::folder(context)?.keep_versions(&trust)?;
    }
    let plugin = plugin.approved(approved).context("another plugin was approved")?;
    Ok((plugin, Some(grants)))
}

/// An order lists what its plugin's approval does not grant.
fn not_approved(missing: &[Capability], approval: &str) -> Refused {
    let line = |it: &Capability| format!("the order's `allow` lists `{it}`, which `{approval}` does not grant");
    let next =
        "an order only narrows what was approved: take that out of its `allow`, or have it approved (`remit approve`)";
    Refused { next: Some(next.to_owned()), ..Refused::because(missing.iter().map(line).collect()) }
}

fn no_root() -> Refused {
    let reason = "what is installed runs as it was approved, and this machine pins no root that could say so (no-root)";
    let next = "`remit root pin FILE` and `remit take` what the MSP signed; or by hand: `remit plugin pull` writes a file, which \
                `remit run FILE` runs unsigned";
    Refused { next: Some(next.to_owned()), ..Refused::because(vec![reason.to_owned()]) }
}

/// What the manifest asks for, as far as host policy and the command line allow it.
pub(super) fn by_hand(
    flags: &[Capability],
    declared: &Declared<'_>,
    policy: &HostPolicy,
    request: &Request,
) -> Result<Grants, Refused> {
    let manifest = declared.plugin.manifest();
    let mut allowed = policy.allow.clone();
    allowed.extend(flags.iter().map(|capability| Allow { plugin: None, capability: capability.clone() }));
    let wishes = manifest.wishes(&request.parameters).map_err(|bad| unfilled(bad.0, declared))?;
    policy::grant_by_hand(manifest, &wishes, request.mode, &allowed)
        .map_err(|missing| not_granted(&missing, declared, policy))
}

/// Scopes that their parameters do not fill, each with its place.
fn unfilled(problems: Vec<String>, declared: &Declared<'_>) -> Refused {
    let placed = |problem: String| {
        let place = problem.split(':').next().and_then(|path| declared.place(path));
        place.map_or_else(|| problem.clone(), |place| format!("{place}: {problem}"))
    };
    Refused::because(problems.into_iter().map(placed).collect())
}

/// Everything that is missing, with the lines that would allow it.
fn not_granted(missing: &[Missing], declared: &Declared<'_>, policy: &HostPolicy) -> Refused {
    let plugin = &declared.plugin.manifest().plugin.name;
    let mut line = policy.lines + 1;
    let mut reasons = Vec::new();
    for it in missing {
        let place = declared.place(&format!("capabilities.{}", it.capability.interface));
        let asked = place.map(|place| format!(" (asked for at {place})")).unwrap_or_default();
        reasons.push(format!(
            "`{}` ({}) is not granted: {}{asked}\n    add at {}:{line}\n      [[allow]]\n      plugin = \"{plugin}\"\n      capability = \"{}\"",
            it.capability, it.class, it.reason, policy.path.display(), it.capability,
        ));
        line += 3;
    }
    let flags: Vec<String> = missing.iter().map(|it| format!("--allow '{}'", it.capability)).collect();
    let next = format!("add these lines to host policy, or {} for this run", flags.join(" "));
    Refused { next: Some(next), ..Refused::because(reasons) }
}

/// A refusal is evidence too: it has a record of its own.
pub(super) fn record_refusal(
    refused: Refused,
    plugin: &Plugin,
    request: &Request,
    machine: &Machine,
    context: &Context,
) -> anyhow::Error {
    match try_record(&refused, plugin, request, machine, context) {
        Ok(()) => refused.into(),
        Err(error) => error.context(refused.to_string()),
    }
}

fn try_record(
    refused: &Refused,
    plugin: &Plugin,
    request: &Request,
    machine: &Machine,
    context: &Context,
) -> anyhow::Result<()> {
    let about = &plugin.manifest().plugin;
    let started = Started {
        format: FORMAT,
        plugin: about.name.clone(),
        version: about.version.to_string(),
        digest: plugin.digest(),
        runtime: plugin.script().map(|_| *script::DIGEST),
        trust: plugin.trust().to_string(),
        mode: request.mode,
        trigger: request.trigger.clone(),
        parameters: Value::Object(request.parameters.clone()),
        grants: Grants::default(),
        limits: request.limits.clone(),
        plan: None,
        device: request.device.clone(),
        roots: BTreeMap::new(),
        host: crate::stamp::version().to_owned(),
        undoes: None,
    };
    let ended = Ended::by_host(Outcome::Refused, refused.reasons.join("\n"));
    let now = context.clock.now_ms();
    let exhausted = refused.exhausted.as_deref().cloned().map(Event::Exhausted);
    let events = [Some(Event::Started(Box::new(started))), exhausted, Some(Event::Ended(Box::new(ended)))];
    let events = events.into_iter().flatten().map(|event| (now, event)).collect();
    Ok(machine.store.begin(request.run)?.append(events)?)
}
