//! The red team: what whoever stole something reaches, counted on the devices.
//!
//! An attack is a function and a row of [`ATTACKS`]. It is tried as it says, and once more with the same in order (its control), so
//! that a row of noughts is known to be one that could have been something else. What is counted is how many devices something was
//! changed on ([`Machine`](crate::machine::Machine)); what nobody can take back is counted apart.

mod attacks;
mod database;
mod gates;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;

use crate::range::{Base, Range};

/// What an attack may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// Nobody.
    Nobody,
    /// At most so many.
    AtMost(usize),
    /// All of them.
    All(usize),
}

/// An attack, or its control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    /// As the attacker does.
    Attack,
    /// The same in order.
    Control,
}

impl Try {
    fn is_attack(self) -> bool {
        self == Self::Attack
    }
}

/// How many devices something was changed on.
type Counted<'a> = Pin<Box<dyn Future<Output = anyhow::Result<usize>> + 'a>>;

/// A row of the table.
struct Attack {
    /// What of the issue it is.
    is: &'static str,
    /// What is done.
    name: &'static str,
    /// Of so many devices, of which so many are of the first client.
    bar: fn(usize, usize) -> Bar,
    /// What its control reaches.
    control: fn(usize, usize) -> usize,
    tried: for<'a> fn(&'a mut Range, Try) -> Counted<'a>,
}

/// What the issue wants to see.
pub const WANTED: [&str; 17] = [
    "control",
    "bus read and write",
    "hub database write",
    "hub process owned with its keys",
    "one technician's key, honest hub",
    "one technician's key, honest hub: L4",
    "hub and one technician's key",
    "hub and one technician's key: L4",
    "one publisher key",
    "one rooted device",
    "wrong tenant",
    "replay",
    "stale policy",
    "withheld revocation",
    "clock set back",
    "forged gate",
    "picked or Sybil results",
];

/// What came of an attack.
#[derive(Clone, Debug)]
pub struct Row {
    /// What of the issue it is.
    pub is: &'static str,
    /// What was done.
    pub name: &'static str,
    /// So many devices were changed.
    pub mutated: usize,
    /// So many may be.
    pub bar: Bar,
    /// So many were, with the same in order.
    pub control: usize,
    /// So many had to be.
    pub control_wanted: usize,
}

impl Row {
    /// Whether the bar was met, and the control shows that it means something.
    pub fn is_met(&self) -> bool {
        let is_within = match self.bar {
            Bar::Nobody => self.mutated == 0,
            Bar::AtMost(most) => self.mutated <= most,
            Bar::All(all) => self.mutated == all,
        };
        is_within && self.control == self.control_wanted
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("0"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::All(all) => write!(f, "= {all}"),
        }
    }
}

/// Tries every attack among so many devices, as many at once as there are processors. It makes runtimes of its own.
pub fn run(devices: u32, mut told: impl FnMut(&Row)) -> anyhow::Result<Vec<Row>> {
    let base = runtime()?.block_on(Base::new(devices))?;
    let attacks: Vec<Attack> = attacks::all().collect();
    let (next, (say, said)) = (AtomicUsize::new(0), mpsc::sync_channel(attacks.len()));
    let work = |say: mpsc::SyncSender<_>| {
        while let Some(attack) = attacks.get(next.fetch_add(1, Relaxed)) {
            if say.send((attack.name, tried(&base, attack))).is_err() {
                return;
            }
        }
    };
    let mut rows = BTreeMap::new();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let say = say.clone();
            scope.spawn(|| work(say));
        }
        drop(say);
        for (name, row) in said {
            let row = row?;
            told(&row);
            rows.insert(name, row);
        }
        anyhow::Ok(())
    })?;
    Ok(attacks.iter().filter_map(|attack| rows.remove(attack.name)).collect())
}

/// An attack and its control, each on devices of its own.
fn tried(base: &Base, attack: &Attack) -> anyhow::Result<Row> {
    let runtime = runtime()?;
    let mut range = base.range()?;
    let (all, first) = (range.devices.len(), range.of_client("acme"));
    let mutated = runtime.block_on((attack.tried)(&mut range, Try::Attack))?;
    let mut range = base.range()?;
    let control = runtime.block_on((attack.tried)(&mut range, Try::Control))?;
    let (bar, control_wanted) = ((attack.bar)(all, first), (attack.control)(all, first));
    Ok(Row { is: attack.is, name: attack.name, mutated, bar, control, control_wanted })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The table, with its last line.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<38} {:<72} {:>8} {:>7} {:>8}\n", "attack", "tried", "mutated", "bar", "control");
    for row in rows {
        let missed = if row.is_met() { "" } else { "  MISSED" };
        let Row { is, name, mutated, control, .. } = row;
        text += &format!("{is:<38} {name:<72} {mutated:>8} {:>7} {control:>8}{missed}\n", row.bar.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_the_issue_wants_to_see_has_a_row_and_each_row_a_name_of_its_own() {
        let names: BTreeSet<&str> = attacks::all().map(|it| it.name).collect();
        assert_eq!(names.len(), attacks::all().count());
        let rows: BTreeSet<&str> = attacks::all().map(|it| it.is).collect();
        assert_eq!(rows, BTreeSet::from(WANTED));
    }
}
