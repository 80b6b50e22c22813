use std::collections::VecDeque;

use contract::Call;
use contract::types::{Error, ErrorKind};
use model::{Called, EffectRecord, Event, Phase, Recorded};

use crate::stop::Stopped;

/// What a record has of one call: its answer, and what it did.
pub(super) type Answer<T> = (Result<T, Error>, Vec<EffectRecord>);

/// The answers of a record, in order. A guest that asks something else has gone another way.
pub(crate) struct Replay {
    calls: VecDeque<Called>,
}

impl Replay {
    /// Out of a recording's events.
    pub(crate) fn of(events: &[Recorded]) -> Self {
        let calls = events.iter().filter_map(|recorded| match &recorded.event {
            Event::Called(called) => Some((**called).clone()),
            _ => None,
        });
        Self { calls: calls.collect() }
    }

    /// What the record answers to this call.
    pub(super) fn answer<C: Call>(&mut self, phase: Phase, call: &C) -> Result<Answer<C::Ok>, Stopped> {
        let asked = format!("{}.{}", C::INTERFACE.name, C::FUNCTION);
        let Some(recorded) = self.calls.pop_front() else {
            return Err(Stopped::Diverged(format!("the record ends before the plugin asks {asked}")));
        };
        let number = recorded.call;
        if (recorded.phase, recorded.interface.as_str(), recorded.function.as_str())
            != (phase, C::INTERFACE.name, C::FUNCTION)
        {
            let expected = format!("{}.{}", recorded.interface, recorded.function);
            return Err(Stopped::Diverged(format!(
                "call {number}: the record has {expected}, the plugin asks {asked}"
            )));
        }
        let arguments = serde_json::to_value(call).unwrap_or_default();
        if arguments != recorded.arguments {
            let message = format!(
                "call {number}, {asked}: the record has {}, the plugin hands over {arguments}",
                recorded.arguments
            );
            return Err(Stopped::Diverged(message));
        }
        let result = match (recorded.answer, recorded.error) {
            (_, Some(error)) => Err(error),
            (Some(answer), None) => Ok(C::from_json(answer)
                .map_err(|error| Stopped::Diverged(format!("call {number}, {asked}: the recorded answer: {error}")))?),
            (None, None) => Err(Error::new(
                ErrorKind::Failed,
                "not-recorded",
                "the record does not keep this answer: record with `--record`",
            )),
        };
        Ok((result, recorded.effects))
    }

    pub(super) fn unasked(&self) -> Option<String> {
        let next = self.calls.front()?;
        Some(format!("call {}: the record has {}.{}, the plugin ends", next.call, next.interface, next.function))
    }
}
