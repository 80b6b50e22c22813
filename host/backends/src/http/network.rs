use std::sync::Arc;

use contract::http::ServerChain;
use contract::types::Error;
use model::{Clock, Scope};
use reqwest::header::{HeaderMap, USER_AGENT};
use reqwest::{Client, Response};
use tokio::sync::OnceCell;
use url::Url;

use crate::errors;

use super::errors::{request, too_many_headers};
use super::resolve::vetted;
use super::tls::{self, Roots, Trust};
use super::{ANSWER_HEADER_BYTES_MAX, Answered, HEADERS_MAX, Hop, Resolve, Transport, certificates};

/// Who we are, unless the plugin says otherwise.
const AGENT: &str = concat!("remit/", env!("CARGO_PKG_VERSION"));

/// The real way to a server.
pub(super) struct Network {
    roots: Roots,
    resolver: Arc<dyn Resolve>,
    clock: Arc<dyn Clock>,
    trust: OnceCell<Arc<Trust>>,
}

impl Network {
    /// Trusting these, and finding addresses so.
    pub(super) fn new(roots: Roots, resolver: Arc<dyn Resolve>, clock: Arc<dyn Clock>) -> Self {
        Self { roots, resolver, clock, trust: OnceCell::new() }
    }

    /// Read at the first request: most runs make none.
    async fn trust(&self) -> Result<Arc<Trust>, Error> {
        let load = || async {
            let (roots, clock) = (self.roots.clone(), Arc::clone(&self.clock));
            tokio::task::spawn_blocking(move || Trust::new(&roots, clock).map(Arc::new))
                .await
                .map_err(|error| errors::failed("trust", error.to_string()))?
        };
        self.trust.get_or_try_init(load).await.map(Arc::clone)
    }
}

#[async_trait::async_trait]
impl Transport for Network {
    async fn send(&self, hop: &Hop<'_>) -> Result<Answered, Error> {
        let addresses = vetted(&*self.resolver, hop.scope, hop.url).await?;
        let (config, recorder) = match hop.url.scheme() {
            "https" => self.trust().await?.connection(false).map(|(config, recorder)| (config, Some(recorder)))?,
            _ => (tls::nobody()?, None),
        };
        // A client of its own for each hop: a connection kept from another run would go to where only that run may go.
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tls_backend_preconfigured(config)
            .resolve_to_addrs(hop.url.host_str().unwrap_or_default(), &addresses)
            .pool_max_idle_per_host(0)
            .http1_max_headers(HEADERS_MAX)
            .http2_max_header_list_size(u32::try_from(ANSWER_HEADER_BYTES_MAX).unwrap_or(u32::MAX))
            .build()
            .map_err(request)?;
        let mut headers = hop.headers.clone();
        headers.entry(USER_AGENT).or_insert(reqwest::header::HeaderValue::from_static(AGENT));
        let sent = client.request(hop.method.clone(), hop.url.clone()).headers(headers).body(hop.body.to_vec());
        let mut response = sent.send().await.map_err(request)?;
        check_headers(response.headers())?;
        let (body, truncated) = body(&mut response, hop.body_bytes_max).await?;
        Ok(Answered {
            status: response.status(),
            version: format!("{:?}", response.version()),
            tls_version: recorder.and_then(|recorder| recorder.seen().version),
            address: response.remote_addr(),
            headers: std::mem::take(response.headers_mut()),
            body,
            truncated,
        })
    }

    async fn certificates(&self, url: &Url, scope: &Scope) -> Result<ServerChain, Error> {
        let addresses = vetted(&*self.resolver, scope, url).await?;
        certificates::look(&*self.trust().await?, url, &addresses).await
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Error> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    match headers.len() > HEADERS_MAX || bytes > ANSWER_HEADER_BYTES_MAX {
        true => Err(too_many_headers()),
        false => Ok(()),
    }
}

/// The body, decoded piece by piece, and no more of it than is wanted: what a small answer unpacks to may have no end.
async fn body(response: &mut Response, bytes_max: usize) -> Result<(Vec<u8>, bool), Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(request)? {
        let room = bytes_max - body.len();
        body.extend(chunk.iter().take(room));
        if chunk.len() > room {
            return Ok((body, true));
        }
    }
    Ok((body, false))
}
