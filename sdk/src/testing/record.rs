//! What the fake host of a thread answers, and what it was asked.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;

use crate::run::{self, Context, Mode, Trigger};

use super::Call;

thread_local! {
    static RECORD: RefCell<Record> = RefCell::new(Record::new());
}

/// 2026-01-01T00:00:00Z: a test that does not say when it is runs at the same time every day.
const NOW_MS: u64 = 1_767_225_600_000;
/// A run that does not say so has five minutes.
const WALL_MS: u64 = 300_000;

pub(super) type Answer<C> = Box<dyn FnMut(&C) -> <C as Call>::Answer>;

/// A call that was made.
pub(super) struct Made {
    pub(super) name: &'static str,
    pub(super) changes: bool,
    pub(super) shown: String,
    pub(super) call: Box<dyn Any>,
}

pub(super) struct Record {
    answers: HashMap<TypeId, Box<dyn Any>>,
    pub(super) calls: Vec<Made>,
    pub(super) log: Vec<String>,
    pub(super) metrics: Vec<(String, f64)>,
    pub(super) checkpoint: Option<Vec<u8>>,
    pub(super) now_ms: u64,
    pub(super) is_detecting: bool,
}

/// Does something with the record of this thread.
pub(super) fn with<T>(act: impl FnOnce(&mut Record) -> T) -> T {
    RECORD.with(|record| act(&mut record.borrow_mut()))
}

/// The facts of a run that does not say otherwise.
pub(super) fn context() -> Context {
    Context {
        run_id: "run_00000000000000000000000000".to_owned(),
        mode: Mode::Enforce,
        attempt: 1,
        started_ms: NOW_MS,
        deadline_ms: NOW_MS + WALL_MS,
        attributes: Vec::new(),
    }
}

impl Record {
    /// Without calls, and with answers for the run itself.
    pub(super) fn new() -> Self {
        let mut record = Self {
            answers: HashMap::new(),
            calls: Vec::new(),
            log: Vec::new(),
            metrics: Vec::new(),
            checkpoint: None,
            now_ms: NOW_MS,
            is_detecting: false,
        };
        record.set_answer(|_: &run::GetContext| context());
        record.set_answer(|_: &run::GetParameters| "{}".to_owned());
        record.set_answer(|_: &run::GetTrigger| Trigger { name: "test".to_owned(), ..Trigger::default() });
        record.set_answer(|line: &run::Log| {
            let fields: String = line.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            with(|record| record.log.push(format!("{}: {}{fields}", line.level, line.message)));
        });
        record.set_answer(|_: &run::Progress| ());
        record.set_answer(|it: &run::Metric| with(|record| record.metrics.push((it.name.clone(), it.value))));
        record.set_answer(|_: &run::IsCancelled| false);
        record.set_answer(|_: &run::Now| with(|record| record.now_ms));
        record.set_answer(|it: &run::Sleep| {
            with(|record| record.now_ms += u64::from(it.millis));
            true
        });
        record.set_answer(|it: &run::Checkpoint| {
            with(|record| record.checkpoint = Some(it.state.clone()));
            Ok(())
        });
        record.set_answer(|_: &run::Resumed| None);
        record
    }

    pub(super) fn set_answer<C: Call>(&mut self, answer: impl FnMut(&C) -> C::Answer + 'static) {
        let answer: Answer<C> = Box::new(answer);
        self.answers.insert(TypeId::of::<C>(), Box::new(answer));
    }

    pub(super) fn take_answer<C: Call>(&mut self) -> Option<Answer<C>> {
        self.answers.remove(&TypeId::of::<C>())?.downcast::<Answer<C>>().ok().map(|answer| *answer)
    }

    pub(super) fn put_back<C: Call>(&mut self, answer: Answer<C>) {
        self.answers.entry(TypeId::of::<C>()).or_insert_with(|| Box::new(answer));
    }

    /// Notes a call of a host interface; what the run's own functions leave is kept apart.
    pub(super) fn note<C: Call>(&mut self, call: C) {
        if C::NAME.starts_with("run.") {
            return;
        }
        let shown = format!("{call:?}");
        self.calls.push(Made { name: C::NAME, changes: C::CHANGES, shown, call: Box::new(call) });
    }
}
