//! `http`, `http-write`: requests to servers, as whole as they are recorded. [`Http`] holds what is true of every request (scope,
//! redirects, secrets, limits); a `Transport` takes one hop: over the network, or out of a fixture.
//!
//! A name is resolved once a hop, its addresses are checked against the scope, and the connection goes to one of those and to
//! nothing else. Nothing is shared between two requests: no connection, no session, no cookie, no proxy of the environment.

mod authorization;
mod certificates;
mod errors;
mod exchange;
mod memory;
mod network;
mod overlay;
mod request;
mod resolve;
mod tls;

pub use exchange::Http;
pub use memory::{Fixture, FixtureAnswer, FixtureCertificate, FixtureChain};
pub use overlay::Overlay;
pub use resolve::{Resolve, SystemResolver};
pub use tls::Roots;

use std::net::SocketAddr;
use std::path::PathBuf;

use contract::http::ServerChain;
use contract::types::Error;
use model::Scope;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

/// The most headers of a request and of an answer.
const HEADERS_MAX: usize = 64;
/// The most bytes of all headers of an answer, names and values.
const ANSWER_HEADER_BYTES_MAX: usize = 64 << 10;
/// The most bytes of a header's value in a request.
const HEADER_BYTES_MAX: usize = 8 << 10;
/// The most bytes that are sent in a body.
const SENT_BYTES_MAX: usize = 1 << 20;
/// The most redirects that a request may ask to be followed.
const REDIRECTS_MAX: u32 = 5;
/// The most addresses of a name that are tried.
const ADDRESSES_MAX: usize = 16;
/// The most certificates of a chain.
const CERTIFICATES_MAX: usize = 10;

/// `[http]` in host policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// Files with certificates (PEM) that are trusted beside the machine's own: an inspecting proxy, an internal authority.
    pub trust: Vec<PathBuf>,
}

/// One request to one server.
pub(super) struct Hop<'a> {
    method: &'a Method,
    url: &'a Url,
    headers: HeaderMap,
    body: &'a [u8],
    /// Which addresses may be reached.
    scope: &'a Scope,
    body_bytes_max: usize,
}

/// What one server answered.
pub(super) struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    /// Decoded, and cut at the limit.
    body: Vec<u8>,
    truncated: bool,
    /// Such as `HTTP/2.0`.
    version: String,
    /// Such as `1.3`; none without TLS.
    tls_version: Option<&'static str>,
    address: Option<SocketAddr>,
}

/// Takes a request to a server. It reaches no address that the scope does not allow, and follows no redirect.
#[async_trait::async_trait]
pub(super) trait Transport: Send + Sync {
    async fn send(&self, hop: &Hop<'_>) -> Result<Answered, Error>;
    async fn certificates(&self, url: &Url, scope: &Scope) -> Result<ServerChain, Error>;
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod server;
