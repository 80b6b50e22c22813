//! Runs scripts: a plugin with every import of the contract, whose code the host hands over as data.
//!
//! The interfaces are generated from `wit/` (`build.rs`). The engine is started when the runtime is built, and every run begins
//! with a copy of what that left.

mod convert;
mod engine;
mod failure;
mod modules;
mod node;

#[allow(missing_docs, unsafe_code, unreachable_pub, unused, clippy::all)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

#[allow(clippy::all)]
mod generated {
    use crate::node::{Arguments, Fields, FromNode, Node, ToNode, Wrong};
    use crate::{Fault, Interface};
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

use std::cell::RefCell;

use bindings::exports::msp::automation::detection::Report;
use bindings::exports::msp::automation::remediation::Remedy;
use bindings::exports::msp::automation::{detection, parameters, remediation};
use bindings::msp::automation::{run, types};
use bindings::remit::script::source;
use engine::QuickJs;
use failure::Thrown;
use generated::INTERFACES;
use node::{FromNode, Node, ToNode, Wrong};

/// What interfaces are imported by, before their name.
pub(crate) const PREFIX: &str = "msp:automation/";

/// An interface that a script can import.
pub(crate) struct Interface {
    /// Its name in the contract.
    pub(crate) name: &'static str,
    /// Its functions.
    pub(crate) functions: &'static [Function],
}

/// The interface of a module specifier.
pub(crate) fn interface(specifier: &str) -> Option<&'static Interface> {
    let name = specifier.strip_prefix(PREFIX)?;
    INTERFACES.iter().find(|interface| interface.name == name)
}

/// A function of the host.
pub(crate) struct Function {
    /// Its name in JavaScript.
    pub(crate) name: &'static str,
    /// How many parameters it has.
    pub(crate) length: usize,
    /// Calls it.
    pub(crate) call: fn(Vec<Node>) -> Result<Node, Fault>,
}

/// Why a call of the host gave no answer.
pub(crate) enum Fault {
    /// The argument has not the type that it should have: a `TypeError`.
    Argument(Wrong),
    /// The host said no: a `HostError`.
    Refused(types::Error),
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Self {
        Self::Argument(wrong)
    }
}

thread_local! {
    static ENGINE: RefCell<Option<QuickJs>> = const { RefCell::new(None) };
}

/// The component.
struct Runtime;

impl Runtime {
    fn call<T: FromNode>(export: &str, arguments: Vec<Node>) -> Result<T, types::Error> {
        let script = source::load();
        let answer = ENGINE.with_borrow_mut(|engine| {
            engine.get_or_insert_with(QuickJs::start).call(&script, export, arguments)
        });
        T::from_node(answer?).map_err(|wrong| Thrown::answer(export, &wrong, &script.name).into())
    }
}

impl detection::Guest for Runtime {
    fn detect() -> Result<Report, types::Error> {
        Self::call("detect", vec![])
    }
}

impl remediation::Guest for Runtime {
    fn remediate(findings: Vec<types::Finding>) -> Result<Remedy, types::Error> {
        Self::call("remediate", vec![findings.to_node()])
    }
}

impl parameters::Guest for Runtime {
    /// The manifest of a script holds the schema: nobody asks here.
    fn get_schema() -> String {
        "{}".to_owned()
    }
}

impl bindings::Guest for Runtime {
    fn initialize() {
        ENGINE.with_borrow_mut(|engine| {
            engine.get_or_insert_with(QuickJs::start);
        });
    }
}

bindings::export!(Runtime with_types_in bindings);

/// A line for the run's log.
pub(crate) fn log(level: &str, text: &str) {
    let level = match level {
        "trace" => run::LogLevel::Trace,
        "debug" => run::LogLevel::Debug,
        "warn" => run::LogLevel::Warn,
        "error" => run::LogLevel::Error,
        _ => run::LogLevel::Info,
    };
    run::log(level, text, &[]);
}

/// The host's clock.
pub(crate) fn now_ms() -> u64 {
    run::now()
}
