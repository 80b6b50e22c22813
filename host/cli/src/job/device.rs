//! What this machine's owner lets run at all: asked after everything else has granted, whoever granted it.

use artifact::{Plugin, Trust};
use contract::Class;
use model::budget::{self, Amounts, Budget, NotBooked};
use model::{Grants, Mode};
use runtime::Request;

use crate::context::Context;
use crate::fault::Refused;
use crate::machine::Machine;
use crate::output;

/// What speaks against a run that would start now.
pub(super) fn check(
    plugin: &Plugin,
    grants: &Grants,
    request: &Request,
    machine: &Machine,
    context: &Context,
) -> anyhow::Result<Result<(), Refused>> {
    let asked = Asked::of(plugin, grants, request.mode, machine);
    let refused = asked.against(machine, context)?;
    if refused.is_none() && request.mode == Mode::DryRun {
        let enforced = Asked::of(plugin, grants, Mode::Enforce, machine).against(machine, context)?;
        for reason in enforced.iter().flat_map(|refused| &refused.reasons) {
            output::say(&format!("note: enforced now, it would be refused: {reason}"));
        }
    }
    Ok(refused.map_or(Ok(()), Err))
}

/// What speaks against a run that goes on: it began in its window, and was charged then.
pub(crate) fn check_resumed(plugin: &Plugin, grants: &Grants, mode: Mode, machine: &Machine) -> Result<(), Refused> {
    let asked = Asked::of(plugin, grants, mode, machine);
    let against = machine.policy.device.against_ever(&asked.wanted());
    let reasons: Vec<String> = against.iter().map(|reason| format!("{reason} ({})", reason.code())).collect();
    if reasons.is_empty() { Ok(()) } else { Err(refused(reasons, machine)) }
}

/// A run, in the words that policy asks about.
struct Asked<'a> {
    plugin: &'a str,
    publisher: Option<String>,
    class: Class,
    interface: &'static str,
    mode: Mode,
}

impl<'a> Asked<'a> {
    fn of(plugin: &'a Plugin, grants: &Grants, mode: Mode, machine: &Machine) -> Self {
        let (class, interface) = machine.policy.backends.class_of(grants, mode);
        let publisher = match plugin.trust() {
            Trust::Approved(approved) => Some(approved.plugin().publisher.to_string()),
            // What it says of itself anybody may say.
            Trust::Unsigned => None,
        };
        Self { plugin: &plugin.manifest().plugin.name, publisher, class, interface, mode }
    }

    fn wanted(&self) -> agent::Wanted<'_> {
        let Self { plugin, publisher, class, interface, .. } = self;
        agent::Wanted { plugin, publisher: publisher.as_deref(), class: *class, interface }
    }

    fn against(&self, machine: &Machine, context: &Context) -> anyhow::Result<Option<Refused>> {
        let (policy, now_ms) = (&machine.policy.device, context.clock.now_ms());
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let mut reasons = Vec::new();
        for reason in policy.against(&self.wanted(), now) {
            let is_time = matches!(reason, agent::Reason::Window | agent::Reason::Blackout { .. });
            let opens = policy.opens_ms(self.class, now).filter(|_| is_time);
            let opens = match opens.and_then(|ms| u64::try_from(ms).ok()) {
                Some(opens_ms) => format!(", until {}", output::time(opens_ms)),
                None if is_time => ", and none will within a year".to_owned(),
                None => String::new(),
            };
            reasons.push(format!("{reason}{opens} ({})", reason.code()));
        }
        let exhausted = self.exhausted(machine, now_ms)?;
        reasons.extend(exhausted.iter().map(|exhausted| format!("{exhausted} (budget)")));
        Ok((!reasons.is_empty()).then(|| Refused { exhausted: exhausted.map(Box::new), ..refused(reasons, machine) }))
    }

    /// The budget of runs of its class, where that is spent.
    fn exhausted(&self, machine: &Machine, now_ms: u64) -> anyhow::Result<Option<budget::Exhausted>> {
        let budget = Budget::of_runs(self.class).filter(|_| self.mode == Mode::Enforce);
        let (Some(budget), Some(allowance)) = (budget, &machine.device.allowance) else { return Ok(None) };
        let kept = machine.store.get(budget::COLLECTION, budget::KEY, now_ms)?;
        match allowance.check(kept.as_ref().map(|kept| kept.value.as_str()), &Amounts::of(budget, 1)) {
            Ok(()) => Ok(None),
            Err(NotBooked::Exhausted(exhausted)) => Ok(Some(exhausted)),
            Err(other) => Err(other.into()),
        }
    }
}

fn refused(reasons: Vec<String>, machine: &Machine) -> Refused {
    let path = machine.policy.path.display();
    let next = format!("`[device]` of {path} says so, which is this machine's owner's: nobody else widens it");
    Refused { next: Some(next), ..Refused::because(reasons) }
}
