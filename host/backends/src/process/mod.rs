//! `process`, `process-control`: what runs now, without command lines, and ending it.
//!
//! As with services, what the interfaces promise is kept once, in [`Processes`], over a [`Table`] that only knows how to look
//! and to end: procfs, the twin in memory, and what a dry run plans.

mod processes;
mod table;

#[cfg(target_os = "linux")]
mod linux;
mod memory;
#[cfg(not(target_os = "linux"))]
mod other;
mod overlay;

use std::sync::Arc;

use contract::process::{self, ProcessInfo};
use contract::types::Error;
use contract::{Context, ScopeGrammar};
use model::{Clock, Scope};

use crate::errors;

#[cfg(target_os = "linux")]
pub(crate) use linux::started_ms;
pub use memory::Entry;
pub use processes::Processes;
use table::Table;

/// The most processes in one answer.
const PROCESSES_MAX: usize = 5_000;
/// The longest that a process may take to end by itself.
const GRACE_MS_MAX: u32 = 60_000;

/// The processes of this machine.
pub fn real() -> Processes {
    #[cfg(target_os = "linux")]
    return Processes::new(Box::new(linux::Procfs));
    #[cfg(not(target_os = "linux"))]
    Processes::new(Box::new(other::Other))
}

/// What a dry run sees: the processes of `base`, which is only read, without those that would be ended.
pub fn overlay(base: Arc<dyn process::Backend>) -> Processes {
    Processes::new(Box::new(overlay::Planned::new(base)))
}

/// Processes in memory.
pub fn memory(entries: Vec<Entry>, clock: Arc<dyn Clock>) -> Processes {
    Processes::new(Box::new(memory::Memory::new(entries, clock)))
}

fn scope(cx: &Context) -> Result<Scope, Error> {
    Scope::new(ScopeGrammar::Globs, cx.scope.clone()).map_err(|error| errors::invalid("scope", error.to_string()))
}

fn attribute<'a>(process: &'a ProcessInfo, name: &str) -> Option<&'a str> {
    process.attributes.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod conformance;
