//! What is shown of orders, for a person.

use std::fmt;

use desk::{Outcome, RingShown, Shown};
use fleet::{Counters, Device};
use serde::Serialize;
use tabled::Tabled;

/// A preview before the signature.
pub(super) struct Preview<'a>(pub(super) &'a desk::Preview);

/// So many names are shown where there may be thousands.
const NAMED_MAX: usize = 10;

impl fmt::Display for Preview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = self.0;
        let clients: Vec<String> = it.clients.iter().map(|(client, count)| format!("{client} {count}")).collect();
        writeln!(f, "{} in the mode {} on {} devices: {}", it.plugin, it.mode.word(), it.devices, clients.join(", "))?;
        writeln!(f, "from {} until {}, up to {}, risking {}", it.from, it.expires, it.class_max, it.risks)?;
        if it.technicians > 1 {
            writeln!(f, "{} technicians sign it, and whoever sees it has half an hour to stop it", it.technicians)?;
        }
        let capabilities =
            if it.capabilities.is_empty() { "nothing of the machine".to_owned() } else { it.capabilities.join(", ") };
        writeln!(f, "it may use {capabilities}")?;
        for (at, ring) in it.rings.iter().enumerate() {
            let more = if ring.devices > ring.first.len() { ", …" } else { "" };
            let offline = if ring.offline > 0 { format!(", {} of them offline", ring.offline) } else { String::new() };
            writeln!(f, "ring {}: {} devices{offline}: {}{more}", at + 1, ring.devices, ring.first.join(", "))?;
        }
        if !it.offline.is_empty() {
            writeln!(f, "{} are offline, and get it when they come back: {}", it.offline.len(), some(&it.offline))?;
        }
        for undecided in it.undecided.iter().take(NAMED_MAX) {
            let lacks = if undecided.absent.is_empty() {
                undecided.why.clone()
            } else {
                format!("lacks {}", undecided.absent.join(", "))
            };
            writeln!(f, "cannot be decided, and not meant: {} {lacks}", undecided.device)?;
        }
        if it.undecided.len() > NAMED_MAX {
            writeln!(f, "and {} more: `remit device list --where … --undecided`", it.undecided.len() - NAMED_MAX)?;
        }
        write!(f, "{} others are not meant, {} are nobody's yet or retired", it.others, it.no_members)
    }
}

fn some(names: &[String]) -> String {
    let more = if names.len() > NAMED_MAX { ", …" } else { "" };
    format!("{}{more}", names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", "))
}

/// A ring: what its devices signed, and what the hub says beyond that.
#[derive(Clone, Debug, Serialize, Tabled)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Ring {
    pub(super) ring: usize,
    pub(super) state: String,
    pub(super) devices: u64,
    pub(super) well: u32,
    pub(super) badly: u32,
    #[tabled(rename = "not meant")]
    pub(super) aside: u32,
    /// Of what the hub counts, what no device was found to have signed.
    pub(super) claimed: u64,
    pub(super) waits: String,
}

/// The rings of an order. What devices signed is counted; of what the hub counts, what is more than that is said.
pub(super) fn rings(shown: &Shown, outcome: &Outcome, rings: Option<&[Vec<Device>]>) -> Vec<Ring> {
    let counted: Vec<Counters> = rings.map(|rings| outcome.counters(rings)).unwrap_or_default();
    let of = |(at, it): (usize, &RingShown)| {
        let signed = counted.get(at).cloned().unwrap_or_default();
        let said = it.completed + it.failed + it.refused + it.not_meant;
        let verified = u64::from(signed.well) + u64::from(signed.badly) + u64::from(signed.aside);
        Ring {
            ring: at + 1,
            state: it.state.clone(),
            devices: it.devices,
            well: signed.well,
            badly: signed.badly,
            aside: signed.aside,
            claimed: said.saturating_sub(verified),
            waits: it.waits.clone().unwrap_or_default(),
        }
    };
    shown.rollout.iter().flat_map(|it| it.rings.iter().enumerate()).map(of).collect()
}
