//! The machine below a device: what a run does to it.

use std::collections::BTreeMap;

use contract::Class;
use fleet::{Begun, Facts, Look, Member};
use model::{Digest, Mode, Outcome, Verdict, capability};
use trust::{Refusal, Request, Signed, Time};

use crate::plugin::Carried;

/// What runs did to a machine. Only [`Machine::run`] counts, as only a backend changes a real one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    mutations: u64,
    destroyed: u64,
    runs: u64,
    of_orders: BTreeMap<Digest, u64>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How the machinery ended.
    pub outcome: Outcome,
    /// What was found.
    pub verdict: Verdict,
    /// Why it was refused, where it was: the code of the first reason.
    pub refused: Option<&'static str>,
}

impl Machine {
    /// How often something was changed.
    pub fn mutations(&self) -> u64 {
        self.mutations
    }

    /// How often of that what nobody can take back: class L4.
    pub fn destroyed(&self) -> u64 {
        self.destroyed
    }

    /// How many runs began.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How many runs began of each order, by the digest of its statement.
    pub fn of_orders(&self) -> &BTreeMap<Digest, u64> {
        &self.of_orders
    }

    /// Runs what was ordered, as far as it is approved and granted at this moment; asked as an executor asks.
    pub(crate) fn run(
        &mut self,
        member: &Member,
        (begun, order): (&Begun, &Signed),
        carried: &Carried,
        (facts, now, fails): (&Facts, Time, bool),
    ) -> Ended {
        match granted(member, (begun, order), carried, facts, now) {
            Err(refusals) => Ended {
                outcome: Outcome::Refused,
                verdict: Verdict::Unknown,
                refused: Some(refusals.first().map_or("not-approved", Refusal::code)),
            },
            Ok(class) => {
                self.runs += 1;
                *self.of_orders.entry(begun.order).or_default() += 1;
                if begun.body.mode == Mode::Enforce && class.is_some() {
                    self.mutations += 1;
                    self.destroyed += u64::from(class == Some(Class::L4));
                }
                let verdict = match begun.body.mode {
                    _ if fails => Verdict::Unknown,
                    Mode::Detect => Verdict::Compliant,
                    Mode::DryRun => Verdict::Planned,
                    Mode::Enforce => Verdict::Fixed,
                };
                let outcome = if fails { Outcome::PluginError } else { Outcome::Completed };
                Ended { outcome, verdict, refused: None }
            }
        }
    }
}

/// The highest class of what it is granted that changes something; none where nothing does.
fn granted(
    member: &Member,
    (begun, order): (&Begun, &Signed),
    carried: &Carried,
    facts: &Facts,
    now: Time,
) -> Result<Option<Class>, Vec<Refusal>> {
    let (trust, device) = (member.trust(), member.device());
    let look = Look { now, trust, device, facts };
    let ordered = member.inbox().again(order, look)?;
    let place = ordered.place();
    let decision = trust.decide(&Request {
        plugin: &carried.plugin,
        statement: &carried.statement,
        client: Some(&place.client),
        tags: &place.tags,
        mode: begun.body.mode,
        wishes: &carried.wishes,
        is_downgrade_meant: false,
        now,
    });
    let refusals = || decision.refusals().cloned().collect::<Vec<_>>();
    let approved = decision.approved.as_ref().ok_or_else(refusals)?;
    let grants = ordered.grants(approved)?;
    let rows = grants.iter().filter_map(|(interface, _)| capability::interface(interface));
    Ok(rows.filter(|row| row.changes).map(|row| row.class).max())
}
