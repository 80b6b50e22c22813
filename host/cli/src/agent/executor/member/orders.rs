//! Orders that began here: what the dispatcher is told of them, and what speaks against a run of one.

use std::collections::BTreeMap;

use ::fleet::{Answer, Begun, Look, Target};
use agent::{Calendars, NotRun, Occasion, Order, Placed, Priority, Reason, What};
use contract::Class;
use model::{Digest, Outcome, RunId};
use serde::{Deserialize, Serialize};
use store::Store;
use trust::statement;
use trust::{Name, Signed, Time};

use super::super::Executor;
use super::super::owner::Reading;
use super::told::{Details, Result as Told};
use super::{Fleet, OWN, Rows, all};
use crate::keys;

/// What began and runs one time, by the digest of its statement; what stands, the inbox keeps.
const ORDERS: &str = "fleet-order";

/// The rows of which run was an order's.
const RAN: &str = "ran/";

/// How many of these are remembered: records of runs go after a month, as a rule.
const RAN_MAX: usize = 512;

/// What the dispatcher calls an order of the fleet: no file of this device has such a name.
const NAME: &str = "fleet/";

/// An order that began, and is not over.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub(super) body: statement::Order,
    /// Of the document in which it came.
    pub(super) document: Digest,
    /// As the dispatcher has it.
    order: Order,
    calendars: Vec<Calendars>,
    /// The list of its plugin's parts: it waits for these where the plugin is not installed.
    pub(super) list: Option<Digest>,
    /// Whether its plugin is here, as far as that is known.
    pub(super) is_here: bool,
    /// As it came, to be asked again before a run of it begins; of what stands, the inbox asks at each step.
    signed: Option<Signed>,
    /// The run of this device that it takes back, in the place of one of its plugin.
    takes_back: Option<RunId>,
    /// Who released the agent that it brings, where that is here.
    pub(super) releaser: Option<Name>,
}

/// What is kept of one that runs one time.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kept {
    /// The statement with its signatures, as one text.
    signed: String,
    document: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    takes_back: Option<RunId>,
}

/// Why a run does not begin: for the result, and for the dispatcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent::executor) struct Refusal {
    pub(in crate::agent::executor) code: &'static str,
    pub(in crate::agent::executor) reason: Reason,
}

impl InForce {
    /// Or what is wrong with it, with a code.
    pub(super) fn new(
        body: statement::Order,
        document: Digest,
        list: Option<Digest>,
    ) -> std::result::Result<Self, (&'static str, String)> {
        let windows = body.windows.as_deref().map(serde_json::from_str::<Calendars>).transpose();
        let windows = windows.map_err(|error| ("bad-windows", error.to_string()))?;
        let order = match body.standing_form() {
            Some(form) => serde_json::from_str(&form).map_err(|error| ("bad-standing", error.to_string()))?,
            None => Order {
                plugin: body.plugin.name.to_string(),
                digest: body.plugin.digest,
                parameters: serde_json::from_str(&body.parameters)
                    .map_err(|error| ("bad-parameters", error.to_string()))?,
                mode: body.mode,
                occasion: Occasion::Once,
                priority: Priority::Normal,
                retry: None,
                runs_per_day: None,
                allow: body.allow.clone(),
                client: None,
                tags: std::collections::BTreeSet::new(),
                expires_ms: body
                    .expires
                    .to_string()
                    .parse::<jiff::Timestamp>()
                    .ok()
                    .map(jiff::Timestamp::as_millisecond),
                comment: body.comment.clone(),
            },
        };
        Ok(Self {
            body,
            document,
            order,
            calendars: windows.into_iter().collect(),
            list,
            is_here: false,
            takes_back: None,
            releaser: None,
            signed: None,
        })
    }

    fn is_standing(&self) -> bool {
        self.body.standing.is_some()
    }
}

/// Those that were kept. One that cannot be read is told, and left: it had begun, so nothing of it begins anew.
pub(super) fn orders_kept(store: &Store, now_ms: u64) -> anyhow::Result<BTreeMap<Digest, InForce>> {
    let mut orders = BTreeMap::new();
    for (key, text) in all(ORDERS, store, now_ms)? {
        let read = serde_json::from_str::<Kept>(&text).map_err(|error| error.to_string());
        let read = read.and_then(|it| {
            let signed = Signed::from_text(it.signed.as_bytes()).map_err(|refusal| refusal.to_string())?;
            let body =
                statement::read::<statement::Order>(signed.statement()).map_err(|refusal| refusal.to_string())?;
            let order = InForce::new(body.body, it.document, it.list).map_err(|(_, why)| why)?;
            Ok(InForce { takes_back: it.takes_back, signed: Some(signed), ..order })
        });
        match (read, format!("sha256:{key}").parse()) {
            (Ok(order), Ok(digest)) => drop(orders.insert(digest, order)),
            (Err(why), _) => tracing::error!(order = key, why, "an order that began cannot be read"),
            (_, Err(_)) => tracing::error!(order = key, "an order that began has no name"),
        }
    }
    Ok(orders)
}

/// Which run was an order's, of the latest.
pub(super) fn ran(store: &Store, now_ms: u64) -> anyhow::Result<BTreeMap<Digest, RunId>> {
    let rows = all(OWN, store, now_ms)?.into_iter();
    let read = |(key, value): (String, String)| {
        Some((format!("sha256:{}", key.strip_prefix(RAN)?).parse().ok()?, value.parse().ok()?))
    };
    Ok(rows.filter_map(read).collect())
}

/// What the dispatcher calls it.
pub(super) fn name_of(order: Digest) -> String {
    format!("{NAME}{}", order.hex())
}

/// Which order of the fleet the dispatcher means.
pub(super) fn order_of(name: &str) -> Option<Digest> {
    format!("sha256:{}", name.strip_prefix(NAME)?).parse().ok()
}

impl Fleet {
    /// What began: it is kept, and the dispatcher is told. What cannot be is told who ordered it.
    pub(super) fn begin(&mut self, begun: Begun, rows: &mut Rows) -> std::result::Result<(), (&'static str, String)> {
        let Begun { order, document, body, .. } = begun;
        let list = self.lists.get(&document).copied();
        let mut in_force = InForce::new(*body, document, list)?;
        if let Some(undone) = in_force.body.undoes {
            let run = self.ran.get(&undone).copied();
            let run = run.ok_or_else(|| ("nothing-to-undo", format!("no run here was of the order {undone}")))?;
            // Nothing of its plugin runs.
            (in_force.takes_back, in_force.list) = (Some(run), None);
        }
        if !in_force.is_standing() {
            let text = self.documents.get(&document).cloned();
            let text = text.ok_or_else(|| ("bad-order", "the document in which it came is not text".to_owned()))?;
            in_force.signed = Signed::from_text(text.as_bytes()).ok();
            let InForce { list, takes_back, .. } = in_force;
            let kept = Kept { signed: text, document, list, takes_back };
            let text = serde_json::to_string(&kept).map_err(|error| ("bad-order", error.to_string()))?;
            rows.put(ORDERS, order.hex(), text);
        }
        self.orders.insert(order, in_force);
        self.is_stale = true;
        Ok(())
    }

    /// What began before, and stands since, learns where its plugin is to be had.
    pub(super) fn learn_lists(&mut self) {
        for in_force in self.orders.values_mut().filter(|it| it.list.is_none() && it.takes_back.is_none()) {
            in_force.list = self.lists.get(&in_force.document).copied();
        }
    }

    /// Remembers which run was an order's, so that it can be taken back: of the latest.
    fn remember(&mut self, order: Digest, run: RunId, rows: &mut Rows) {
        self.ran.insert(order, run);
        rows.put(OWN, format!("{RAN}{}", order.hex()), run.to_string());
        let oldest = self.ran.iter().min_by_key(|(_, run)| **run).map(|(order, _)| *order);
        if let Some(oldest) = oldest.filter(|_| self.ran.len() > RAN_MAX) {
            self.ran.remove(&oldest);
            rows.gone(OWN, format!("{RAN}{}", oldest.hex()));
        }
    }

    /// The earlier run that runs of this order take back.
    pub(in crate::agent::executor) fn undone_by(&self, name: &str) -> Option<RunId> {
        self.orders.get(&order_of(name)?)?.takes_back
    }

    /// An order is over here: nothing of it begins any more.
    pub(super) fn over(&mut self, order: Digest, rows: &mut Rows) {
        if self.orders.remove(&order).is_some() {
            rows.gone(ORDERS, order.hex());
            self.is_stale = true;
        }
    }

    /// The order that the dispatcher calls so.
    pub(in crate::agent::executor) fn order(&self, name: &str) -> Option<&statement::Order> {
        order_of(name).and_then(|order| self.orders.get(&order)).map(|it| &it.body)
    }

    /// Those whose plugin is here, or is got elsewhere.
    fn placed(&self) -> impl Iterator<Item = (String, &InForce)> {
        let ready = self.orders.iter().filter(|(_, it)| it.is_here || it.list.is_none());
        ready.map(|(digest, it)| (name_of(*digest), it))
    }

    /// What whoever ordered it, or stopped it since, has against a run that would start now.
    pub(in crate::agent::executor) fn against(&self, name: &str, class: Option<Class>, now: Time) -> Option<Refusal> {
        let digest = order_of(name)?;
        let in_force = self.orders.get(&digest)?;
        let policy = |code, what: String| Some(Refusal { code, reason: Reason::Policy { what } });
        let body = &in_force.body;
        if !in_force.is_standing() && !self.member.inbox().names(&in_force.document) {
            return policy("withdrawn", "whoever ordered it took it back".to_owned());
        }
        let (trust, device) = (self.member.trust(), self.member.device());
        // Whoever signed it may have lost their seat or their key since it began, and the device may be another client's.
        let look = Look { now, trust, device, facts: &self.facts };
        let again = match &in_force.signed {
            Some(signed) => {
                let again = self.member.inbox().again(signed, look);
                again.map(|ordered| (ordered.place().clone(), !ordered.waits().is_empty()))
            }
            None => trust.place(device, now).map(|place| (place, false)),
        };
        let (place, mut waits) = match again {
            Ok(again) => again,
            Err(refusals) => {
                let first = refusals.first();
                let what = first.map(ToString::to_string).unwrap_or_default();
                return policy(first.map_or("not-believed", trust::Refusal::code), what);
            }
        };
        waits |= trust.stops(&place.client, &body.id).next().is_some();
        if waits || self.waiting.contains(&digest) {
            return Some(Refusal { code: "paused", reason: Reason::Paused });
        }
        if class.is_some_and(|class| class > body.class_max) {
            let class = class.map(|it| it.to_string()).unwrap_or_default();
            return policy(
                "beyond-order",
                format!("a run is {class}, and the order's `class-max` is {}", body.class_max),
            );
        }
        // One that runs one time was asked when it began.
        let target = in_force.is_standing().then(|| Target::read(&body.r#where).ok()).flatten()?;
        match target.ask(&self.facts.asked(Some(&place))) {
            Answer::Yes => None,
            Answer::No => Some(Refusal { code: "not-meant", reason: Reason::Filter { failed: None } }),
            Answer::Undecided { why, .. } => {
                Some(Refusal { code: "undecided", reason: Reason::Filter { failed: Some(why) } })
            }
        }
    }
}

impl Executor {
    /// What the dispatcher decided about orders of the fleet is told whoever ordered it: of each run that ended, and of each order that
    /// runs one time and never will, one result.
    pub(in crate::agent::executor) fn tell_fleet(&mut self, told: &[agent::Told], refused: &[(RunId, Refusal)]) {
        for it in told {
            let Some(order) = it.order.as_deref().and_then(order_of) else { continue };
            match &it.what {
                What::Ended { run, outcome, retry: None } if *outcome != Outcome::Suspended => {
                    self.tell_end(order, *run, *outcome);
                }
                What::NotStarted { run, why } if !why.is_put_off() => {
                    let code = refused.iter().find(|(of, _)| of == run).map(|(_, refusal)| refusal.code);
                    self.tell_refusal(order, code.unwrap_or_else(|| code_of(why)), &why.to_string());
                }
                What::NotFired(not) => self.tell_refusal(order, not.reason.code(), &not.reason.to_string()),
                What::Unfit(problems) => self.tell_refusal(order, "unfit", &problems.join("; ")),
                _ => {}
            }
        }
    }

    /// How a run of an order ended.
    fn tell_end(&mut self, order: Digest, run: RunId, outcome: Outcome) {
        let events = self.machine.store.events(run).unwrap_or_default();
        let Some(fleet) = &mut self.fleet else { return };
        let Some(in_force) = fleet.orders.get(&order) else { return };
        let details = Details::of_run(order, run, outcome, &events);
        let told = Told { order, mode: in_force.body.mode, may_go: in_force.is_standing(), details };
        let is_over = !in_force.is_standing();
        self.tell_result(told);
        let Some(fleet) = self.fleet.as_mut().filter(|_| is_over) else { return };
        fleet.remember(order, run, &mut self.rows);
        fleet.over(order, &mut self.rows);
    }

    /// An order that runs one time never will. Of one that stands, a run that is left out is no result.
    pub(super) fn tell_refusal(&mut self, order: Digest, code: &'static str, why: &str) {
        let Some(fleet) = &mut self.fleet else { return };
        let Some(in_force) = fleet.orders.get(&order).filter(|it| !it.is_standing()) else { return };
        let ended = keys::now(&self.context);
        let details = Details::of_refusal(order, code, why, ended);
        let told = Told { order, mode: in_force.body.mode, may_go: false, details };
        fleet.over(order, &mut self.rows);
        self.tell_result(told);
    }

    /// Orders and their plugins, as they are now, are put before the dispatcher where that is news.
    pub(in crate::agent::executor) fn settle_fleet(&mut self) {
        // What comes of it may end an order, once each.
        while self.fleet.as_mut().is_some_and(|fleet| std::mem::take(&mut fleet.is_stale)) {
            self.place();
        }
    }

    /// What of the fleet is to be placed, beside this device's own orders.
    pub(in crate::agent::executor) fn placed_of_fleet(&self, reading: &mut Reading<'_>) -> Vec<Placed> {
        let placed = self.fleet.iter().flat_map(|fleet| fleet.placed());
        let place = |(name, it): (String, &InForce)| {
            let releaser = it.releaser.as_ref().map(ToString::to_string);
            let class = match releaser.filter(|_| it.body.upgrade.is_some()) {
                Some(releaser) => reading.upgrade(&name, (releaser, it.body.class_max)),
                None => reading.class(&name, &it.order),
            };
            Placed { class, name, order: it.order.clone(), calendars: it.calendars.clone() }
        };
        placed.map(place).collect()
    }
}

/// Why a run did not start, in the words of a result.
fn code_of(why: &NotRun) -> &'static str {
    why.code()
}
