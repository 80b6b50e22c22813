//! What this machine's owner lets run at all: asked after everything else has granted, whoever granted it.

use std::fmt;

use agent::Reason;
use artifact::{Plugin, Trust};
use contract::Class;
use model::budget::{self, Allowance, Amounts, Budget, NotBooked};
use model::{Grants, Mode};
use runtime::Request;
use store::Store;

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
    let now_ms = context.clock.now_ms();
    let against = |mode| Asked::of(plugin, grants, mode, machine).against(machine, now_ms);
    let refused = against(request.mode)?;
    if refused.is_empty() && request.mode == Mode::DryRun {
        for reason in against(Mode::Enforce)? {
            output::say(&format!("note: enforced now, it would be refused: {reason}"));
        }
    }
    Ok(if refused.is_empty() { Ok(()) } else { Err(refusal(refused, machine)) })
}

/// What speaks against a run that goes on: it began in its window, and was charged then.
pub(crate) fn check_resumed(plugin: &Plugin, grants: &Grants, mode: Mode, machine: &Machine) -> Result<(), Refused> {
    let against = Asked::of(plugin, grants, mode, machine).against_ever(machine);
    if against.is_empty() { Ok(()) } else { Err(refusal(against, machine)) }
}

/// Whether a run risks more than its order lets it: what a command risks, host policy says, and whoever ordered it does not know.
pub(super) fn check_class(
    plugin: &Plugin,
    grants: &Grants,
    (mode, most): (Mode, Class),
    machine: &Machine,
) -> Result<(), Refused> {
    let Asked { class, interface, .. } = Asked::of(plugin, grants, mode, machine);
    if mode != Mode::Enforce || class <= most {
        return Ok(());
    }
    let reason = format!("`{interface}` is {class} here, and the order's `class-max` is {most} (beyond-order)");
    Err(Refused::because(vec![reason]))
}

/// A run, in the words that policy asks about.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    plugin: String,
    publisher: Option<String>,
    class: Class,
    interface: &'static str,
    mode: Mode,
}

/// Something that speaks against a run.
#[derive(Clone, Debug)]
pub(crate) struct Against {
    pub(crate) reason: Reason,
    /// Until when, by all that is known; for good, where that is none.
    pub(crate) until_ms: Option<u64>,
    exhausted: Option<budget::Exhausted>,
}

impl Asked {
    fn of(plugin: &Plugin, grants: &Grants, mode: Mode, machine: &Machine) -> Self {
        let publisher = match plugin.trust() {
            Trust::Approved(approved) => Some(approved.plugin().publisher.to_string()),
            // What it says of itself anybody may say.
            Trust::Unsigned => None,
        };
        Self::new(&plugin.manifest().plugin.name, publisher, grants, mode, machine)
    }

    /// A run of a plugin that this publisher signed, with these grants.
    pub(crate) fn new(plugin: &str, publisher: Option<String>, grants: &Grants, mode: Mode, machine: &Machine) -> Self {
        let (class, interface) = machine.policy.backends.class_of(grants, mode);
        Self { plugin: plugin.to_owned(), publisher, class, interface, mode }
    }

    /// Another agent in the place of this one, which somebody released.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_upgrade(releaser: String, class: Class) -> Self {
        let publisher = Some(releaser);
        Self { plugin: "remit".to_owned(), publisher, class, interface: "agent", mode: Mode::Enforce }
    }

    /// What it risks.
    #[cfg(target_os = "linux")]
    pub(crate) fn class(&self) -> Class {
        self.class
    }

    fn wanted(&self) -> agent::Wanted<'_> {
        let Self { plugin, publisher, class, interface, .. } = self;
        agent::Wanted { plugin, publisher: publisher.as_deref(), class: *class, interface }
    }

    /// Everything that speaks against it now.
    pub(crate) fn against(&self, machine: &Machine, now_ms: u64) -> anyhow::Result<Vec<Against>> {
        let (policy, now) = (&machine.policy.device, i64::try_from(now_ms).unwrap_or(i64::MAX));
        let until_ms = |reason: &Reason| {
            let opens_ms = policy.opens_ms(self.class, now).filter(|_| reason.is_of_time());
            opens_ms.and_then(|ms| u64::try_from(ms).ok())
        };
        let reasons = policy.against(&self.wanted(), now).into_iter();
        let mut against: Vec<Against> =
            reasons.map(|reason| Against { until_ms: until_ms(&reason), reason, exhausted: None }).collect();
        against.extend(self.exhausted(machine, now_ms)?.map(|exhausted| Against {
            reason: Reason::Budget { what: exhausted.what() },
            until_ms: exhausted.room_at_ms,
            exhausted: Some(exhausted),
        }));
        Ok(against)
    }

    /// What speaks against it whenever it starts.
    pub(crate) fn against_ever(&self, machine: &Machine) -> Vec<Against> {
        let reasons = machine.policy.device.against_ever(&self.wanted()).into_iter();
        reasons.map(|reason| Against { reason, until_ms: None, exhausted: None }).collect()
    }

    /// The budget of runs of its class, where that is spent.
    fn exhausted(&self, machine: &Machine, now_ms: u64) -> anyhow::Result<Option<budget::Exhausted>> {
        let budget = Budget::of_runs(self.class).filter(|_| self.mode == Mode::Enforce);
        let (Some(budget), Some(allowance)) = (budget, &machine.device.allowance) else { return Ok(None) };
        match allowance.check(ledger(&machine.store, now_ms)?.as_deref(), &Amounts::of(budget, 1)) {
            Ok(()) => Ok(None),
            Err(NotBooked::Exhausted(exhausted)) => Ok(Some(exhausted)),
            Err(other) => Err(other.into()),
        }
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, until_ms, .. } = self;
        reason.fmt(f)?;
        match until_ms {
            Some(until_ms) => write!(f, ", until {}", output::time(*until_ms))?,
            None if reason.is_of_time() => f.write_str(", and none will within a year")?,
            None => {}
        }
        write!(f, " ({})", reason.code())
    }
}

/// What is left of everything that has a limit here.
pub(crate) fn budgets_left(
    allowance: Option<&Allowance>,
    store: &Store,
    now_ms: u64,
) -> anyhow::Result<Vec<budget::Left>> {
    let Some(allowance) = allowance else { return Ok(Vec::new()) };
    Ok(allowance.left(ledger(store, now_ms)?.as_deref())?)
}

/// What is kept of what was used.
fn ledger(store: &Store, now_ms: u64) -> anyhow::Result<Option<String>> {
    Ok(store.get(budget::COLLECTION, budget::KEY, now_ms)?.map(|kept| kept.value))
}

/// A refusal for all of these, which are the owner's.
pub(crate) fn refusal(against: Vec<Against>, machine: &Machine) -> Refused {
    let path = machine.policy.path.display();
    let next = format!("`[device]` of {path} says so, which is this machine's owner's: nobody else widens it");
    let reasons = against.iter().map(ToString::to_string).collect();
    let exhausted = against.into_iter().find_map(|it| it.exhausted).map(Box::new);
    Refused { next: Some(next), exhausted, ..Refused::because(reasons) }
}
