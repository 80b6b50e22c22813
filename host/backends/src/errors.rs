//! The errors that every interface has, in the same words everywhere.

use contract::types::{Error, ErrorKind};

/// The named thing is not there.
pub fn not_found(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::NotFound, "not-found", message)
}

/// The thing is not as the call assumed.
pub fn conflict(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, code, message)
}

/// An argument is malformed or outside its limit.
pub fn invalid(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, code, message)
}

/// Something else holds it for now.
pub fn busy(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Busy, code, message)
}

/// There is room for no more.
pub fn limit(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Limit, code, message)
}

/// A grant, a scope or a rule of the host forbids it.
pub fn denied(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Denied, code, message)
}

/// This platform, or this machine, has no such thing.
pub fn unsupported(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, code, message)
}

/// It was tried, and failed.
pub fn failed(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Failed, code, message)
}

/// Something that is needed cannot be reached.
pub fn unavailable(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, code, message)
}

/// What the operating system said, with its number as the code.
pub fn io(what: &str, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::AlreadyExists => ErrorKind::Conflict,
        std::io::ErrorKind::Unsupported => ErrorKind::Unsupported,
        _ => ErrorKind::Failed,
    };
    let code = error.raw_os_error().map_or_else(|| "io".to_owned(), |number| format!("errno-{number}"));
    Error::new(kind, &code, format!("{what}: {error}"))
}

/// The device's own memory failed.
pub fn store(error: &store::Error) -> Error {
    failed("store", error.to_string())
}
