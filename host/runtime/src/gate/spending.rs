//! What a run uses of the device's budgets: reserved and durable before a backend acts, and put right by its answer.

use contract::Context;
use contract::types::{Error, ErrorKind};
use model::Event;
use model::budget::{Amounts, Exhausted};

use crate::adapters::{Adapter, Site};
use crate::stop::Stopped;

use super::{Answered, Gate, Source, bounded};

impl Gate {
    /// What a call will use. Nothing is asked of a machine where nothing of it is limited.
    pub(super) async fn reserve<C: Adapter>(&self, call: &C, cx: &Context) -> Result<Amounts, Error> {
        let (Some(machine), Some(allowance)) = (&self.machine, self.journal.allowance()) else {
            return Ok(Amounts::default());
        };
        let is_limited = C::SPENDS.iter().any(|budget| allowance.limits(*budget));
        let Source::Live(backends, _) = &self.source else { return Ok(Amounts::default()) };
        match is_limited {
            true => bounded(call.reserve(Site { backends, machine: &**machine, cx, allowance }), cx).await,
            false => Ok(Amounts::default()),
        }
    }

    /// A call that changes nothing here, and uses something all the same.
    pub(super) async fn read_charged<C: Adapter>(&mut self, call: &C, cx: Context) -> Result<Answered<C::Ok>, Stopped> {
        let reserved = match self.reserve(call, &cx).await {
            Ok(reserved) => reserved,
            Err(error) => return Ok(Answered::refused(error)),
        };
        if !reserved.is_nothing()
            && let Err(exhausted) = self.journal.charge(reserved.clone(), None).await?
        {
            return Ok(Answered::refused(self.no_room(exhausted)));
        }
        let answered = self.perform(call, cx).await;
        self.settle(call, &reserved, &answered.result);
        Ok(answered)
    }

    /// What the call came to, in place of what was reserved for it.
    pub(super) fn settle<C: Adapter>(&self, call: &C, reserved: &Amounts, result: &Result<C::Ok, Error>) {
        if reserved.is_nothing() {
            return;
        }
        let used = match result {
            Ok(ok) => call.used(ok, reserved),
            Err(error) if was_not_tried(error.kind) => Amounts::default(),
            Err(_) => reserved.clone(),
        };
        self.journal.settle(reserved, &used);
    }

    /// The plugin is told each time, the record once a budget.
    pub(super) fn no_room(&mut self, exhausted: Exhausted) -> Error {
        let error = Error::new(ErrorKind::Denied, "budget", exhausted.to_string());
        let mut error = error.with("budget", exhausted.budget.name());
        if let Some(at_ms) = exhausted.room_at_ms {
            error = error.with("room-at-ms", at_ms.to_string());
        }
        error.retry_after_ms = exhausted.room_in_ms.and_then(|ms| u32::try_from(ms).ok());
        if self.exhausted.insert(exhausted.budget) {
            self.journal.event(Event::Exhausted(exhausted));
        }
        error
    }
}

/// Whether an error of this kind says that nothing was done. Whatever else went wrong may have been done in part.
fn was_not_tried(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Denied
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Invalid
            | ErrorKind::Unsupported
            | ErrorKind::Busy
    )
}
