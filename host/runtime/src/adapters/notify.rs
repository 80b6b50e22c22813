use std::borrow::Cow;

use contract::notify::{AcknowledgeEvent, ResolveEvent, TriggerEvent};

use super::Adapter;

impl Adapter for TriggerEvent {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.event.audience)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.event.audience, &self.event.dedup_key)]
    }
}

impl Adapter for AcknowledgeEvent {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.audience)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.audience, &self.dedup_key)]
    }
}

impl Adapter for ResolveEvent {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.audience)]
    }

    fn targets(&self) -> Vec<String> {
        vec![target(&self.audience, &self.dedup_key)]
    }
}

/// Who is told, and of what.
fn target(audience: &str, dedup_key: &str) -> String {
    format!("{audience}/{dedup_key}")
}
