//! What all runs of a device together may use in a day, by its owner's policy: counted in a ledger that outlives processes,
//! reboots and clocks that are set.
//!
//! Nothing here is durable by itself. Whoever charges hands in what is kept of the ledger, and keeps what comes back before it
//! acts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use contract::Class;
use serde::{Deserialize, Serialize};

use crate::time::{Clock, Uptime};

/// The collection of the ledger among a device's documents.
pub const COLLECTION: &str = "device-budget";
/// The ledger's key there.
pub const KEY: &str = "ledger";

/// The ledger's form; a newer one is not read.
const FORMAT: u32 = 1;
/// For so long a charge counts.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Charges are added up by quarters of an hour, so that a ledger has at most 97 numbers a budget. One counts from its quarter's
/// beginning until a day after that quarter's end: never for less than a day.
const SLICE_MS: u64 = 15 * 60 * 1_000;

/// What a device's owner may limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Budget {
    /// Reboots that were accepted.
    #[serde(rename = "reboots-per-day")]
    Reboots,
    /// Packages that were installed, upgraded or removed.
    #[serde(rename = "installs-per-day")]
    Installs,
    /// Bytes on disk that were removed or replaced, also where a quarantine keeps them.
    #[serde(rename = "deleted-bytes-per-day")]
    DeletedBytes,
    /// Bytes that plugins had sent: requests, bodies, notifications.
    #[serde(rename = "egress-bytes-per-day")]
    EgressBytes,
    /// Enforced runs of class L3.
    #[serde(rename = "l3-runs-per-day")]
    L3Runs,
    /// Enforced runs of class L4.
    #[serde(rename = "l4-runs-per-day")]
    L4Runs,
}

impl Budget {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Reboots, Self::Installs, Self::DeletedBytes, Self::EgressBytes, Self::L3Runs, Self::L4Runs];

    /// Its name in host policy.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reboots => "reboots-per-day",
            Self::Installs => "installs-per-day",
            Self::DeletedBytes => "deleted-bytes-per-day",
            Self::EgressBytes => "egress-bytes-per-day",
            Self::L3Runs => "l3-runs-per-day",
            Self::L4Runs => "l4-runs-per-day",
        }
    }

    /// The one that an enforced run of this class is charged to: each is charged to its own, once.
    pub fn of_runs(class: Class) -> Option<Self> {
        match class {
            Class::L0 | Class::L1 | Class::L2 => None,
            Class::L3 => Some(Self::L3Runs),
            Class::L4 => Some(Self::L4Runs),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `[device.budgets]`: the most of each in any 24 hours. What is left out has no limit, and is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Budgets(BTreeMap<Budget, u64>);

impl Budgets {
    /// Limits one.
    #[must_use]
    pub fn with(mut self, budget: Budget, limit: u64) -> Self {
        self.0.insert(budget, limit);
        self
    }

    /// Its limit, where it has one.
    pub fn get(&self, budget: Budget) -> Option<u64> {
        self.0.get(&budget).copied()
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// So much of each budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(BTreeMap<Budget, u64>);

impl Amounts {
    /// So much of one.
    pub fn of(budget: Budget, amount: u64) -> Self {
        Self::default().and(budget, amount)
    }

    /// And so much more of one.
    #[must_use]
    pub fn and(mut self, budget: Budget, amount: u64) -> Self {
        if amount > 0 {
            let all = self.0.entry(budget).or_default();
            *all = all.saturating_add(amount);
        }
        self
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        other.0.iter().fold(self, |all, (budget, amount)| all.and(*budget, *amount))
    }

    /// How much of this one.
    pub fn get(&self, budget: Budget) -> u64 {
        self.0.get(&budget).copied().unwrap_or_default()
    }

    /// Whether it is nothing at all.
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is written into the ledger at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What is about to be used: booked as a whole, or not at all.
    pub charge: Amounts,
    /// What was charged before for what is done by now.
    pub reserved: Amounts,
    /// What that came to. It is booked whatever the limits are: it is done.
    pub used: Amounts,
}

/// A budget has no room for what was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exhausted {
    /// Which.
    pub budget: Budget,
    /// The most in 24 hours.
    pub limit: u64,
    /// What is left of it.
    pub left: u64,
    /// What was wanted.
    pub wanted: u64,
    /// When there is room for it again; never, where more was wanted than there may ever be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_at_ms: Option<u64>,
    /// In how many milliseconds that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_in_ms: Option<u64>,
}

impl Exhausted {
    /// The same for whoever reads it later: when there is room again is not in it.
    pub fn what(&self) -> String {
        let Self { budget, limit, left, wanted, .. } = self;
        let never = if self.room_in_ms.is_none() { "; that is more than there ever is" } else { "" };
        format!("this device's `{budget}` has {left} of {limit} left, and {wanted} would be used{never}")
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())?;
        match self.room_in_ms.map(|ms| ms.div_ceil(60_000)) {
            Some(minutes) => write!(f, "; there is room again in {} h {} min", minutes / 60, minutes % 60),
            None => Ok(()),
        }
    }
}

/// Why nothing was booked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBooked {
    /// There is no room.
    #[error("{0}")]
    Exhausted(Exhausted),
    /// What is kept is no ledger of this host.
    #[error("what this device has used of its budgets cannot be read: {0}")]
    Unreadable(String),
}

/// What is left of one budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Left {
    /// Which.
    pub budget: Budget,
    /// The most in 24 hours.
    pub limit: u64,
    /// What is left of it.
    pub left: u64,
    /// When some of what is used counts no longer; none where nothing is used.
    pub more_at_ms: Option<u64>,
}

/// What a device's owner lets all runs together use.
pub struct Allowance {
    budgets: Budgets,
    clock: Arc<dyn Clock>,
}

impl Allowance {
    /// So much, by this clock.
    pub fn new(budgets: Budgets, clock: Arc<dyn Clock>) -> Self {
        Self { budgets, clock }
    }

    /// What its clock says.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Whether this one has a limit: what has none needs not be told.
    pub fn limits(&self, budget: Budget) -> bool {
        self.budgets.get(budget).is_some()
    }

    /// Books an entry in what is kept of the ledger, and gives what is to be kept.
    pub fn book(&self, kept: Option<&str>, entry: &Entry) -> Result<String, NotBooked> {
        let mut ledger = self.ledger(kept)?;
        ledger.give_back(&entry.reserved);
        ledger.add(&entry.used, &self.budgets);
        self.has_room(&ledger, &entry.charge)?;
        ledger.add(&entry.charge, &self.budgets);
        serde_json::to_string(&ledger).map_err(|error| NotBooked::Unreadable(error.to_string()))
    }

    /// Whether there is room for so much.
    pub fn check(&self, kept: Option<&str>, wanted: &Amounts) -> Result<(), NotBooked> {
        self.has_room(&self.ledger(kept)?, wanted)
    }

    /// What is left of everything that has a limit.
    pub fn left(&self, kept: Option<&str>) -> Result<Vec<Left>, NotBooked> {
        let ledger = self.ledger(kept)?;
        let left = |(budget, limit): (&Budget, &u64)| Left {
            budget: *budget,
            limit: *limit,
            left: limit.saturating_sub(ledger.used(*budget)),
            more_at_ms: ledger.frees_in_ms(*budget, 1).map(|ms| ledger.seen.wall_ms.saturating_add(ms)),
        };
        Ok(self.budgets.0.iter().map(left).collect())
    }

    fn ledger(&self, kept: Option<&str>) -> Result<Ledger, NotBooked> {
        let now = Moment { wall_ms: self.clock.now_ms(), uptime: self.clock.uptime() };
        let mut ledger = match kept {
            Some(kept) => Ledger::read(kept)?,
            None => Ledger::new(now.clone()),
        };
        ledger.advance(now);
        Ok(ledger)
    }

    fn has_room(&self, ledger: &Ledger, wanted: &Amounts) -> Result<(), NotBooked> {
        let full = wanted.0.iter().find_map(|(&budget, &wanted)| {
            let limit = self.budgets.get(budget)?;
            let left = limit.saturating_sub(ledger.used(budget));
            let missing = wanted.checked_sub(left).filter(|missing| *missing > 0)?;
            let over = ledger.used(budget).saturating_sub(limit);
            let room_in_ms = ledger.frees_in_ms(budget, missing.saturating_add(over)).filter(|_| wanted <= limit);
            let room_at_ms = room_in_ms.map(|ms| ledger.seen.wall_ms.saturating_add(ms));
            Some(Exhausted { budget, limit, left, wanted, room_at_ms, room_in_ms })
        });
        full.map_or(Ok(()), |exhausted| Err(NotBooked::Exhausted(exhausted)))
    }
}

/// A moment, by the clock that people set and by the one that nobody does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Moment {
    wall_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uptime: Option<Uptime>,
}

impl Moment {
    /// How long before this one another was. Within one boot the uptime says so, however the clock was set. Over a reboot only
    /// the clock knows; where it was set back, it is at least as long as this boot.
    fn since(&self, earlier: &Self) -> u64 {
        let wall_ms = self.wall_ms.saturating_sub(earlier.wall_ms);
        match (&earlier.uptime, &self.uptime) {
            (Some(then), Some(now)) if then.boot == now.boot && then.ms <= now.ms => now.ms - then.ms,
            (Some(_), Some(now)) => wall_ms.max(now.ms),
            _ => wall_ms,
        }
    }
}

/// What was used. It has a time of its own, which begins with its first entry, goes on with what clocks agree has passed, and
/// never goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ledger {
    format: u32,
    /// When it was last looked at.
    seen: Moment,
    /// Its own time by then.
    now_ms: u64,
    /// By budget, and by number of the quarter of an hour.
    spent: BTreeMap<Budget, BTreeMap<u64, u64>>,
}

impl Ledger {
    fn new(seen: Moment) -> Self {
        Self { format: FORMAT, seen, now_ms: 0, spent: BTreeMap::new() }
    }

    fn read(text: &str) -> Result<Self, NotBooked> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| NotBooked::Unreadable(error.to_string());
        let Form { format } = serde_json::from_str(text).map_err(unreadable)?;
        if format > FORMAT {
            let newer = format!("it has format {format}, this host knows up to {FORMAT}: update remit");
            return Err(NotBooked::Unreadable(newer));
        }
        serde_json::from_str(text).map_err(unreadable)
    }

    /// Up to this moment; what was used a day before counts no longer.
    fn advance(&mut self, now: Moment) {
        self.now_ms = self.now_ms.saturating_add(now.since(&self.seen));
        self.seen = now;
        let now_ms = self.now_ms;
        for slices in self.spent.values_mut() {
            slices.retain(|slice, _| counts_until_ms(*slice) > now_ms);
        }
        self.spent.retain(|_, slices| !slices.is_empty());
    }

    fn used(&self, budget: Budget) -> u64 {
        let slices = self.spent.get(&budget);
        slices.into_iter().flat_map(BTreeMap::values).fold(0, |sum, amount| sum.saturating_add(*amount))
    }

    /// In how long so much of what is used counts no longer; none where not so much is used.
    fn frees_in_ms(&self, budget: Budget, amount: u64) -> Option<u64> {
        let mut freed = 0_u64;
        let freeing = self.spent.get(&budget)?.iter().find(|(_, spent)| {
            freed = freed.saturating_add(**spent);
            freed >= amount
        });
        freeing.map(|(slice, _)| counts_until_ms(*slice).saturating_sub(self.now_ms))
    }

    fn add(&mut self, amounts: &Amounts, budgets: &Budgets) {
        for (budget, amount) in amounts.0.iter().filter(|(budget, _)| budgets.get(**budget).is_some()) {
            let slice = self.spent.entry(*budget).or_default().entry(self.now_ms / SLICE_MS).or_default();
            *slice = slice.saturating_add(*amount);
        }
    }

    /// Takes off what was booked last, as far as it still counts.
    fn give_back(&mut self, amounts: &Amounts) {
        for (budget, amount) in &amounts.0 {
            let mut rest = *amount;
            for slice in self.spent.get_mut(budget).into_iter().flat_map(|slices| slices.values_mut().rev()) {
                let off = rest.min(*slice);
                (*slice, rest) = (*slice - off, rest - off);
            }
        }
        for slices in self.spent.values_mut() {
            slices.retain(|_, amount| *amount > 0);
        }
    }
}

/// Until when what was used in a quarter of an hour counts.
fn counts_until_ms(slice: u64) -> u64 {
    slice.saturating_add(1).saturating_mul(SLICE_MS).saturating_add(DAY_MS)
}

#[cfg(test)]
mod tests;
