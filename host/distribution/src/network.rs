//! One way to servers, for registries and for addresses: who may be reached, how long it may take, and how much may come.
//!
//! What a person typed may be anywhere. Where that one sends us on to must be public, over TLS, and is connected to at the very
//! addresses that were looked at, so that nobody can name another one in between.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::address::is_public;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use reqwest::{Client, Method, Response, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::error::Redirect;
use crate::{Error, Proxy, tls};

const AGENT: &str = concat!("remit/", env!("CARGO_PKG_VERSION"));
/// A registry sends to its storage, and that to a mirror.
const REDIRECTS_MAX: usize = 5;
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// What is shown of an answer that is an error.
const DETAIL_BYTES_MAX: usize = 300;
/// What a server has to say of what it was sent.
const POSTED_BYTES_MAX: u64 = 64 << 10;

/// How long anything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until there is a connection: a packet that was lost is sent again within 3 s.
    pub connect: Duration,
    /// Between two pieces of an answer: a registry that fetches from its storage first may take a while.
    pub stall: Duration,
    /// One request with its answer: 64 MiB at 75 KiB/s.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), stall: seconds(30), whole: seconds(15 * 60) }
    }
}

/// Whom this machine trusts: its own authorities, and those in these files (PEM).
#[derive(Clone, Debug, Default)]
pub struct Roots(pub Vec<PathBuf>);

/// What went over the wire, as HTTP: heads and bodies, without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How often something was asked.
    pub requests: u64,
    /// Bytes that were sent.
    pub sent_bytes: u64,
    /// Bytes that came.
    pub received_bytes: u64,
}

/// The way to servers. Clones are the same.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    tls: ClientConfig,
    proxy: Option<Proxy>,
    limits: Limits,
    requests: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// By origin and whether it was typed, each bound to the addresses that were looked at.
    clients: Mutex<HashMap<(String, bool), Client>>,
}

/// What a server says of what was sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The answer's code.
    pub status: u16,
    /// When it wants to be asked again, where it says so.
    pub retry_after: Option<Duration>,
    /// What it said.
    pub body: Vec<u8>,
}

/// The server that a person typed: the only one that may be in a private network, or without TLS.
#[derive(Clone, Debug)]
pub(crate) struct Home(Url);

/// What is asked.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<&'a [u8]>,
}

impl Ask<'_> {
    pub(crate) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: None }
    }
}

/// What was answered; its body is still to come.
pub(crate) struct Answer {
    network: Network,
    response: Response,
    deadline: Instant,
    url: Url,
}

impl Home {
    /// A host with its port, as it is typed. A registry on this machine is asked without TLS.
    pub(crate) fn registry(authority: &str, plain_http: bool) -> Result<Self, Error> {
        let parse = |scheme: &str| Url::parse(&format!("{scheme}://{authority}/"));
        let bad = |error: url::ParseError| Error::Source { text: authority.to_owned(), why: error.to_string() };
        let url = parse("https").map_err(bad)?;
        match plain_http || is_loopback(&url) {
            true => Ok(Self(parse("http").map_err(bad)?)),
            false => Ok(Self(url)),
        }
    }

    /// The server of an address.
    pub(crate) fn of(url: &Url, plain_http: bool) -> Result<Self, Error> {
        match url.scheme() {
            "https" => Ok(Self(url.clone())),
            "http" if plain_http || is_loopback(url) => Ok(Self(url.clone())),
            _ => Err(Error::PlainHttp { url: shown(url) }),
        }
    }

    pub(crate) fn join(&self, path: &str) -> Result<Url, Error> {
        self.0.join(path).map_err(|error| Error::Source { text: path.to_owned(), why: error.to_string() })
    }

    pub(crate) fn is_at(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }
}

impl Network {
    /// Trusting these.
    pub fn new(roots: &Roots, limits: Limits) -> Result<Self, Error> {
        Self::through(roots, limits, None)
    }

    /// The same, through a proxy. Where that is, names are looked up by it, and whoever sends us on to a name is believed as far
    /// as the proxy's own rules go.
    pub fn through(roots: &Roots, limits: Limits, proxy: Option<Proxy>) -> Result<Self, Error> {
        let mut store = RootCertStore::empty();
        // Certificates that cannot be read are left out, as every client does.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for file in &roots.0 {
            let bad = |error| Error::io(file)(std::io::Error::other(error));
            let certificates = CertificateDer::pem_file_iter(file).map_err(bad)?;
            store.add_parsable_certificates(certificates.collect::<Result<Vec<_>, _>>().map_err(bad)?);
        }
        if store.is_empty() {
            return Err(Error::NoAuthority);
        }
        let tls = tls::config(store)?;
        let (requests, sent, received) = Default::default();
        Ok(Self(Arc::new(Inner { tls, proxy, limits, requests, sent, received, clients: Mutex::default() })))
    }

    /// What went over the wire so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.0.requests.load(Ordering::Relaxed),
            sent_bytes: self.0.sent.load(Ordering::Relaxed),
            received_bytes: self.0.received.load(Ordering::Relaxed),
        }
    }

    /// Sends something to a server that a person named, and answers what that says of it.
    pub async fn post(&self, url: &Url, headers: &[(String, String)], body: &[u8]) -> Result<Posted, Error> {
        let home = Home::of(url, false)?;
        let mut ask = Ask { method: Method::POST, body: Some(body), ..Ask::get(url.clone()) };
        for (name, value) in headers {
            let bad = || Error::Header { name: name.chars().filter(|it| !it.is_control()).collect() };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            ask.headers.insert(name, value);
        }
        let mut answer = self.ask(&home, ask).await?;
        let retry_after = answer.header("retry-after").and_then(|it| it.parse().ok()).map(Duration::from_secs);
        let status = answer.status().as_u16();
        Ok(Posted { status, retry_after, body: answer.body("an answer", POSTED_BYTES_MAX).await? })
    }

    /// Asks, and follows where that leads. Whoever is not the server that was typed learns nothing of who asks.
    pub(crate) async fn ask(&self, home: &Home, mut ask: Ask<'_>) -> Result<Answer, Error> {
        let deadline = Instant::now() + self.0.limits.whole;
        let mut from = home.0.clone();
        for _ in 0..=REDIRECTS_MAX {
            if !home.is_at(&ask.url) && ask.url.scheme() != "https" {
                return Err(Error::Redirect { from: shown(&from), to: shown(&ask.url), why: Redirect::PlainHttp });
            }
            let response = self.hop(home, &from, &ask, deadline).await?;
            let Some(to) = redirected(&response, &ask)? else {
                return Ok(Answer { network: self.clone(), url: ask.url, response, deadline });
            };
            if to.origin() != ask.url.origin() {
                ask.headers.remove(AUTHORIZATION);
            }
            from = std::mem::replace(&mut ask.url, to);
        }
        Err(Error::Redirect { from: shown(&from), to: shown(&ask.url), why: Redirect::TooMany })
    }

    async fn hop(&self, home: &Home, from: &Url, ask: &Ask<'_>, deadline: Instant) -> Result<Response, Error> {
        let client = self.client(home, from, &ask.url, deadline).await?;
        let mut headers = ask.headers.clone();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        // What is hashed is what is sent.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let body_bytes = ask.body.map_or(0, <[u8]>::len);
        let line_bytes = ask.method.as_str().len() + ask.url.path().len() + ask.url.query().map_or(0, str::len);
        let counters = &*self.0;
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.sent.fetch_add((line_bytes + bytes_of(&headers) + body_bytes) as u64, Ordering::Relaxed);
        let mut request = client.request(ask.method.clone(), ask.url.clone()).headers(headers);
        if let Some(body) = ask.body {
            request = request.body(body.to_vec());
        }
        // Sending a body takes its time; the whole of it is limited, and an answer to nothing comes soon.
        let wait = if ask.body.is_some() { self.0.limits.whole } else { self.0.limits.connect + self.0.limits.stall };
        let answered = timeout_at(deadline.min(Instant::now() + wait), request.send()).await;
        let response = answered
            .map_err(|_| Error::Stalled { url: shown(&ask.url), seconds: wait.as_secs() })?
            .map_err(|source| self.unreachable(&ask.url, source))?;
        if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            && let Some(proxy) = self.proxy_before(&ask.url)
        {
            return Err(proxy.unauthorized());
        }
        counters.received.fetch_add(bytes_of(response.headers()) as u64, Ordering::Relaxed);
        Ok(response)
    }

    async fn client(&self, home: &Home, from: &Url, url: &Url, deadline: Instant) -> Result<Client, Error> {
        let of = (url.origin().ascii_serialization(), home.is_at(url));
        if let Some(client) = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&of) {
            return Ok(client.clone());
        }
        let is_home = home.is_at(url);
        let private = || Error::Redirect { from: shown(from), to: shown(url), why: Redirect::PrivateAddress };
        let builder = match self.proxy_before(url) {
            Some(proxy) if is_home || is_written_in_public(url) => Client::builder().proxy(proxy.of_client()?),
            Some(_) => return Err(private()),
            None => {
                let allowed = reachable(addresses(url, deadline).await?, is_home);
                if allowed.is_empty() {
                    return Err(private());
                }
                Client::builder().no_proxy().resolve_to_addrs(url.host_str().unwrap_or_default(), &allowed)
            }
        };
        let client = builder
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tls_backend_preconfigured(self.0.tls.clone())
            .connect_timeout(self.0.limits.connect)
            .http1_max_headers(HEADERS_MAX)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .build()
            .map_err(|source| Error::Unreachable { url: shown(url), source })?;
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.insert(of, client.clone());
        Ok(client)
    }

    fn proxy_before(&self, url: &Url) -> Option<&Proxy> {
        self.0.proxy.as_ref().filter(|proxy| proxy.stands_before(url))
    }

    fn unreachable(&self, url: &Url, source: reqwest::Error) -> Error {
        if let Some(issuer) = tls::issuer_of_untrusted(&source) {
            return Error::Untrusted { url: shown(url), issuer };
        }
        match self.proxy_before(url) {
            Some(proxy) if source.is_connect() => proxy.trouble(&source),
            _ => Error::Unreachable { url: shown(url), source: source.without_url() },
        }
    }
}

/// The addresses of a server, at its port.
async fn addresses(url: &Url, deadline: Instant) -> Result<Vec<SocketAddr>, Error> {
    let port = url.port_or_known_default().unwrap_or(443);
    let name = match url.host() {
        Some(Host::Ipv4(address)) => return Ok(vec![SocketAddr::new(address.into(), port)]),
        Some(Host::Ipv6(address)) => return Ok(vec![SocketAddr::new(address.into(), port)]),
        Some(Host::Domain(name)) => name,
        None => "",
    };
    let unresolved = |source| Error::Unresolved { host: name.to_owned(), source };
    let found = timeout_at(deadline, tokio::net::lookup_host((name, port))).await.map_err(|_| unresolved(None))?;
    let found: Vec<SocketAddr> = found.map_err(|error| unresolved(Some(error)))?.collect();
    match found.is_empty() {
        true => Err(unresolved(None)),
        false => Ok(found),
    }
}

/// Where a server may be reached: anywhere if it was typed, in public otherwise.
fn reachable(found: Vec<SocketAddr>, is_home: bool) -> Vec<SocketAddr> {
    found.into_iter().filter(|address| is_home || is_public(address.ip())).collect()
}

/// Whether an address that is written out is public. What a name stands for, only the proxy knows.
fn is_written_in_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(_)) | None => true,
    }
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Who answered, for a person.
    pub(crate) fn url(&self) -> String {
        shown(&self.url)
    }

    /// The next piece of the body.
    pub(crate) async fn piece(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Error> {
        let limits = self.network.0.limits;
        let stalled = Instant::now() + limits.stall;
        let piece = timeout_at(stalled.min(self.deadline), self.response.chunk()).await.map_err(|_| {
            let url = self.url();
            match stalled < self.deadline {
                true => Error::Stalled { url, seconds: limits.stall.as_secs() },
                false => Error::TooSlow { url, seconds: limits.whole.as_secs() },
            }
        })?;
        let piece = piece.map_err(|source| Error::Unreachable { url: self.url(), source: source.without_url() })?;
        let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        self.network.0.received.fetch_add(length, Ordering::Relaxed);
        Ok(piece)
    }

    /// The body, if it is not too large: what says so before is not read at all.
    pub(crate) async fn body(&mut self, what: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let too_large = || Error::TooLarge { what: what.to_owned(), bytes_max };
        if self.response.content_length().is_some_and(|length| length > bytes_max) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            if (body.len() + piece.as_ref().len()) as u64 > bytes_max {
                return Err(too_large());
            }
            body.extend_from_slice(piece.as_ref());
        }
        Ok(body)
    }

    /// This answer as an error, with what the server said of it.
    pub(crate) async fn refused(mut self) -> Error {
        let (url, status) = (self.url(), self.status());
        if status == StatusCode::NOT_FOUND {
            return Error::NotFound { url };
        }
        let mut said = Vec::new();
        while said.len() < DETAIL_BYTES_MAX
            && let Ok(Some(piece)) = self.piece().await
        {
            said.extend_from_slice(piece.as_ref());
        }
        let detail = detail(&said);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let registry = self.url.authority().to_owned();
                Error::Denied { registry, detail }
            }
            _ => Error::Status { url, status: status.as_u16(), detail },
        }
    }
}

/// What a server said, as one short line.
fn detail(said: &[u8]) -> String {
    let said = said.get(..DETAIL_BYTES_MAX).unwrap_or(said);
    let said = String::from_utf8_lossy(said);
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|it| !it.is_control()).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

fn redirected(response: &Response, ask: &Ask<'_>) -> Result<Option<Url>, Error> {
    let status = response.status();
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let refused = |why| Error::Redirect { from: shown(&ask.url), to: location.chars().take(200).collect(), why };
    if ask.method != Method::GET && ask.method != Method::HEAD {
        return Err(refused(Redirect::Upload));
    }
    match ask.url.join(location) {
        Ok(to) if !location.is_empty() && to.has_host() => Ok(Some(to)),
        _ => Err(refused(Redirect::NoAddress)),
    }
}

/// Without its query, which may hold somebody's key to a storage.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// Names are not asked for: what is this machine is written as such.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn bytes_of(headers: &HeaderMap) -> usize {
    // `: ` and the end of the line.
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_typed_may_be_private_or_without_tls() {
        let scheme = |authority, plain| Home::registry(authority, plain).unwrap().0.scheme().to_owned();
        assert_eq!(scheme("127.0.0.1:5000", false), "http");
        assert_eq!(scheme("localhost:5000", false), "http");
        assert_eq!(scheme("[::1]:5000", false), "http");
        assert_eq!(scheme("10.0.0.1:5000", false), "https");
        assert_eq!(scheme("registry.example", false), "https");
        assert_eq!(scheme("localhost.example", false), "https");
        assert_eq!(scheme("10.0.0.1:5000", true), "http");
        let of = |text: &str, plain| Home::of(&Url::parse(text).unwrap(), plain).is_ok();
        assert!(
            of("https://example.com/a", false) && of("http://127.0.0.1/a", false) && of("http://a.example/a", true)
        );
        assert!(!of("http://a.example/a", false) && !of("ftp://a.example/a", true));
        let (public, private) = ("1.1.1.1:443".parse().unwrap(), "169.254.169.254:443".parse().unwrap());
        assert_eq!(reachable(vec![private, public], false), [public]);
        assert_eq!(reachable(vec![private, public], true), [private, public]);
    }

    #[test]
    fn no_key_is_shown() {
        let url = Url::parse("https://me:secret@storage.example/blob?signature=secret").unwrap();
        assert_eq!(shown(&url), "https://storage.example/blob");
    }
}
