//! What was told, checked against what may be.

use std::collections::{BTreeMap, BTreeSet};

use agent::{NotRun, Order, Origin, Told, What};
use model::{Outcome, RunId};

const DAY: i64 = 86_400_000;

/// Of all worlds.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) steps: u64,
    pub(crate) crashes: BTreeMap<&'static str, u64>,
    queued: u64,
    started: u64,
    ended: BTreeMap<String, u64>,
    retries: u64,
    followed: u64,
    not_fired: BTreeMap<&'static str, u64>,
    not_started: BTreeMap<&'static str, u64>,
}

impl Totals {
    /// What has not happened often enough to tell.
    pub(crate) fn lacks(&self) -> Vec<&'static str> {
        let mut lacks = Vec::new();
        let enough =
            [("started", self.started > 3_000), ("retries", self.retries > 100), ("followed", self.followed > 50)];
        lacks.extend(enough.into_iter().filter_map(|(what, is)| (!is).then_some(what)));
        let often =
            |counts: &BTreeMap<&'static str, u64>, what: &str, most| counts.get(what).is_some_and(|it| *it > most);
        lacks
            .extend(["before", "after", "between", "under way"].into_iter().filter(|it| !often(&self.crashes, it, 50)));
        let not_started = ["full", "replaced", "paused", "budget", "gone", "policy"];
        lacks.extend(not_started.into_iter().filter(|it| !often(&self.not_started, it, 0)));
        lacks.extend(["overlap", "misfire", "paused"].into_iter().filter(|it| !often(&self.not_fired, it, 0)));
        lacks
    }
}

/// How far a run is, as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Queued,
    Started,
    Suspended,
    Over,
}

/// All that was told and made durable of one device.
#[derive(Default)]
pub(crate) struct Books {
    runs: BTreeMap<RunId, At>,
    origins: BTreeMap<RunId, (Origin, u32)>,
    cancelled: BTreeSet<RunId>,
    /// Nominal times that fired, by order.
    fired: BTreeMap<String, BTreeSet<i64>>,
    /// How many did not.
    not_fired: BTreeMap<String, u64>,
    /// Ends that others wait for, those that were followed, and how many were not.
    ends: BTreeSet<RunId>,
    followed: BTreeSet<RunId>,
    unfired: u64,
    /// The nominal time that an order started last.
    last: BTreeMap<String, i64>,
    /// How many began, by order and day.
    days: BTreeMap<(String, i64), u32>,
    /// Whether clocks are set: then no order of times is known, and days begin anew.
    is_set: bool,
}

impl Books {
    pub(crate) fn new(is_set: bool) -> Self {
        Self { is_set, ..Self::default() }
    }

    pub(crate) fn enter(&mut self, told: &Told, orders: &BTreeMap<String, Order>, totals: &mut Totals) {
        let order = told.order.clone();
        match &told.what {
            What::Queued { run, origin, attempt, .. } => {
                assert_eq!(self.runs.insert(*run, At::Queued), None, "queued twice: {told:?}");
                self.origins.insert(*run, (origin.clone(), *attempt));
                if let (Origin::Schedule { order, firing }, 1) = (origin, attempt) {
                    let is_new = self.fired.entry(order.clone()).or_default().insert(firing.nominal_ms);
                    assert!(is_new, "fired twice: {told:?}");
                }
                if let (Origin::Event { event, .. }, 1) = (origin, attempt) {
                    let cause = event.cause.unwrap();
                    assert_eq!(event.chain, ["changes"]);
                    assert!(self.ends.contains(&cause), "for a run that has not ended: {told:?}");
                    assert!(self.followed.insert(cause), "twice for one end: {told:?}");
                    totals.followed += 1;
                }
                totals.queued += 1;
                totals.retries += u64::from(*attempt > 1);
            }
            What::NotFired(not) => {
                *self.not_fired.entry(order.unwrap()).or_default() += not.count;
                *totals.not_fired.entry(not.reason.code()).or_default() += not.count;
            }
            What::Unfired(unfired) => {
                self.unfired += unfired.count;
                *totals.not_fired.entry(unfired.reason.code()).or_default() += unfired.count;
            }
            What::NotStarted { run, why } => {
                self.turn(*run, &[At::Queued], At::Over, told);
                assert!(*why != NotRun::Full || !self.cancelled.contains(run));
                *totals.not_started.entry(why.code()).or_default() += 1;
            }
            What::Started { run } => {
                let was_new = self.turn(*run, &[At::Queued], At::Started, told);
                totals.started += 1;
                self.begins(*run, was_new, told, orders);
            }
            What::Suspended { run } => {
                self.turn(*run, &[At::Started], At::Suspended, told);
            }
            What::Again { run } => {
                self.turn(*run, &[At::Started, At::Suspended], At::Queued, told);
            }
            What::Cancelled { run } => assert!(self.cancelled.insert(*run), "{told:?}"),
            What::Ended { run, outcome, retry } => {
                self.turn(*run, &[At::Started, At::Suspended, At::Queued], At::Over, told);
                *totals.ended.entry(outcome.to_string()).or_default() += 1;
                if order.as_deref() == Some("changes") {
                    self.ends.insert(*run);
                }
                if let Some(retry) = retry {
                    self.may_retry(*run, *outcome, *retry, orders);
                }
            }
            _ => {}
        }
    }

    fn turn(&mut self, run: RunId, from: &[At], to: At, told: &Told) -> bool {
        let before = self.runs.insert(run, to);
        assert!(before.is_some_and(|before| from.contains(&before)), "{before:?}, and then {told:?}");
        before == Some(At::Queued)
    }

    /// In the order's own order, and within its budget.
    fn begins(&mut self, run: RunId, _: bool, told: &Told, orders: &BTreeMap<String, Order>) {
        let (origin, attempt) = self.origins[&run].clone();
        let Origin::Schedule { order, firing } = origin else { return };
        let last = self.last.insert(order.clone(), firing.nominal_ms).unwrap_or(i64::MIN);
        assert!(self.is_set || last <= firing.nominal_ms, "{order}: out of its order: {told:?}, try {attempt}");
        // What goes on after a reboot, or was lost before it began, is no other run.
        let runs = self.days.entry((order.clone(), told.at_ms.div_euclid(DAY))).or_default();
        *runs += 1;
        let most = orders.get(&order).and_then(|it| it.runs_per_day);
        assert!(self.is_set || most.is_none_or(|most| *runs <= most + 3), "{order}: {runs} of {most:?}: {told:?}");
    }

    fn may_retry(&self, run: RunId, outcome: Outcome, retry: RunId, orders: &BTreeMap<String, Order>) {
        let (origin, attempt) = &self.origins[&run];
        assert!(!self.cancelled.contains(&run), "{run} was told to stop");
        let rule = orders[origin.order().unwrap()].retry.clone().unwrap();
        assert!(*attempt < rule.attempts, "{run} was the last");
        assert!(
            matches!(outcome, Outcome::Timeout | Outcome::HostError | Outcome::Interrupted),
            "{run} ended {outcome}, and {retry}"
        );
    }

    /// So many firings of an order have an account.
    pub(crate) fn accounts(&self, order: &str) -> u64 {
        let fired = self.fired.get(order).map_or(0, BTreeSet::len);
        u64::try_from(fired).unwrap() + self.not_fired.get(order).copied().unwrap_or_default()
    }

    /// Every run is over.
    pub(crate) fn close(&self) {
        let open: Vec<_> = self.runs.iter().filter(|(_, at)| **at != At::Over).collect();
        assert!(open.is_empty(), "{open:?}");
        let accounts = u64::try_from(self.followed.len()).unwrap() + self.unfired;
        assert!(accounts <= u64::try_from(self.ends.len()).unwrap(), "{accounts} accounts of {} ends", self.ends.len());
    }

    pub(crate) fn is_over(&self, run: RunId) -> bool {
        self.runs.get(&run) == Some(&At::Over)
    }
}
