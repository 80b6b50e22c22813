use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use distribution::Proxy;
use model::Digest;
use reqwest::Client;
use rustls::ClientConfig;
use url::Url;

use super::ask::{Ask, Reply};
use super::pin::{Pinned, stranger};
use crate::Trouble;
use crate::proof::Prover;

/// Until there is a connection: a packet that was lost is sent again within 3 s.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// A connection that nobody uses: the hub ends it after 20 s, and who asks then meets the end of it.
const IDLE_MAX: Duration = Duration::from_secs(15);

const HEADERS_MAX: usize = 64;

/// The most authorities: the one that goes and the one that comes, and some.
const PINS_MAX: usize = 8;

/// The way to a hub. Clones are the same, and share connections.
#[derive(Clone)]
pub struct Way {
    pub(super) client: Client,
    origin: Url,
    pins: Arc<Pinned>,
    proxy: Option<Proxy>,
}

/// A request of whoever is no device, and knows what its answer means.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`, and so on.
    pub method: Method,
    /// The path, with its query.
    pub target: &'a str,
    /// All of its body.
    pub body: Bytes,
    /// The most bytes of its answer.
    pub answer_bytes_max: usize,
    /// So long the hub may take before it answers, beyond what every request may.
    pub patience: Duration,
}

/// No way to a hub.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// Nobody is asked without TLS, and what is asked is ours to say.
    #[error("`{0}` is not the address of a hub: expected `https://HOST` or `https://HOST:PORT`")]
    Address(String),
    /// Of nobody, the hub would be whoever answers.
    #[error("expected 1 to {PINS_MAX} authorities of the hub")]
    Pins,
    /// The proxy cannot be used so.
    #[error(transparent)]
    Proxy(#[from] distribution::Error),
    /// What TLS stands on.
    #[error("TLS")]
    Tls(#[from] rustls::Error),
    /// What HTTP stands on.
    #[error("HTTP")]
    Http(#[from] reqwest::Error),
}

impl Way {
    /// To this address, where a certificate answers that one of these authorities issued: digests of their certificates, the
    /// newest first. Whom the machine trusts otherwise does not count.
    pub fn new(address: &Url, authorities: &[Digest], proxy: Option<&Proxy>) -> Result<Self, WayError> {
        let is_bare = address.path() == "/" && address.query().is_none() && address.fragment().is_none();
        if address.scheme() != "https" || !address.has_host() || !is_bare || !address.username().is_empty() {
            return Err(WayError::Address(address.to_string()));
        }
        if authorities.is_empty() || authorities.len() > PINS_MAX {
            return Err(WayError::Pins);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pins = Arc::new(Pinned::new(authorities, &provider));
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&pins) as Arc<_>)
            .with_no_client_auth();
        // A socket begins as a request of HTTP/1.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let builder = match proxy.map(|proxy| proxy.before(address)).transpose()?.flatten() {
            Some(proxy) => Client::builder().proxy(proxy),
            None => Client::builder().no_proxy(),
        };
        let client = builder
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_TIME_MAX)
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(2)
            .http1_only()
            .http1_max_headers(HEADERS_MAX)
            .build()?;
        Ok(Self { client, origin: address.clone(), pins, proxy: proxy.cloned() })
    }

    pub(super) fn url(&self, target: &str) -> Result<Url, Trouble> {
        self.origin.join(target).map_err(|error| Trouble::Garbled { why: error.to_string() })
    }

    /// Asks, proved by a session where there is one. What was answered is not looked at.
    pub async fn ask(&self, request: Request<'_>, prover: Option<&Prover>) -> Result<Reply, Trouble> {
        let Request { method, target, body, answer_bytes_max: most, patience } = request;
        let ask = Ask { method, target, has: None, body, most, patience };
        let response = ask.send(self, prover, HeaderMap::new()).await?;
        Reply::of(self, response, most).await
    }

    /// What the hub is called: by the authority that it was last met with, or the newest.
    pub fn hub(&self) -> Digest {
        self.pins.met()
    }

    /// Whether it is not yet known which of several authorities it is: whatever is asked first finds out.
    pub fn is_unsure(&self) -> bool {
        self.pins.is_unsure()
    }

    /// What a request came to that was not answered.
    pub(super) fn trouble(&self, error: reqwest::Error) -> Trouble {
        if let Some(why) = stranger(&error) {
            return Trouble::Stranger { why };
        }
        let through = self.proxy.as_ref().filter(|proxy| matches!(proxy.before(&self.origin), Ok(Some(_))));
        let why = match through {
            Some(proxy) if error.is_connect() => proxy.trouble(&error).to_string(),
            _ => innermost(&error),
        };
        Trouble::Unreachable { why }
    }
}

/// What happened, without what it happened to.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut last: &dyn std::error::Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string().chars().filter(|it| !it.is_control()).take(200).collect()
}
