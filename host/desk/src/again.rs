//! Orders about orders: the failed once more, what was done taken back, a leaver's signed anew; and stops.

use std::collections::BTreeSet;

use fleet::{Device, Rings};
use model::{Digest, OrderId};
use trust::statement::{Gate, Order, Pause};
use trust::{Key, Names, Time};

use crate::compose::Wanted;

/// So long a stop of a scope can be taken up by who comes late. What was stopped stays so until two say otherwise.
const STOP_DAYS: u32 = 400;

/// Where an order waits for nothing.
const NO_GATE: Gate = Gate { soak_seconds: 0, failures_max_ppm: 0, absent_after_seconds: 0 };

/// How a second order goes.
#[derive(Clone, Debug)]
pub struct Again {
    /// Who goes when; all at once where nobody says.
    pub rings: Option<Rings>,
    /// What a ring waits for.
    pub gate: Option<Gate>,
    /// For so long.
    pub deadline_seconds: i64,
    /// Why.
    pub comment: String,
}

impl Again {
    /// The same, for exactly the devices for which it went badly.
    pub fn rerun(self, order: &Order, failed: BTreeSet<Device>) -> Wanted {
        Wanted { only: Some(failed), ..self.like(order) }
    }

    /// What it did, taken back on the devices that did it. Facts changed since, so they are asked for none.
    pub fn undo(self, order: &Order, digest: Digest, done: BTreeSet<Device>) -> Wanted {
        Wanted {
            only: Some(done),
            r#where: String::new(),
            plan: None,
            windows: None,
            parameters: "{}".to_owned(),
            undoes: Some(digest),
            ..self.like(order)
        }
    }

    fn like(self, order: &Order) -> Wanted {
        Wanted {
            r#where: order.r#where.clone(),
            clients: match &order.clients {
                Names::All => Vec::new(),
                Names::These(clients) => clients.clone(),
            },
            only: None,
            rings: Some(self.rings.unwrap_or_else(all_at_once)),
            gate: self.gate.or(order.gate).unwrap_or(NO_GATE),
            deadline_seconds: self.deadline_seconds,
            windows: order.windows.clone(),
            mode: order.mode,
            plan: order.plan,
            allow: order.allow.clone(),
            class_max: Some(order.class_max),
            parameters: order.parameters.clone(),
            standing: None,
            undoes: order.undoes,
            upgrade: order.upgrade,
            comment: self.comment,
        }
    }
}

/// One ring of all: these devices, and no others that come later.
pub fn all_at_once() -> Rings {
    #[expect(clippy::expect_used, reason = "a test reads it")]
    "100%".parse().expect("one ring of all")
}

/// A leaver's standing order, as another signs it: the same will, under an id and a key of its own, for as long as before.
pub fn resigned(order: &Order, by: &Key, now_ms: u64) -> Order {
    let now = Time::from_ms(now_ms);
    Order {
        id: OrderId::new(),
        by: by.clone(),
        counter: now_ms,
        from: order.from.max(now),
        expires: order.expires,
        ..order.clone()
    }
}

/// What stops a scope, or has it go on.
pub fn pause(is_paused: bool, clients: Names, orders: Vec<OrderId>, reason: String, now_ms: u64) -> Pause {
    let expires = Time::from_ms(now_ms).plus_days(STOP_DAYS);
    Pause { serial: now_ms, expires, is_paused, clients, orders, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ring_of_all_is_read() {
        let _ = all_at_once();
    }
}
