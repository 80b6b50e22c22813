//! What a Remit plugin is written with: a struct, a trait and one macro.
//!
//! The struct is the plugin's parameters, and serde reads them. [`Detect`] looks and reports; [`Remediate`] puts right what was
//! found. [`plugin!`] makes a component of them, and a plugin that only looks can import nothing that changes the machine.
//!
//! ```
//! use remit_sdk::prelude::*;
//! use remit_sdk::kv;
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! /// Says when a machine was last told who looks after it.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(rename_all = "kebab-case", deny_unknown_fields)]
//! struct Caretaker {
//!     /// Whoever looks after the machine.
//!     name: String,
//! }
//!
//! impl Detect for Caretaker {
//!     fn detect(&self) -> Result<Report> {
//!         let noted = kv::get_value("caretaker")?;
//!         if noted.as_ref().is_some_and(|entry| entry.value == self.name) {
//!             return Ok(Report::compliant("the caretaker is noted"));
//!         }
//!         let finding = Finding::new("caretaker", "nobody has noted who looks after this machine")
//!             .severity(Severity::Warning)
//!             .remediable();
//!         Ok(Report::non_compliant("").finding(finding))
//!     }
//! }
//!
//! impl Remediate for Caretaker {
//!     fn remediate(&self, _findings: &[Finding]) -> Result<Remedy> {
//!         remit_sdk::kv_write::put_value("caretaker", &self.name, None, 0)?;
//!         Ok(Remedy::new(format!("noted {}", self.name)))
//!     }
//! }
//!
//! remit_sdk::plugin!(Caretaker: Detect + Remediate);
//!
//! // A test runs natively, against a fake host: see `testing`.
//! use remit_sdk::testing::Host;
//! use serde_json::json;
//!
//! let host = Host::new()
//!     .parameters(json!({ "name": "Ada" }))
//!     .answer(|_: &kv::GetValue| Ok(None))
//!     .answer(|_: &remit_sdk::kv_write::PutValue| Ok(Default::default()));
//! let report = host.detect::<Caretaker>()?;
//! assert_eq!(report.verdict, Verdict::NonCompliant);
//! host.remediate::<Caretaker>(&report.findings)?;
//! assert_eq!(host.calls::<remit_sdk::kv_write::PutValue>()[0].value, "Ada");
//! # Ok::<(), remit_sdk::Error>(())
//! ```
//!
//! There is one module for each host interface, generated from the contract: [`kv`], [`run`] and all others. Their functions
//! answer [`Result`], and `?` does the rest.
//!
//! # What to hold to
//!
//! A dry run yields a plan, and an enforce run that is tied to it does exactly that. So do the same in both modes: the same
//! mutators in the same order with the same arguments. Time and chance have no place in a mutator's arguments.

mod error;
pub mod human;
mod log;
mod plugin;
mod report;
pub mod run;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[allow(unreachable_pub, reason = "what this crate wraps, such as `run`, it does not show as it is")]
#[allow(clippy::all, clippy::pedantic, reason = "a generator writes what is plainest to generate")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

pub use error::{Context, Error, Result};
pub use generated::bindings::exports::msp::automation::detection::{Report, Verdict};
pub use generated::bindings::exports::msp::automation::remediation::Remedy;
pub use generated::types::{Effect, ErrorKind, Finding, Severity};
pub use generated::*;
pub use plugin::{Detect, Remediate};
pub use report::attribute;

#[doc(hidden)]
pub use plugin::{detect, remediate, schema};

/// What nearly every plugin names.
pub mod prelude {
    pub use crate::{
        Context, Detect, Effect, Error, ErrorKind, Finding, Remediate, Remedy, Report, Result, Severity, Verdict,
        debug, error, info, run, trace, warn,
    };
}
