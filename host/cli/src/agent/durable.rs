//! What the dispatcher decided, in the store: its states, and a log of its decisions.

use std::sync::Arc;

use agent::{Step, Told};
use anyhow::bail;
use store::{Decision, Expected, Store, Value, Write};

use super::executor::Rows;

/// The dispatcher's states, by its keys.
const STATES: &str = "agent";

/// How many decisions of an order are kept: of one that is due each quarter of an hour, those of three days.
const DECISIONS_KEPT: u32 = 1_000;

/// How many documents are read at once.
const PAGE: u32 = 500;

/// The name that decisions of no order have: none of an order has a space in it.
const BY_HAND: &str = "by hand";

/// What is durable of the agent.
pub(crate) struct Durable(Arc<Store>);

impl Durable {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self(store)
    }

    /// All states, by key.
    pub(crate) fn states(&self, now_ms: u64) -> anyhow::Result<Vec<(String, String)>> {
        let (mut states, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.0.list(STATES, "", &after, PAGE, now_ms)?;
            let Some(last) = page.last() else { return Ok(states) };
            after.clone_from(&last.key);
            states.extend(page.into_iter().map(|document| (document.key, document.value)));
        }
    }

    /// Writes all that follows from a step, and what goes with it, or nothing. It is durable when this returns.
    pub(crate) fn write(&self, step: &Step, rows: &Rows, now_ms: u64) -> anyhow::Result<()> {
        if step.changed.is_empty() && step.told.is_empty() && rows.is_empty() {
            return Ok(());
        }
        let state = |(key, value): (&String, &Option<String>)| Write {
            collection: STATES,
            key: key.clone(),
            value: value.clone().map_or(Value::Gone, Value::Is),
            expected: Expected::Any,
            expires_ms: None,
        };
        let decision = |told: &Told| {
            Ok(Decision {
                order: told.order.as_deref().unwrap_or(BY_HAND).to_owned(),
                at_ms: u64::try_from(told.at_ms).unwrap_or_default(),
                body: serde_json::to_string(told)?,
                kept: DECISIONS_KEPT,
            })
        };
        let writes: Vec<Write> = step.changed.iter().map(state).chain(rows.writes()).collect();
        let decisions: anyhow::Result<Vec<Decision>> = step.told.iter().map(decision).collect();
        match self.0.decide(&writes, decisions?, now_ms)? {
            Ok(()) => Ok(()),
            Err(not_written) => bail!("something is in the way of the agent's states: {not_written:?}"),
        }
    }

    /// The latest so many decisions of an order, the latest first. What a newer agent wrote is left out.
    pub(crate) fn decisions(&self, order: &str, count: u32) -> anyhow::Result<Vec<Told>> {
        let decided = self.0.decisions(order, None, count)?;
        Ok(decided.iter().filter_map(|it| serde_json::from_str(&it.body).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use agent::What;

    use super::*;

    #[test]
    fn states_and_decisions_are_found_again_as_they_were_written() {
        let store = Arc::new(Store::in_memory().unwrap());
        let durable = Durable::new(Arc::clone(&store));
        let told = |at_ms, order: &str, what| Told { at_ms, order: Some(order.to_owned()), what };
        let mut step = Step::default();
        step.changed.insert("order/night".to_owned(), Some("{}".to_owned()));
        step.told =
            vec![told(5, "night", What::Placed), told(5, "night", What::Paused), told(6, "nights", What::Placed)];
        durable.write(&step, &Rows::default(), 5).unwrap();
        assert_eq!(durable.states(6).unwrap(), [("order/night".to_owned(), "{}".to_owned())]);
        let log = |count| durable.decisions("night", count).unwrap().into_iter().map(|it| it.what).collect::<Vec<_>>();
        assert_eq!(log(9), [What::Paused, What::Placed]);
        assert_eq!(log(1), [What::Paused]);
        let mut gone = Step::default();
        gone.changed.insert("order/night".to_owned(), None);
        Durable::new(store).write(&gone, &Rows::default(), 7).unwrap();
        assert_eq!(durable.states(8).unwrap(), []);
    }
}
