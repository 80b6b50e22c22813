//! Orders that replace the agent: whether what they bring lies here, and may take its place.

use agent::Stage;
use model::Digest;
use semver::Version;
use trust::statement::Order;
use trust::{Name, Refusal, Trust};

use super::super::Executor;
use super::Fleet;
use super::orders::{name_of, order_of};
use crate::agent::upgrade::{self, Missing};
use crate::keys;

/// What a run that replaces the agent is asked about once more when it starts.
pub(in crate::agent::executor) struct Wanted {
    pub(in crate::agent::executor) order: Order,
    pub(in crate::agent::executor) client: Option<Name>,
    pub(in crate::agent::executor) trust: Trust,
    pub(in crate::agent::executor) is_heard: bool,
}

/// What is known of a release.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// It lies here, or never will.
    Over,
    /// It is to be fetched.
    Wanted,
}

impl Release {
    pub(super) fn is_over(self) -> bool {
        self == Self::Over
    }
}

impl Wanted {
    pub(in crate::agent::executor) fn to(&self) -> &Version {
        &self.order.plugin.version
    }
}

impl Fleet {
    /// What a run of this order replaces the agent by, where it does.
    pub(in crate::agent::executor) fn upgrade_of(&self, name: &str, now: trust::Time) -> Option<Wanted> {
        let in_force = self.orders.get(&order_of(name)?)?;
        in_force.body.upgrade?;
        Some(Wanted {
            order: in_force.body.clone(),
            client: self.place(now).map(|place| place.client),
            trust: self.member.trust().clone(),
            is_heard: self.line.trouble.is_none() && self.heard_ms.is_some(),
        })
    }
}

impl Executor {
    /// Whether the release of an order lies here. One that can never take the place of what runs is told so before anything of it
    /// is fetched; none, where the order is of a plugin.
    pub(super) fn look_for_release(&mut self, order: Digest) -> Option<Release> {
        let now = keys::now(&self.context);
        let fleet = self.fleet.as_mut()?;
        let (body, place) = (fleet.orders.get(&order)?.body.clone(), fleet.place(now));
        body.upgrade?;
        let name = name_of(order);
        if self.dispatcher.runs().any(|run| run.stage != Stage::Waiting && run.order() == Some(name.as_str())) {
            // It may have replaced the agent already: by now that is no newer, and what became of it is told.
            let was_here = std::mem::replace(&mut fleet.in_force(order)?.is_here, true);
            fleet.is_stale |= !was_here;
            return Some(Release::Over);
        }
        let trust = fleet.member.trust();
        if let Err(why) = upgrade::against_here() {
            self.tell_refusal(order, "not-upgradable", &why);
            return Some(Release::Over);
        }
        let Some(place) = place else { return Some(Release::Wanted) };
        match tokio::task::block_in_place(|| upgrade::staged(&body, &place.client, trust, now)) {
            Ok(by) => {
                let in_force = fleet.in_force(order)?;
                (in_force.is_here, in_force.releaser) = (true, Some(by));
                fleet.is_stale = true;
                Some(Release::Over)
            }
            Err(Missing::NotHere) => Some(Release::Wanted),
            Err(Missing::Refused(refusals)) => {
                let why: Vec<String> = refusals.iter().map(keys::with_code).collect();
                let code = refusals.first().map_or("bad-release", Refusal::code);
                self.tell_refusal(order, code, &why.join("; "));
                Some(Release::Over)
            }
        }
    }
}
