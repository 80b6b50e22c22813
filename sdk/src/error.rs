use std::any::Any;
use std::fmt;
use std::ops::Deref;

use crate::types::{self, ErrorKind};

/// What the functions of the host and of plugins answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed: what a host call answered, or any error of the standard library's kind, by `?`.
///
/// It shows its fields: [`kind`](types::Error::kind) says how to react, [`code`](types::Error::code) which error it is.
///
/// ```
/// use remit_sdk::prelude::*;
///
/// fn days(text: &str) -> Result<u32> {
///     Ok(text.trim().parse()?)
/// }
///
/// assert_eq!(days("7")?, 7);
/// let error = days("a week").context("the note on this machine").unwrap_err();
/// assert_eq!(error.kind, ErrorKind::Other);
/// assert_eq!(error.message, "the note on this machine: invalid digit found in string");
/// # Ok::<(), Error>(())
/// ```
// Boxed, because a result is moved far more often than it fails.
pub struct Error(Box<types::Error>);

/// The most bytes of a message in the contract.
const MESSAGE_BYTES_MAX: usize = 1 << 10;

impl Error {
    /// An error of the plugin's own: a stable lower-case word, and a sentence for a person.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Other, code, message)
    }

    /// An error of this kind, as the host would answer it.
    pub fn of_kind(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        let error = types::Error { kind, code: code.to_owned(), message: message.into(), ..Default::default() };
        Self(Box::new(error))
    }

    /// The same error, and what was being done.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// The same error with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.attributes.push((name.to_owned(), value.into()));
        self
    }

    /// As the contract has it.
    pub fn into_contract(mut self) -> types::Error {
        crate::report::cut(&mut self.0.message, MESSAGE_BYTES_MAX);
        *self.0
    }
}

/// Any error of the standard library's kind becomes one of kind `other`; what the host answered stays what it is.
impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        if let Some(error) = (&error as &dyn Any).downcast_ref::<types::Error>() {
            return Self(Box::new(error.clone()));
        }
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self::new("plugin", message)
    }
}

impl Deref for Error {
    type Target = types::Error;

    fn deref(&self) -> &types::Error {
        &self.0
    }
}

impl Clone for Error {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.kind, self.code, self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// The same, and where it failed, what was being done.
    fn context(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(doing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_answered_stays_what_it_is() {
        let answered = types::Error {
            kind: ErrorKind::Denied,
            code: "scope".into(),
            message: "not granted".into(),
            retry_after_ms: Some(5),
            ..Default::default()
        };
        let error = Err::<(), _>(answered.clone()).context("reading").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(error.to_string(), "denied (scope): reading: not granted");
        assert_eq!(error.into_contract().retry_after_ms, answered.retry_after_ms);
    }

    #[test]
    fn a_message_that_is_too_long_for_the_contract_is_cut() {
        let error = Error::new("long", "ä".repeat(MESSAGE_BYTES_MAX)).into_contract();
        assert!(error.message.len() <= MESSAGE_BYTES_MAX && error.message.ends_with('…'), "{}", error.message.len());
    }
}
