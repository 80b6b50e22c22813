use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::http::{ServerCertificate, ServerChain};
use contract::types::Error;
use model::{Digest, Scope};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::errors;

use super::resolve::{Resolve, vetted};
use super::{Answered, Hop, Transport};

/// What a host of a fixture resolves to that says nothing else: nobody is asked, so any will do.
const SOME_PUBLIC_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));

/// The servers of a device in memory: `[[http.answers]]` and `[http.chains."https://host"]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fixture {
    /// What is answered. Several for one method and URL are given one after the other, the last one again and again.
    #[serde(default)]
    pub answers: Vec<FixtureAnswer>,
    /// What servers show, by URL; only scheme, host and port count.
    #[serde(default)]
    pub chains: BTreeMap<String, FixtureChain>,
    /// The addresses of hosts; a host that is not listed has a public one.
    #[serde(default)]
    pub addresses: BTreeMap<String, IpAddr>,
}

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureAnswer {
    /// `GET` if left out; `HEAD` is answered as `GET`, without a body.
    #[serde(default = "get")]
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// 200 if left out.
    #[serde(default = "ok")]
    pub status: u16,
    /// Names and values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// Whether a request without `Authorization` is answered with 401 instead.
    #[serde(default)]
    pub needs_authorization: bool,
}

/// A server's chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureChain {
    /// The server's own first.
    pub certificates: Vec<FixtureCertificate>,
    /// Why it is not trusted; empty where it is.
    #[serde(default)]
    pub problem: String,
}

/// A certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureCertificate {
    /// Subject's common name.
    pub common_name: String,
    /// Issuer's.
    pub issuer: String,
    /// What it is for.
    #[serde(default)]
    pub alternative_names: Vec<String>,
    /// Valid from.
    #[serde(default)]
    pub valid_from_ms: u64,
    /// Valid to.
    pub valid_to_ms: u64,
}

fn get() -> String {
    "GET".to_owned()
}

fn ok() -> u16 {
    200
}

/// A fixture that is ready to answer.
pub(super) struct Memory {
    /// By method and URL, with how many were given.
    answers: BTreeMap<(String, String), (Vec<FixtureAnswer>, AtomicUsize)>,
    /// By origin.
    chains: BTreeMap<String, FixtureChain>,
    addresses: Addresses,
}

impl Memory {
    pub(super) fn new(fixture: &Fixture) -> Self {
        let mut answers: BTreeMap<_, (Vec<FixtureAnswer>, AtomicUsize)> = BTreeMap::new();
        for answer in &fixture.answers {
            let key = (answer.method.clone(), canonical(&answer.url, Url::to_string));
            answers.entry(key).or_default().0.push(answer.clone());
        }
        let chains = fixture.chains.iter().map(|(url, chain)| (canonical(url, origin), chain.clone())).collect();
        Self { answers, chains, addresses: Addresses(fixture.addresses.clone()) }
    }

    fn answer(&self, method: &str, url: &Url) -> Result<&FixtureAnswer, Error> {
        // What is asked by HEAD is what GET would give.
        let method = if method == "HEAD" { "GET" } else { method };
        let known = self.answers.get(&(method.to_owned(), url.to_string()));
        let answer = known.and_then(|(answers, given)| {
            let next = given.fetch_add(1, Ordering::Relaxed);
            answers.get(next.min(answers.len() - 1))
        });
        answer.ok_or_else(|| errors::unavailable("connect", format!("the fixture has no answer to {method} {url}")))
    }
}

fn canonical(url: &str, form: impl Fn(&Url) -> String) -> String {
    model::origin::parse_url(url).as_ref().map_or_else(|_| url.to_owned(), form)
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

struct Addresses(BTreeMap<String, IpAddr>);

#[async_trait::async_trait]
impl Resolve for Addresses {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![self.0.get(host).copied().unwrap_or(SOME_PUBLIC_ADDRESS)])
    }
}

#[async_trait::async_trait]
impl Transport for Memory {
    async fn send(&self, hop: &Hop<'_>) -> Result<Answered, Error> {
        let addresses = vetted(&self.addresses, hop.scope, hop.url).await?;
        let answer = self.answer(hop.method.as_str(), hop.url)?;
        let is_let_in = !answer.needs_authorization || hop.headers.contains_key(AUTHORIZATION);
        let (status, body) = match is_let_in {
            true => (answer.status, answer.body.as_bytes()),
            false => (401, &b""[..]),
        };
        let body = if hop.method == reqwest::Method::HEAD { b"" } else { body };
        let mut headers = HeaderMap::new();
        for (name, value) in answer.headers.iter().filter(|_| is_let_in) {
            let bad = || errors::failed("fixture", format!("the header `{name}` of the fixture is malformed"));
            let header = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
            headers.append(header, HeaderValue::try_from(value.as_str()).map_err(|_| bad())?);
        }
        Ok(Answered {
            status: StatusCode::from_u16(status)
                .map_err(|_| errors::failed("fixture", format!("{status} is no status")))?,
            headers,
            body: body.iter().take(hop.body_bytes_max).copied().collect(),
            truncated: body.len() > hop.body_bytes_max,
            version: "HTTP/1.1".to_owned(),
            tls_version: (hop.url.scheme() == "https").then_some("1.3"),
            address: addresses.first().copied(),
        })
    }

    async fn certificates(&self, url: &Url, scope: &Scope) -> Result<ServerChain, Error> {
        let addresses = vetted(&self.addresses, scope, url).await?;
        let chain = self.chains.get(&origin(url));
        let chain =
            chain.ok_or_else(|| errors::unavailable("connect", format!("the fixture has no chain for {url}")))?;
        let address = addresses.first().map(|address| ("remote-address".to_owned(), address.to_string()));
        Ok(ServerChain {
            certificates: chain.certificates.iter().map(certificate).collect(),
            problem: chain.problem.clone(),
            attributes: address.into_iter().chain([("tls-version".to_owned(), "1.3".to_owned())]).collect(),
        })
    }
}

fn certificate(fixture: &FixtureCertificate) -> ServerCertificate {
    ServerCertificate {
        common_name: fixture.common_name.clone(),
        issuer: fixture.issuer.clone(),
        alternative_names: fixture.alternative_names.clone(),
        valid_from_ms: fixture.valid_from_ms,
        valid_to_ms: fixture.valid_to_ms,
        sha256: Digest::of(format!("{fixture:?}").as_bytes()).hex(),
        attributes: Vec::new(),
    }
}
