//! Who stands between this machine and the servers, and who is asked past it.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::Error;
use crate::network::shown;

/// A proxy, with whoever is asked directly.
#[derive(Clone)]
pub struct Proxy {
    address: Url,
    exceptions: Vec<Exception>,
    credentials: Option<(String, Zeroizing<String>)>,
}

/// Who is asked directly.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    Everybody,
    Host(String),
    /// A domain and all below it.
    Below(String),
    Network(IpNet),
}

impl Proxy {
    /// At this address, for everybody but these (hosts, `.domain`, addresses, networks, `*`), as `user:password`.
    pub fn new(address: Url, exceptions: &[String], credentials: Option<&str>) -> Result<Self, Error> {
        let bad = |why: String| Error::Proxy { proxy: shown(&address), why };
        let exceptions = exceptions
            .iter()
            .map(|text| exception(text).ok_or_else(|| bad(format!("`{text}` names nobody who is asked directly"))))
            .collect::<Result<_, _>>()?;
        let credentials = credentials.map(|text| {
            let (user, password) = text.trim_end_matches(['\r', '\n']).split_once(':')?;
            let is_plain = |it: &str| !it.contains(char::is_control);
            (!user.is_empty() && is_plain(user) && is_plain(password))
                .then(|| (user.to_owned(), Zeroizing::new(password.to_owned())))
        });
        let credentials = match credentials {
            Some(None) => return Err(bad("its credentials are no line of `user:password`".to_owned())),
            credentials => credentials.flatten(),
        };
        Ok(Self { address, exceptions, credentials })
    }

    /// Whether this names somebody who may be asked directly.
    pub fn is_exception(text: &str) -> bool {
        exception(text).is_some()
    }

    /// For a client that asks this one server: itself, where it stands before that.
    pub fn before(&self, url: &Url) -> Result<Option<reqwest::Proxy>, Error> {
        self.stands_before(url).then(|| self.of_client()).transpose()
    }

    /// Whether this server is asked through it. This machine never is.
    pub(crate) fn stands_before(&self, url: &Url) -> bool {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        let name = url.host_str().unwrap_or_default().trim_end_matches('.');
        if name == "localhost" || address.is_some_and(|it| it.is_loopback()) {
            return false;
        }
        !self.exceptions.iter().any(|exception| match exception {
            Exception::Everybody => true,
            Exception::Host(host) => host == name,
            Exception::Below(domain) => {
                name.strip_suffix(domain.as_str()).is_some_and(|it| it.is_empty() || it.ends_with('.'))
            }
            Exception::Network(network) => address.is_some_and(|it| network.contains(&it)),
        })
    }

    pub(crate) fn of_client(&self) -> Result<reqwest::Proxy, Error> {
        let proxy = reqwest::Proxy::all(self.address.clone()).map_err(|error| self.refused(error.to_string()))?;
        Ok(match &self.credentials {
            Some((user, password)) => proxy.basic_auth(user, password),
            None => proxy,
        })
    }

    /// It wants to know who asks.
    pub(crate) fn unauthorized(&self) -> Error {
        self.refused(match self.credentials {
            Some(_) => "it does not take these credentials".to_owned(),
            None => "it wants credentials, and there are none".to_owned(),
        })
    }

    /// What the connection to it came to.
    pub fn trouble(&self, source: &reqwest::Error) -> Error {
        let mut last: &dyn std::error::Error = source;
        while let Some(next) = last.source() {
            last = next;
        }
        let why = last.to_string();
        // The library keeps the type of this error to itself, and the status of an answer that is not 407.
        if why.contains("proxy authorization required") {
            return self.unauthorized();
        }
        self.refused(match (why.ends_with("unsuccessful"), &self.credentials) {
            (true, Some(_)) => {
                "it does not connect us: by its rules, or for these credentials; its log says which".to_owned()
            }
            (true, None) => "it does not connect us, by its rules".to_owned(),
            (false, _) => why,
        })
    }

    fn refused(&self, why: String) -> Error {
        Error::Proxy { proxy: shown(&self.address), why }
    }
}

fn exception(text: &str) -> Option<Exception> {
    if text == "*" {
        return Some(Exception::Everybody);
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(Exception::Network(network));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Exception::Network(address.into()));
    }
    let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    let domain = text.strip_prefix('.');
    let name = domain.unwrap_or(text);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_name) {
        return None;
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    Some(if domain.is_some() { Exception::Below(name) } else { Exception::Host(name) })
}

/// Without its password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address.as_str()).field("exceptions", &self.exceptions).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_are_named_are_asked_directly() {
        let exceptions = ["registry.example", ".inside.example", "10.0.0.0/8", "fd00::1"].map(str::to_owned);
        let proxy = Proxy::new("http://proxy.example:3128".parse().unwrap(), &exceptions, None).unwrap();
        let through = |text: &str| proxy.stands_before(&text.parse().unwrap());
        for past in [
            "https://registry.example/a",
            "https://REGISTRY.example/a",
            "https://inside.example",
            "https://a.b.inside.example.",
            "http://10.1.2.3",
            "http://[fd00::1]",
            "http://127.0.0.1:5000",
            "http://[::1]:5000",
            "http://localhost",
        ] {
            assert!(!through(past), "{past}");
        }
        for through_it in [
            "https://a.registry.example",
            "https://notinside.example",
            "http://11.0.0.1",
            "http://[fd00::2]",
            "https://localhost.example",
            "https://registry.example.evil.example",
        ] {
            assert!(through(through_it), "{through_it}");
        }
        assert!(
            !Proxy::is_exception("a b")
                && !Proxy::is_exception("")
                && !Proxy::is_exception("..x")
                && !Proxy::is_exception("10.0.0.0/33")
        );
        let all = Proxy::new("http://proxy.example:3128".parse().unwrap(), &["*".to_owned()], None).unwrap();
        assert!(!all.stands_before(&"https://a.example".parse().unwrap()));
    }

    #[test]
    fn credentials_are_one_line_and_never_shown() {
        let of = |text| Proxy::new("http://proxy.example:3128".parse().unwrap(), &[], Some(text));
        for bad in ["", "me", ":secret", "me:sec\nret", "me\n:secret"] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
        let proxy = of("me:se:cret\n").unwrap();
        assert_eq!(proxy.credentials.as_ref().map(|(user, it)| (user.as_str(), it.as_str())), Some(("me", "se:cret")));
        assert!(!format!("{proxy:?}").contains("cret"));
    }
}
