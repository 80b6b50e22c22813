use std::borrow::Cow;

use contract::Answer;
use contract::http::{Get, GetCertificates, Head};
use contract::http_write::{Method, Send};
use contract::types::HttpRequest;
use model::budget::{Amounts, Budget};

use super::{Adapter, Charges, Site, bytes_of};

/// Also what only reads sends something: an address can hold what a body does.
const SPENDS: &[Budget] = &[Budget::EgressBytes];

/// A request counts with every redirect that it may follow.
fn charges(request: &HttpRequest) -> Charges {
    Charges { http_requests: requests(request), ..Charges::default() }
}

fn requests(request: &HttpRequest) -> u64 {
    let redirects = request.attributes.iter().find(|(name, _)| name == "max-redirects");
    let redirects = redirects.and_then(|(_, value)| value.parse::<u32>().ok()).unwrap_or_default();
    1 + u64::from(redirects)
}

/// What the plugin has sent: address, headers and body, with every redirect that it may follow. What TLS, a redeemed secret and
/// the host's own headers add is not the plugin's.
fn sent(request: &HttpRequest, body: usize) -> Amounts {
    let headers: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let bytes = bytes_of(request.url.len() + headers + body).saturating_mul(requests(request));
    Amounts::of(Budget::EgressBytes, bytes)
}

impl Adapter for Get {
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.request.url)]
    }

    fn charges(&self) -> Charges {
        charges(&self.request)
    }

    fn reserve<'a>(&'a self, _: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async { Ok(sent(&self.request, 0)) })
    }
}

impl Adapter for Head {
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.request.url)]
    }

    fn charges(&self) -> Charges {
        charges(&self.request)
    }

    fn reserve<'a>(&'a self, _: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async { Ok(sent(&self.request, 0)) })
    }
}

impl Adapter for GetCertificates {
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.url)]
    }

    fn charges(&self) -> Charges {
        Charges { http_requests: 1, ..Charges::default() }
    }

    fn reserve<'a>(&'a self, _: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async { Ok(Amounts::of(Budget::EgressBytes, bytes_of(self.url.len()))) })
    }
}

impl Adapter for Send {
    const UNSEEN_BY: &'static [&'static str] = &["http"];
    const SPENDS: &'static [Budget] = SPENDS;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        let method = match self.method {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        };
        vec![Cow::Owned(format!("{method} {}", self.request.url))]
    }

    fn charges(&self) -> Charges {
        charges(&self.request)
    }

    fn reserve<'a>(&'a self, _: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async { Ok(sent(&self.request, self.body.len())) })
    }
}
