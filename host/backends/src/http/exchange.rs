use std::sync::Arc;
use std::time::Instant;

use contract::http::{Get, GetCertificates, Head, ServerChain};
use contract::http_write::{Send, Sent};
use contract::types::{Change, Effect, Error, ErrorKind, HttpRequest, HttpResponse};
use contract::{Context, ScopeGrammar, SecretUse, http, http_write};
use model::{Clock, Scope, origin};
use reqwest::Method;
use reqwest::header::LOCATION;
use url::Url;

use crate::errors;
use crate::secrets::Redeem;

use super::authorization::authorize;
use super::errors::{denied, timeout};
use super::memory::{Fixture, Memory};
use super::network::Network;
use super::request::{self, Checked};
use super::{Answered, Hop, Resolve, Roots, SENT_BYTES_MAX, Transport};

/// What is true of every request, whatever takes it there: it stays in its scope, its secrets stay with whom they are for, and
/// its answer stays within its limits.
pub struct Http {
    transport: Box<dyn Transport>,
    secrets: Arc<dyn Redeem>,
}

impl Http {
    /// Over the network.
    pub fn new(roots: Roots, resolver: Arc<dyn Resolve>, secrets: Arc<dyn Redeem>, clock: Arc<dyn Clock>) -> Self {
        Self { transport: Box::new(Network::new(roots, resolver, clock)), secrets }
    }

    /// The twin: answers out of a fixture.
    pub fn in_memory(fixture: &Fixture, secrets: Arc<dyn Redeem>) -> Self {
        Self { transport: Box::new(Memory::new(fixture)), secrets }
    }

    async fn read(
        &self,
        cx: &Context,
        method: Method,
        request: &HttpRequest,
        authorization: Option<&SecretUse>,
    ) -> Result<HttpResponse, Error> {
        let checked = Checked::new(cx, request)?;
        let scope = scope(cx, ScopeGrammar::Origins)?;
        let exchange = Exchange { http: self, method, body: &[], scope, names_method: false, authorization, checked };
        exchange.run(cx).await
    }
}

/// Every request is a line of its own to whom it concerns: nothing of it is kept for the next.
struct Exchange<'a> {
    http: &'a Http,
    method: Method,
    body: &'a [u8],
    scope: Scope,
    /// Whether the scope's entries have the method before the origin.
    names_method: bool,
    authorization: Option<&'a SecretUse>,
    checked: Checked,
}

impl Exchange<'_> {
    async fn run(self, cx: &Context) -> Result<HttpResponse, Error> {
        let started = Instant::now();
        let timeout_ms = self.checked.timeout_ms;
        let masker = Arc::clone(self.http.secrets.masker());
        let (mut answered, url) = within(cx, timeout_ms, self.follow()).await?;
        if answered.truncated {
            // The gate masks what is whole; only here is it known that this is not.
            masker.mask_cut(&mut answered.body);
        }
        Ok(response(answered, &url, started))
    }

    fn allows(&self, url: &Url) -> bool {
        match self.names_method {
            true => self.scope.allows(&format!("{} {url}", self.method)),
            false => self.scope.allows(url.as_str()),
        }
    }

    /// Takes one hop after the other. Each is checked as the first was.
    async fn follow(self) -> Result<(Answered, Url), Error> {
        let mut url = self.checked.url.clone();
        let mut authorization = self.authorization;
        let mut redirects = 0;
        if !self.allows(&url) {
            return Err(denied("scope", "the URL is outside the scope"));
        }
        loop {
            let mut headers = self.checked.headers.clone();
            if let Some(secret) = authorization {
                authorize(&*self.http.secrets, secret, &url, &mut headers)?;
            }
            let hop = Hop {
                method: &self.method,
                url: &url,
                headers,
                body: self.body,
                scope: &self.scope,
                body_bytes_max: self.checked.body_bytes_max,
            };
            let answered = self.http.transport.send(&hop).await?;
            let Some(next) = redirect(&answered, &url)?.filter(|_| redirects < self.checked.redirects_max) else {
                return Ok((answered, url));
            };
            if !self.allows(&next) {
                let message = "the server sends us to where the scope does not allow to go";
                return Err(denied("redirect", message).with("location", next.origin().ascii_serialization()));
            }
            // Once it has left its origin it does not come back: the way there was chosen by somebody else.
            authorization = authorization.filter(|_| next.origin() == url.origin());
            url = next;
            redirects += 1;
        }
    }
}

/// Where an answer sends us.
fn redirect(answered: &Answered, url: &Url) -> Result<Option<Url>, Error> {
    if ![301, 302, 303, 307, 308].contains(&answered.status.as_u16()) {
        return Ok(None);
    }
    let Some(location) = answered.headers.get(LOCATION) else { return Ok(None) };
    let bad = |_| denied("redirect", "the server sends us to no URL that can be asked");
    let location = location.to_str().map_err(|_| denied("redirect", "the server's location is no text"))?;
    match url.join(location) {
        Ok(next) => origin::parse_url(next.as_str()).map(Some).map_err(bad),
        Err(_) => Err(denied("redirect", "the server's location is no URL")),
    }
}

/// The future's answer, unless its time is up or the run is cancelled.
async fn within<T>(cx: &Context, timeout_ms: u64, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let deadline = tokio::time::Instant::from_std(request::deadline(cx, timeout_ms));
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Err(Error::new(ErrorKind::Cancelled, "cancelled", "the run is being cancelled")),
        done = tokio::time::timeout_at(deadline, work) => done.unwrap_or_else(|_| Err(timeout(cx, timeout_ms))),
    }
}

fn scope(cx: &Context, grammar: ScopeGrammar) -> Result<Scope, Error> {
    Scope::new(grammar, cx.scope.clone()).map_err(|error| errors::invalid("scope", error.to_string()))
}

fn response(answered: Answered, url: &Url, started: Instant) -> HttpResponse {
    let headers = answered
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let attributes = [
        ("final-url", Some(url.to_string())),
        ("http-version", Some(answered.version)),
        ("tls-version", answered.tls_version.map(str::to_owned)),
        ("remote-address", answered.address.map(|address| address.to_string())),
    ];
    HttpResponse {
        status: answered.status.as_u16(),
        headers,
        body: answered.body,
        truncated: answered.truncated,
        elapsed_ms: u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX),
        attributes: attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
    }
}

/// What a request that changes something must keep to, beside what all must.
pub(super) fn check_send(cx: &Context, call: &Send) -> Result<Checked, Error> {
    let checked = Checked::new(cx, &call.request)?;
    if checked.redirects_max > 0 {
        return Err(errors::invalid("max-redirects", "a request that changes something is sent once, to one server"));
    }
    if call.body.len() > SENT_BYTES_MAX {
        return Err(errors::invalid("body", format!("a body has at most {SENT_BYTES_MAX} bytes")));
    }
    Ok(checked)
}

/// What becomes of a server by a request: the same words in a dry run, because nobody knows more.
pub(super) fn sent(effect: Effect) -> Change {
    Change::new(effect, None, Some("sent".to_owned()))
}

#[async_trait::async_trait]
impl http::Backend for Http {
    async fn get(&self, cx: &Context, call: &Get) -> Result<HttpResponse, Error> {
        self.read(cx, Method::GET, &call.request, call.authorization.as_ref()).await
    }

    async fn head(&self, cx: &Context, call: &Head) -> Result<HttpResponse, Error> {
        self.read(cx, Method::HEAD, &call.request, call.authorization.as_ref()).await
    }

    async fn get_certificates(&self, cx: &Context, call: &GetCertificates) -> Result<ServerChain, Error> {
        let url = request::url(&call.url)?;
        if url.scheme() != "https" {
            return Err(errors::invalid("url", "only a server at an `https` URL shows certificates"));
        }
        let timeout_ms = request::timeout_ms(cx, call.timeout_ms)?;
        let scope = scope(cx, ScopeGrammar::Origins)?;
        if !scope.allows(url.as_str()) {
            return Err(denied("scope", "the URL is outside the scope"));
        }
        within(cx, timeout_ms, self.transport.certificates(&url, &scope)).await
    }
}

#[async_trait::async_trait]
impl http_write::Backend for Http {
    async fn send(&self, cx: &Context, call: &Send) -> Result<Sent, Error> {
        let checked = check_send(cx, call)?;
        let method = match call.method {
            http_write::Method::Post => Method::POST,
            http_write::Method::Put => Method::PUT,
            http_write::Method::Patch => Method::PATCH,
            http_write::Method::Delete => Method::DELETE,
        };
        let scope = scope(cx, ScopeGrammar::Methods)?;
        let authorization = call.authorization.as_ref();
        let exchange =
            Exchange { http: self, method, body: &call.body, scope, names_method: true, authorization, checked };
        let response = exchange.run(cx).await?;
        let effect = if (200..400).contains(&response.status) { Effect::Changed } else { Effect::Unknown };
        Ok(Sent { response, change: sent(effect) })
    }
}
