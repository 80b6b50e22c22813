//! The journal: what happened in a run, on its way into the record. On the call path nothing is serialised: arguments and
//! answers are kept as they are until they are written.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::run::LogLevel;
use contract::types::{Attributes, Error};
use contract::{Call, Footprint, Mask, Maskable, Undo};
use model::budget::{self, Allowance, Amounts, Exhausted, NotBooked};
use model::{Called, Clock, EffectRecord, Event, Limits, Phase};
use serde_json::Value;

use crate::stop::Stopped;
use crate::{Observer, Recorder};

/// Entries kept in memory before they are written.
const ENTRIES_MAX: usize = 4_096;
/// Bytes kept in memory before they are written.
const BYTES_MAX: u64 = 4 << 20;

/// One run's journal. Clones write to the same one.
#[derive(Clone)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
}

struct Shared {
    pending: Mutex<Pending>,
    recorder: Arc<Mutex<Box<dyn Recorder>>>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    mask: Arc<dyn Mask>,
    /// What the device's owner lets all runs together use, where there is a limit to it.
    allowance: Option<Arc<Allowance>>,
    is_durable: bool,
}

struct Pending {
    entries: Vec<(u64, Entry)>,
    bytes: u64,
    log: LogBudget,
    /// What was charged for, and is done by now.
    settled: budget::Entry,
}

impl Pending {
    fn is_full(&self) -> bool {
        self.entries.len() >= ENTRIES_MAX || self.bytes >= BYTES_MAX
    }
}

enum Entry {
    Event(Event),
    Call(CallEntry),
}

/// A host call that was answered.
pub(crate) struct CallEntry {
    pub(crate) call: u64,
    pub(crate) phase: Phase,
    pub(crate) interface: &'static str,
    pub(crate) function: &'static str,
    pub(crate) kept: Box<dyn Kept>,
    pub(crate) duration: Duration,
    pub(crate) bytes: u64,
    pub(crate) error: Option<Error>,
    pub(crate) effects: Vec<EffectRecord>,
    pub(crate) undo: Vec<Undo>,
}

/// Arguments and answer, not yet text.
pub(crate) trait Kept: Send {
    fn arguments(&self) -> Value;
    fn answer(&self) -> Option<Value>;
}

/// A call whose answer the record does not keep.
pub(crate) struct KeptCall<C: Call>(pub(crate) C);

impl<C: Call> Kept for KeptCall<C> {
    fn arguments(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    fn answer(&self) -> Option<Value> {
        None
    }
}

/// A call with its answer.
pub(crate) struct KeptAnswer<C: Call> {
    pub(crate) call: C,
    pub(crate) answer: C::Ok,
}

impl<C: Call> Kept for KeptAnswer<C> {
    fn arguments(&self) -> Value {
        serde_json::to_value(&self.call).unwrap_or_default()
    }

    fn answer(&self) -> Option<Value> {
        Some(C::to_json(&self.answer))
    }
}

/// Lines and bytes that may still be kept.
struct LogBudget {
    bytes_left: u64,
    lines_per_second: u64,
    second: u64,
    lines_in_second: u64,
    dropped: u64,
}

impl Journal {
    pub(crate) fn new(
        recorder: Box<dyn Recorder>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        mask: Arc<dyn Mask>,
        limits: &Limits,
        allowance: Option<Arc<Allowance>>,
    ) -> Self {
        let log = LogBudget {
            bytes_left: limits.log_bytes,
            lines_per_second: limits.log_lines_per_second,
            second: 0,
            lines_in_second: 0,
            dropped: 0,
        };
        let is_durable = recorder.is_durable();
        let pending = Mutex::new(Pending { entries: Vec::new(), bytes: 0, log, settled: budget::Entry::default() });
        let recorder = Arc::new(Mutex::new(recorder));
        Self { shared: Arc::new(Shared { pending, recorder, clock, observer, mask, allowance, is_durable }) }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.shared.clock.now_ms()
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.shared.observer
    }

    /// What takes redeemed secrets out of answers and lines.
    pub(crate) fn mask(&self) -> &dyn Mask {
        &*self.shared.mask
    }

    /// Gives the time that the record has of it.
    pub(crate) fn event(&self, event: Event) -> u64 {
        let at_ms = self.now_ms();
        self.pending().entries.push((at_ms, Entry::Event(event)));
        at_ms
    }

    /// What the run goes on with after a reboot; unlike other events it may be large.
    pub(crate) fn checkpoint(&self, state: Vec<u8>) {
        self.pending().bytes += u64::try_from(state.len()).unwrap_or(u64::MAX);
        self.event(Event::Checkpoint { state });
    }

    /// Keeps a call. Answers whether so much is pending that it should be written now.
    pub(crate) fn call(&self, entry: CallEntry) -> bool {
        let at_ms = self.now_ms();
        if !entry.effects.is_empty() {
            self.shared.observer.changed(entry.call, &entry.effects);
        }
        let mut pending = self.pending();
        pending.bytes += entry.bytes;
        pending.entries.push((at_ms, Entry::Call(entry)));
        pending.is_full()
    }

    /// Whether so much is pending that it should be written now.
    pub(crate) fn is_full(&self) -> bool {
        self.pending().is_full()
    }

    /// Keeps a line if the budget has room for it, else counts it.
    pub(crate) fn log(&self, level: LogLevel, mut message: String, mut fields: Attributes) {
        message.mask(self.mask());
        fields.mask(self.mask());
        let size = message.footprint() + fields.footprint();
        if self.keeps(size) {
            self.shared.observer.log(level, &message);
            self.event(Event::Log { level, message, fields });
        }
    }

    /// Keeps a value if the log's budget has room for it.
    pub(crate) fn metric(&self, name: String, value: f64, unit: String, mut labels: Attributes) {
        labels.mask(self.mask());
        let size = name.footprint() + unit.footprint() + labels.footprint();
        if self.keeps(size) {
            self.event(Event::Metric { name, value, unit, labels });
        }
    }

    fn keeps(&self, size: usize) -> bool {
        let at_ms = self.now_ms();
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let mut pending = self.pending();
        let keeps = pending.log.takes(at_ms, size);
        if keeps {
            pending.bytes += size;
        }
        keeps
    }

    pub(crate) fn log_lines_dropped(&self) -> u64 {
        self.pending().log.dropped
    }

    /// What the device's owner lets all runs together use.
    pub(crate) fn allowance(&self) -> Option<&Allowance> {
        self.shared.allowance.as_deref()
    }

    /// What was charged for is done, and came to so much: the ledger has it with what is written next.
    pub(crate) fn settle(&self, reserved: &Amounts, used: &Amounts) {
        if reserved == used {
            return;
        }
        let settled = &mut self.pending().settled;
        settled.reserved = std::mem::take(&mut settled.reserved).plus(reserved);
        settled.used = std::mem::take(&mut settled.used).plus(used);
    }

    /// Writes what is pending. Durable when it returns, where the recorder is.
    pub(crate) async fn flush(&self) -> Result<(), Stopped> {
        // What nothing is charged for always has room.
        self.charge(Amounts::default(), None).await.map(drop)
    }

    /// The same, with what is about to be used, and the event that announces it: both are written, or, where there is no room
    /// for it, neither.
    pub(crate) async fn charge(
        &self,
        charge: Amounts,
        announcing: Option<Event>,
    ) -> Result<Result<(), Exhausted>, Stopped> {
        let now_ms = self.now_ms();
        let (entries, settled) = {
            let mut pending = self.pending();
            pending.bytes = 0;
            (std::mem::take(&mut pending.entries), std::mem::take(&mut pending.settled))
        };
        let entry = budget::Entry { charge, ..settled };
        if entries.is_empty() && announcing.is_none() && entry == budget::Entry::default() {
            return Ok(Ok(()));
        }
        let recorder = Arc::clone(&self.shared.recorder);
        let allowance = self.shared.allowance.clone().filter(|_| entry != budget::Entry::default());
        let append = move || {
            let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            let mut events: Vec<_> = entries.into_iter().map(|(at_ms, entry)| (at_ms, entry.into_event())).collect();
            let without = events.len();
            events.extend(announcing.map(|event| (now_ms, event)));
            let Some(allowance) = allowance else { return recorder.append(events).map(Ok) };
            let rest = budget::Entry { charge: Amounts::default(), ..entry.clone() };
            match recorder.append_charging(&events, &allowance, entry)? {
                Err(NotBooked::Exhausted(exhausted)) => {
                    events.truncate(without);
                    // What is done is done, whatever there is room for.
                    let booked = recorder.append_charging(&events, &allowance, rest)?;
                    booked.map(|()| Err(exhausted)).map_err(|error| error.to_string())
                }
                booked => booked.map(Ok).map_err(|error| error.to_string()),
            }
        };
        let written = match self.shared.is_durable {
            true => tokio::task::spawn_blocking(append).await.map_err(|error| Stopped::Host(error.to_string()))?,
            false => append(),
        };
        written.map_err(|error| Stopped::Host(format!("the record could not be written: {error}")))
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogBudget {
    fn takes(&mut self, at_ms: u64, size: u64) -> bool {
        let second = at_ms / 1_000;
        if second != self.second {
            (self.second, self.lines_in_second) = (second, 0);
        }
        if size > self.bytes_left || self.lines_in_second >= self.lines_per_second {
            self.dropped += 1;
            return false;
        }
        self.bytes_left -= size;
        self.lines_in_second += 1;
        true
    }
}

impl Entry {
    fn into_event(self) -> Event {
        match self {
            Self::Event(event) => event,
            Self::Call(entry) => Event::Called(Box::new(Called {
                call: entry.call,
                phase: entry.phase,
                interface: entry.interface.to_owned(),
                function: entry.function.to_owned(),
                arguments: entry.kept.arguments(),
                duration_us: u64::try_from(entry.duration.as_micros()).unwrap_or(u64::MAX),
                bytes: entry.bytes,
                answer: entry.kept.answer(),
                error: entry.error,
                effects: entry.effects,
                undo: entry.undo,
            })),
        }
    }
}
