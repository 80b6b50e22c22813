use std::time::{Duration, Instant};

use contract::Context;
use contract::types::{Attributes, Error, HttpRequest};
use model::origin;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::errors;

use super::{HEADER_BYTES_MAX, HEADERS_MAX, REDIRECTS_MAX};

/// Headers that belong to the host: they steer the connection, carry authorisation, or (`accept-encoding`) would have the answer
/// come in a form that nobody decodes and so nobody masks.
const FORBIDDEN: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request whose every part is in order.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) timeout_ms: u64,
    pub(super) body_bytes_max: usize,
    pub(super) redirects_max: u32,
}

impl Checked {
    pub(super) fn new(cx: &Context, request: &HttpRequest) -> Result<Self, Error> {
        let url = url(&request.url)?;
        let headers = headers(&request.headers)?;
        let timeout_ms = timeout_ms(cx, request.timeout_ms)?;
        let most = usize::try_from(cx.http_body_bytes).unwrap_or(usize::MAX);
        let mut checked = Self { url, headers, timeout_ms, body_bytes_max: most, redirects_max: 0 };
        checked.take_options(&request.attributes)?;
        Ok(checked)
    }

    fn take_options(&mut self, attributes: &Attributes) -> Result<(), Error> {
        for (name, value) in attributes {
            let number = value.parse::<u32>().ok();
            match (name.as_str(), number) {
                ("max-body-bytes", Some(bytes)) => {
                    self.body_bytes_max = self.body_bytes_max.min(usize::try_from(bytes).unwrap_or(usize::MAX));
                }
                ("max-redirects", Some(redirects @ ..=REDIRECTS_MAX)) => self.redirects_max = redirects,
                ("max-redirects", _) => {
                    return Err(errors::invalid("max-redirects", format!("`max-redirects` is 0 to {REDIRECTS_MAX}")));
                }
                ("max-body-bytes", None) => {
                    return Err(errors::invalid("max-body-bytes", "`max-body-bytes` is a number of bytes"));
                }
                _ => return Err(errors::invalid("unknown-attribute", format!("no option is called `{name}`"))),
            }
        }
        Ok(())
    }
}

/// The URL, if every reader reads it alike.
pub(super) fn url(text: &str) -> Result<Url, Error> {
    origin::parse_url(text).map_err(|error| errors::invalid("url", error.to_string()))
}

/// The time that is asked for: 0 is all that there is, and more than that is not to be had.
pub(super) fn timeout_ms(cx: &Context, timeout_ms: u32) -> Result<u64, Error> {
    match u64::from(timeout_ms) {
        0 => Ok(cx.http_ms),
        asked if asked <= cx.http_ms => Ok(asked),
        asked => {
            let message = format!("`timeout-ms` is {asked}, and the run's limit `http-ms` {}", cx.http_ms);
            Err(errors::invalid("timeout", message))
        }
    }
}

/// When the call must be done: its own time, and never later than the gate gives up.
pub(super) fn deadline(cx: &Context, timeout_ms: u64) -> Instant {
    cx.deadline.min(Instant::now() + Duration::from_millis(timeout_ms))
}

fn headers(given: &[(String, String)]) -> Result<HeaderMap, Error> {
    if given.len() > HEADERS_MAX {
        return Err(errors::invalid("headers", format!("a request has at most {HEADERS_MAX} headers")));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let bad = || errors::invalid("headers", format!("the header `{}` is malformed", name.escape_debug()));
        let name = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
        if FORBIDDEN.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            return Err(errors::invalid("headers", format!("the header `{name}` is the host's to set")));
        }
        if value.len() > HEADER_BYTES_MAX {
            return Err(errors::invalid("headers", format!("`{name}` has more than {HEADER_BYTES_MAX} bytes")));
        }
        headers.append(name, HeaderValue::try_from(value.as_str()).map_err(|_| bad())?);
    }
    Ok(headers)
}
