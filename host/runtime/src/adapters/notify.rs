use std::borrow::Cow;

use contract::notify::{AcknowledgeEvent, Delivery, DeliveryOutcome, ResolveEvent, TriggerEvent};
use contract::{Answer, Footprint};
use model::budget::{Amounts, Budget};

use super::{Adapter, Site, bytes_of};

/// What is told leaves the machine, now or later.
const SPENDS: &[Budget] = &[Budget::EgressBytes];

/// What the plugin has told; what a route wraps it into is not the plugin's.
fn told(bytes: usize) -> Amounts {
    Amounts::of(Budget::EgressBytes, bytes_of(bytes))
}

/// Only what is on its way leaves.
fn leaves(delivery: &Delivery, reserved: &Amounts) -> Amounts {
    match delivery.outcome {
        DeliveryOutcome::Queued | DeliveryOutcome::Muted | DeliveryOutcome::Grouped => reserved.clone(),
        DeliveryOutcome::RateLimited | DeliveryOutcome::Planned => Amounts::default(),
    }
}

impl Adapter for TriggerEvent {
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.event.audience)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.event.audience, &self.event.dedup_key)]
    }

    fn reserve<'a>(&'a self, _: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async { Ok(told(self.event.footprint())) })
    }

    fn used(&self, delivery: &Delivery, reserved: &Amounts) -> Amounts {
        leaves(delivery, reserved)
    }
}

impl Adapter for AcknowledgeEvent {
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.audience)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.audience, &self.dedup_key)]
    }

    fn reserve<'a>(&'a self, _: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async { Ok(told(self.dedup_key.len())) })
    }

    fn used(&self, delivery: &Delivery, reserved: &Amounts) -> Amounts {
        leaves(delivery, reserved)
    }
}

impl Adapter for ResolveEvent {
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.audience)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.audience, &self.dedup_key)]
    }

    fn reserve<'a>(&'a self, _: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async { Ok(told(self.dedup_key.len())) })
    }

    fn used(&self, delivery: &Delivery, reserved: &Amounts) -> Amounts {
        leaves(delivery, reserved)
    }
}

/// Who is told, and of what.
fn target(audience: &str, dedup_key: &str) -> String {
    format!("{audience}/{dedup_key}")
}
