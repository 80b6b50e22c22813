use std::borrow::Cow;

use contract::http::{Get, GetCertificates, Head};
use contract::http_write::{Method, Send};
use contract::types::HttpRequest;

use super::{Adapter, Charges};

/// A request counts with every redirect that it may follow.
fn charges(request: &HttpRequest) -> Charges {
    let redirects = request.attributes.iter().find(|(name, _)| name == "max-redirects");
    let redirects = redirects.and_then(|(_, value)| value.parse::<u32>().ok()).unwrap_or_default();
    Charges { http_requests: 1 + u64::from(redirects), ..Charges::default() }
}

impl Adapter for Get {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.request.url)]
    }

    fn charges(&self) -> Charges {
        charges(&self.request)
    }
}

impl Adapter for Head {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.request.url)]
    }

    fn charges(&self) -> Charges {
        charges(&self.request)
    }
}

impl Adapter for GetCertificates {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.url)]
    }

    fn charges(&self) -> Charges {
        Charges { http_requests: 1, ..Charges::default() }
    }
}

impl Adapter for Send {
    const UNSEEN_BY: &'static [&'static str] = &["http"];

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
}
