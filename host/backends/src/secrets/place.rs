use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Where a secret may be redeemed: `http:HOST`, `http:HOST:PORT`, `notify:ROUTE` or `account:NAME`. There is no wildcard: whoever
/// sets a secret knows where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(String);

impl Place {
    /// A server, over TLS. None where the URL has no host.
    pub fn http(url: &Url) -> Option<Self> {
        let host = url.host()?;
        Some(Self(match url.port_or_known_default()? {
            443 => format!("http:{host}"),
            port => format!("http:{host}:{port}"),
        }))
    }

    /// A route of notifications.
    pub fn notify(route: &str) -> Result<Self, NotAPlace> {
        format!("notify:{route}").parse()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let bad = || NotAPlace(text.to_owned());
        let (kind, name) = text.split_once(':').ok_or_else(bad)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match kind {
            "http" => http(name).ok_or_else(bad),
            "notify" | "account" if (1..=64).contains(&name.len()) && name.bytes().all(is_plain) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(bad()),
        }
    }
}

/// A host and perhaps a port, read as a URL's are, so that every way to write an address is one place.
fn http(text: &str) -> Option<Place> {
    if text.chars().any(|it| it.is_whitespace() || it.is_control() || "/\\?#@*%".contains(it)) || text.ends_with('.') {
        return None;
    }
    let url = Url::parse(&format!("https://{text}")).ok()?;
    match url.host()? {
        Host::Domain(domain) if domain.ends_with('.') => None,
        _ => Place::http(&url),
    }
}

impl TryFrom<String> for Place {
    type Error = NotAPlace;

    fn try_from(text: String) -> Result<Self, NotAPlace> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.0
    }
}

/// The text is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a place: expected `http:HOST`, `http:HOST:PORT`, `notify:ROUTE` or `account:NAME`")]
pub struct NotAPlace(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Option<String> {
        text.parse::<Place>().ok().map(|place| place.to_string())
    }

    #[test]
    fn one_place_has_one_name() {
        assert_eq!(place("http:api.example.com").as_deref(), Some("http:api.example.com"));
        assert_eq!(place("http:API.example.com:443").as_deref(), Some("http:api.example.com"));
        assert_eq!(place("http:api.example.com:8443").as_deref(), Some("http:api.example.com:8443"));
        assert_eq!(place("http:bücher.example").as_deref(), Some("http:xn--bcher-kva.example"));
        assert_eq!(place("http:0x7f.1").as_deref(), Some("http:127.0.0.1"));
        assert_eq!(place("http:[::1]:8443").as_deref(), Some("http:[::1]:8443"));
        assert_eq!(place("notify:on-call").as_deref(), Some("notify:on-call"));
        assert_eq!(place("account:backup").as_deref(), Some("account:backup"));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for bad in [
            "api.example.com",
            "http:",
            "http:a/b",
            "http:user@host",
            "http:*.example.com",
            "http:example.com.",
            "http:a b",
            "notify:",
            "notify:a b",
            "ftp:host",
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
