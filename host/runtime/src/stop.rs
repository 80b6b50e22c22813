//! Why a guest was stopped: by the host, by a trap, or by itself.

use contract::types::{Error, ErrorKind};
use model::Outcome;
use model::limits::LIMITS;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

/// The host ends a guest with this error, which wasmtime hands through.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Stopped {
    /// Wall time is up.
    #[error("wall time ran out")]
    Timeout,
    /// Somebody cancelled the run.
    #[error("the run was cancelled")]
    Cancelled,
    /// A limit of the run, by its name.
    #[error("the run went over its limit `{0}`")]
    Limit(&'static str),
    /// The host could not do its work: the record could not be written.
    #[error("{0}")]
    Host(String),
    /// A replay went another way than its record.
    #[error("{0}")]
    Diverged(String),
}

/// How a phase ended that gave no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
    pub(crate) error: Option<Error>,
}

impl End {
    pub(crate) fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), error: None }
    }

    /// The plugin gave up with an error of its own.
    pub(crate) fn gave_up(error: Error) -> Self {
        let outcome = match error.kind {
            ErrorKind::Denied => Outcome::Denied,
            ErrorKind::Limit => Outcome::Limit,
            // The time of a call and of an exchange are limits of the run; a time-out that the plugin chose is not.
            ErrorKind::Timeout if LIMITS.iter().any(|limit| limit.name == error.code) => Outcome::Limit,
            ErrorKind::Cancelled => Outcome::Cancelled,
            _ => Outcome::PluginError,
        };
        let detail = match outcome {
            Outcome::Limit => error.code.clone(),
            _ => error.to_string(),
        };
        Self { outcome, detail, error: Some(error) }
    }

    /// What wasmtime said when it stopped the guest.
    pub(crate) fn of(error: &wasmtime::Error) -> Self {
        if let Some(stopped) = error.downcast_ref::<Stopped>() {
            return stopped.clone().into();
        }
        if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            let detail = format!("it exited with status {}; a plugin answers, and does not exit", exit.0);
            return Self::new(Outcome::PluginError, detail);
        }
        if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
            return Self::new(Outcome::Limit, "wasi-resources");
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Self::new(Outcome::Limit, "stack-bytes"),
            Some(trap) => Self::new(Outcome::Trap, trap.to_string()),
            None => Self::of_text(error),
        }
    }

    /// wasmtime has no type for these; a guest for each keeps the words right.
    fn of_text(error: &wasmtime::Error) -> Self {
        let chain = format!("{error:#}");
        if chain.contains("fuel allocated for hostcalls has been exhausted") {
            return Self::new(Outcome::Limit, "call-bytes");
        }
        if chain.contains("requested len") && chain.contains("exceeds limit") {
            return Self::new(Outcome::Limit, "random-bytes");
        }
        if chain.contains("resource limit exceeded: instance count too high")
            || chain.contains("resource limit exceeded: table count too high")
            || chain.contains("resource limit exceeded: memory count too high")
        {
            return Self::new(Outcome::Limit, "instances");
        }
        Self::new(Outcome::Trap, chain)
    }
}

impl From<Stopped> for End {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Timeout => Self::new(Outcome::Timeout, "wall-ms"),
            Stopped::Cancelled => Self::new(Outcome::Cancelled, ""),
            Stopped::Limit(name) => Self::new(Outcome::Limit, name),
            Stopped::Host(message) | Stopped::Diverged(message) => Self::new(Outcome::HostError, message),
        }
    }
}
