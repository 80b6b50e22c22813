//! What goes wrong on the way to a server, in the words of the contract.

use std::time::Instant;

use contract::Context;
use contract::types::{Error, ErrorKind};

use crate::errors;

pub(super) fn denied(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Denied, code, message)
}

/// Names whose time ran out: the call's, the run's limit on an exchange, or what the plugin itself allowed.
pub(super) fn timeout(cx: &Context, timeout_ms: u64) -> Error {
    if cx.deadline <= Instant::now() {
        return Error::new(ErrorKind::Timeout, "call-ms", "the time for this call ran out");
    }
    let code = if timeout_ms == cx.http_ms { "http-ms" } else { "http-timeout" };
    Error::new(ErrorKind::Timeout, code, format!("no whole answer within {timeout_ms} ms"))
}

pub(super) fn tls(error: &rustls::Error) -> Error {
    errors::unavailable("tls", format!("no trusted connection: {error}"))
}

pub(super) fn too_many_headers() -> Error {
    Error::new(ErrorKind::Limit, "response-headers", "the answer has too many headers, or too long ones")
}

/// What reqwest says, with the whole chain of reasons and without the URL, which may carry what nobody else should read.
pub(super) fn request(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let reasons = reasons(&error);
    if let Some(tls_error) = find::<rustls::Error>(&error) {
        return tls(tls_error);
    }
    if reasons.contains("message head is too large") {
        return too_many_headers();
    }
    match () {
        () if error.is_timeout() => Error::new(ErrorKind::Timeout, "http-timeout", reasons),
        () if error.is_connect() => errors::unavailable("connect", reasons),
        () if error.is_decode() => errors::failed("http-encoding", reasons),
        () => errors::failed("http-protocol", reasons),
    }
}

fn reasons(error: &dyn std::error::Error) -> String {
    let mut reasons = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let reason = error.to_string();
        if !reasons.ends_with(&reason) {
            reasons.push_str(": ");
            reasons.push_str(&reason);
        }
        source = error.source();
    }
    reasons
}

/// The first error of this type in a chain. An `io::Error` hides what it is made of from `source`.
fn find<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let found = error.downcast_ref::<T>().or_else(|| inner.and_then(|inner| find::<T>(inner)));
        if found.is_some() {
            return found;
        }
        next = error.source();
    }
    None
}
