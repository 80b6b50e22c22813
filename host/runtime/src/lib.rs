//! Runs one plugin once, safely.
//!
//! In go a verified plugin, a request, a device and a recorder; out comes how it ended, with everything that happened in the
//! recorder. What the plugin does wrong is data, with who is to blame; an [`Error`] is the host's own fault, or a refusal
//! before anything ran. It does not schedule, does not decide what is granted, and knows no interface by name: those are rows
//! in a table.

mod adapters;
mod compile;
mod engine;
mod execute;
mod gate;
mod journal;
mod limiter;
mod link;
mod meter;
mod prepare;
mod replay;
mod run_interface;
mod schema;
mod script;
mod smoke;
mod state;
mod stop;
mod undo;
mod wasi;

use std::path::PathBuf;
use std::sync::Arc;

use contract::run::LogLevel;
use model::budget::{self, Allowance, Entry, Exhausted, NotBooked};
use model::{EffectRecord, Event};
use serde::Serialize;

pub use compile::{Compiler, Touched, compile_child, touched};
pub use engine::{Engine, Options};
pub use execute::{Request, Resumed, execute};
pub use prepare::{Prepared, prepare, prepare_on};
pub use replay::{Replayed, replay};
pub use schema::parameters_schema;
pub use smoke::{can_pool, smoke_test};
pub use undo::{UndoRequest, undo};

/// Keeps events. What is appended is durable when `append` returns, if `is_durable` says so.
pub trait Recorder: Send {
    /// Appends events, all or none.
    fn append(&mut self, events: Vec<(u64, Event)>) -> Result<(), String>;

    /// Appends events together with an entry in the ledger of the device's budgets: both, or neither.
    fn append_charging(
        &mut self,
        events: &[(u64, Event)],
        allowance: &Arc<Allowance>,
        entry: Entry,
    ) -> Result<Result<(), NotBooked>, String>;

    /// Whether what is appended survives the process; and so whether appending may block.
    fn is_durable(&self) -> bool;
}

impl Recorder for store::RunLog {
    fn append(&mut self, events: Vec<(u64, Event)>) -> Result<(), String> {
        Self::append(self, events).map_err(|error| error.to_string())
    }

    fn append_charging(
        &mut self,
        events: &[(u64, Event)],
        allowance: &Arc<Allowance>,
        entry: Entry,
    ) -> Result<Result<(), NotBooked>, String> {
        let (now_ms, allowance) = (allowance.now_ms(), Arc::clone(allowance));
        let make: store::Make<NotBooked> = Box::new(move |kept| allowance.book(kept, &entry));
        let ledger = store::Rework { collection: budget::COLLECTION, key: budget::KEY, now_ms, make };
        self.append_reworking(events, &ledger).map_err(|error| error.to_string())
    }

    fn is_durable(&self) -> bool {
        true
    }
}

/// Keeps events while the process lives: for replays, fixtures and benches.
#[derive(Clone, Default)]
pub struct MemoryRecorder(std::sync::Arc<std::sync::Mutex<Vec<(u64, Event)>>>);

impl MemoryRecorder {
    /// What was appended, in order.
    pub fn events(&self) -> Vec<(u64, Event)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Recorder for MemoryRecorder {
    fn append(&mut self, events: Vec<(u64, Event)>) -> Result<(), String> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(events);
        Ok(())
    }

    /// A budget that a process forgets is none.
    fn append_charging(
        &mut self,
        _: &[(u64, Event)],
        _: &Arc<Allowance>,
        _: Entry,
    ) -> Result<Result<(), NotBooked>, String> {
        Err("the device has budgets, and this record keeps no ledger".to_owned())
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// Watches a run while it goes on. What it hears is for a person; the record is kept apart.
pub trait Observer: Send + Sync {
    /// How far it is, 0 to 100.
    fn progress(&self, percent: u32, message: &str);
    /// A line of the log.
    fn log(&self, level: LogLevel, message: &str);
    /// A call was answered that changed something, or may have. The record has it a little later.
    fn changed(&self, _call: u64, _effects: &[EffectRecord]) {}
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn progress(&self, _: u32, _: &str) {}
    fn log(&self, _: LogLevel, _: &str) {}
}

/// Why the host could not run a plugin, or would not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It will not: everything that stands against it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Refusal>),
    /// wasmtime could not work.
    #[error("the WebAssembly engine")]
    Engine(#[source] wasmtime::Error),
    /// What was compiled could not be kept.
    #[error(transparent)]
    Cache(#[from] artifact::CacheError),
    /// The compiling child could not be started or heard.
    #[error("the compiler {path}")]
    Compiler {
        /// Which program.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The record could not be kept: without one nothing runs.
    #[error("the record could not be kept: {0}")]
    Record(String),
    /// The record cannot be replayed or undone.
    #[error("{0}")]
    BadRecord(String),
}

/// Why a plugin is not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// It imports an interface that was not granted.
    #[error("`{interface}` is not granted")]
    NotGranted {
        /// The interface.
        interface: String,
    },
    /// It could not be compiled, or not within the limits.
    #[error("it cannot be compiled: {reason}")]
    NotCompiled {
        /// What the compiler said.
        reason: String,
    },
    /// A budget of the device has no room for it.
    #[error("{0} (budget)")]
    Exhausted(Exhausted),
    /// Its functions have other types than the host's.
    #[error("it does not fit this host: {reason}")]
    NotLinked {
        /// What the linker said.
        reason: String,
    },
}
