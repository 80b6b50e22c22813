//! The Rust form of `wit/`, generated from it: the types, a struct for every function that can be granted ([`Call`]), the
//! trait that stands behind every interface (`<interface>::Backend`), and the table of capabilities ([`INTERFACES`]).
//!
//! In goes `wit/`, out come types. It holds no behaviour, does no I/O, and without its feature `wasmtime` it does not know
//! that there is WebAssembly.

pub mod bytes;
mod call;
mod context;
mod footprint;
mod interface;
mod masking;
pub mod versions;

pub use call::{Answer, Call};
#[cfg(feature = "wasmtime")]
pub use call::{Boundary, Handles};
pub use context::{Caller, Context, SecretUse, SecretWay, Undo};
pub use footprint::Footprint;
pub use interface::{Class, Interface, ScopeGrammar};
pub use masking::{Mask, Maskable};

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

impl types::Error {
    /// An error of this kind and code, with a sentence for a person.
    pub fn new(kind: types::ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), retry_after_ms: None, attributes: Vec::new() }
    }

    /// This platform lacks the interface.
    pub fn unsupported(interface: &str) -> Self {
        Self::new(types::ErrorKind::Unsupported, "platform", format!("this platform has no `{interface}`"))
    }

    /// The same error with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.push((name.to_owned(), value.into()));
        self
    }
}

impl std::fmt::Display for types::Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.kind.word(), self.code, self.message)
    }
}

impl std::error::Error for types::Error {}

impl types::Change {
    /// A change with this effect, between these states.
    pub fn new(effect: types::Effect, before: Option<String>, after: Option<String>) -> Self {
        Self { effect, before, after, attributes: Vec::new() }
    }

    /// `unchanged`, because it already was so.
    pub fn unchanged(state: Option<String>) -> Self {
        Self::new(types::Effect::Unchanged, state.clone(), state)
    }

    /// The same change with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.push((name.to_owned(), value.into()));
        self
    }
}
