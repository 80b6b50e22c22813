//! A fake host, for a plugin's unit tests: they run natively, and every host call of the thread comes here.
//!
//! A test says what the host answers to which call, runs the plugin as the host would, and looks at what it asked for. A call
//! without an answer fails the test, and says what to add. Mutators answer `denied` while `detect` runs, as on a real machine.
//!
//! ```
//! use remit_sdk::{kv, prelude::*, testing::Host};
//!
//! let host = Host::new().answer(|call: &kv::GetValue| match call.key.as_str() {
//!     "baseline" => Ok(Some(kv::KvEntry { value: "7".into(), ..Default::default() })),
//!     _ => Ok(None),
//! });
//!
//! assert_eq!(kv::get_value("baseline")?.map(|entry| entry.value), Some("7".to_owned()));
//! assert_eq!(kv::get_value("other")?, None);
//! assert_eq!(host.names(), ["kv.get-value", "kv.get-value"]);
//! assert_eq!(host.calls::<kv::GetValue>()[1].key, "other");
//!
//! // A failure is an answer like any other.
//! let host = host.answer(|_: &kv::GetValue| Err(Error::of_kind(ErrorKind::Denied, "scope", "not granted")));
//! assert_eq!(kv::get_value("baseline").unwrap_err().kind, ErrorKind::Denied);
//! # Ok::<(), remit_sdk::Error>(())
//! ```

mod record;

use std::fmt::Debug;

use serde_json::Value;

use crate::run::{self, Context, Mode, Trigger};
use crate::types::{ErrorKind, Finding};
use crate::{Detect, Error, Remediate, Remedy, Report, Result};

use record::Record;

/// A call of a function of the contract.
pub trait Call: Clone + Debug + PartialEq + 'static {
    /// What the function answers.
    type Answer: 'static;
    /// `interface.function`, as in the contract.
    const NAME: &'static str;
    /// Whether it changes something.
    const CHANGES: bool;

    /// The answer of a mutator that is not allowed now.
    fn denied(_error: Error) -> Option<Self::Answer> {
        None
    }
}

/// The fake host of this thread. Another one, or dropping this one, ends it.
#[must_use = "a fake host ends when it is dropped"]
pub struct Host {
    _private: (),
}

impl Host {
    /// A host that knows the run, and nothing else: an enforce run by hand, without parameters, at 2026-01-01 00:00 UTC.
    pub fn new() -> Self {
        record::with(|record| *record = Record::new());
        Self { _private: () }
    }

    /// What it answers to a call; a later answer to the same call replaces an earlier one.
    pub fn answer<C: Call>(self, answer: impl FnMut(&C) -> C::Answer + 'static) -> Self {
        record::with(|record| record.set_answer(answer));
        self
    }

    /// The run's parameters.
    pub fn parameters(self, parameters: Value) -> Self {
        self.answer(move |_: &run::GetParameters| parameters.to_string())
    }

    /// The run's mode.
    pub fn mode(self, mode: Mode) -> Self {
        let started_ms = self.now_ms();
        self.answer(move |_: &run::GetContext| Context { mode, started_ms, ..record::context() })
    }

    /// Why the run was started.
    pub fn trigger(self, trigger: Trigger) -> Self {
        self.answer(move |_: &run::GetTrigger| trigger.clone())
    }

    /// What the clock shows; it moves only when the plugin sleeps.
    pub fn at_ms(self, now_ms: u64) -> Self {
        record::with(|record| record.now_ms = now_ms);
        self
    }

    /// The run is being cancelled.
    pub fn cancelled(self) -> Self {
        self.answer(|_: &run::IsCancelled| true)
    }

    /// The run goes on after a reboot, with its last checkpoint.
    pub fn resume(self) -> Self {
        let state = record::with(|record| record.checkpoint.clone());
        self.answer(move |_: &run::Resumed| state.clone())
    }

    /// Runs a plugin's `detect` as the component does, parameters and all.
    pub fn detect<P: Detect>(&self) -> Result<Report> {
        record::with(|record| record.is_detecting = true);
        let report = crate::detect::<P>();
        record::with(|record| record.is_detecting = false);
        report
    }

    /// Runs a plugin's `remediate` as the component does; the host hands over only what is remediable.
    pub fn remediate<P: Remediate>(&self, findings: &[Finding]) -> Result<Remedy> {
        let findings: Vec<Finding> = findings.iter().filter(|finding| finding.remediable).cloned().collect();
        crate::remediate::<P>(&findings)
    }

    /// The names of all calls of host interfaces so far, in order; the run's own functions are left out.
    pub fn names(&self) -> Vec<&'static str> {
        record::with(|record| record.calls.iter().map(|made| made.name).collect())
    }

    /// All calls of one function so far.
    pub fn calls<C: Call>(&self) -> Vec<C> {
        record::with(|record| record.calls.iter().filter_map(|made| made.call.downcast_ref::<C>()).cloned().collect())
    }

    /// All calls of mutators so far, in order, with their arguments: what a plan is made of. The same in a dry run and in enforce.
    pub fn plan(&self) -> Vec<String> {
        record::with(|record| {
            record
                .calls
                .iter()
                .filter(|made| made.changes)
                .map(|made| format!("{} {}", made.name, made.shown))
                .collect()
        })
    }

    /// The lines of the record so far: `level: message name=value`.
    pub fn log(&self) -> Vec<String> {
        record::with(|record| record.log.clone())
    }

    /// The measured values so far, by name.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        record::with(|record| record.metrics.clone())
    }

    /// What the clock shows.
    pub fn now_ms(&self) -> u64 {
        record::with(|record| record.now_ms)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        record::with(|record| *record = Record::new());
    }
}

/// Where the functions of the contract go natively.
///
/// # Panics
/// Where the test gave no answer: that is what a test must say, and an invented one would hide it.
pub(crate) fn call<C: Call>(call: C) -> C::Answer {
    if record::with(|record| C::CHANGES && record.is_detecting) {
        let error = Error::of_kind(ErrorKind::Denied, "phase", format!("{} changes something: not in detect", C::NAME));
        if let Some(answer) = C::denied(error) {
            return answer;
        }
    }
    // Out of the record while it runs, because an answer may ask the host in its turn.
    let Some(mut answer) = record::with(|record| record.take_answer::<C>()) else {
        panic!("the test gives no answer to this call: add `.answer(|call: &C| …)` for {} {call:?}", C::NAME);
    };
    let answered = answer(&call);
    record::with(|record| {
        record.put_back(answer);
        record.note(call);
    });
    answered
}
