//! The scope of `http` and `http-write`: origins such as `https://*.example.com:8443`, for `http-write` with a method before, and
//! address ranges.
//!
//! Everything is compared in the form that a URL parser makes of it (the one that also makes the request), so there is one
//! reading of a host: letters in lower case, international names in ASCII, addresses in any notation as addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use crate::address;

/// The most bytes of a URL.
pub const URL_BYTES_MAX: usize = 8 << 10;
/// The methods that an entry of `http-write` may begin with.
const METHODS: &[&str] = &["POST", "PUT", "PATCH", "DELETE"];
/// The widest ranges: a wider one names nothing in particular, and all that must not be reached by accident.
const PREFIX_V4_MIN: u8 = 8;
const PREFIX_V6_MIN: u8 = 7;

/// One entry of the scope.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// What may be asked.
    Origin(Origin),
    /// Addresses that are not public and may be reached. Alone it also allows URLs over TLS that name such an address.
    Range(IpNet),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    method: Option<String>,
    /// As parsed, without `*.`.
    url: Url,
    is_wildcard: bool,
}

impl Entry {
    /// Reads an entry. `takes_method` where each origin begins with one.
    pub(crate) fn parse(text: &str, takes_method: bool) -> Result<Self, String> {
        if let Ok(range) = text.parse::<IpNet>() {
            return range_entry(range);
        }
        let (method, rest) = match text.split_once(' ') {
            Some((method, rest)) if takes_method && METHODS.contains(&method) => (Some(method.to_owned()), rest),
            Some(_) if takes_method => return Err(format!("expected one of {} before the origin", METHODS.join(", "))),
            None if takes_method => {
                return Err("expected a method before it: `POST https://api.example.com`".to_owned());
            }
            _ => (None, text),
        };
        let wildcard = rest.split_once("://*.").map(|(scheme, rest)| format!("{scheme}://{rest}"));
        let url = parse_url(wildcard.as_deref().unwrap_or(rest)).map_err(|error| {
            format!("{error}; expected an origin such as `https://api.example.com` or a range such as `10.0.0.0/8`")
        })?;
        if wildcard.is_some() && !url.domain().is_some_and(|domain| domain.contains('.')) {
            return Err("`*.` must be followed by a domain of at least two labels".to_owned());
        }
        if url.host_str().is_some_and(|host| host.contains('*')) {
            return Err("`*` may only stand for whole labels at the beginning: `https://*.example.com`".to_owned());
        }
        Ok(Self::Origin(Origin { method, url, is_wildcard: wildcard.is_some() }))
    }

    /// Whether a target (a URL, for `http-write` with a method and a space before it) is inside.
    pub(crate) fn allows(&self, target: &str) -> bool {
        let (method, url) = match target.split_once(' ') {
            Some((method, url)) => (Some(method), url),
            None => (None, target),
        };
        let Ok(url) = parse_url(url) else { return false };
        match self {
            Self::Origin(origin) => origin.method.as_deref() == method && origin.allows(&url),
            Self::Range(range) => {
                method.is_none() && url.scheme() == "https" && address_of(&url).is_some_and(|it| range.contains(&it))
            }
        }
    }

    /// Whether it names the address. Being public is not asked here.
    pub(crate) fn names_address(&self, address: IpAddr) -> bool {
        matches!(self, Self::Range(range) if range.contains(&address.to_canonical()))
    }

    /// Whether it lets nothing be reached but the public Internet: addresses that are not are reached through a range alone.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self, Self::Origin(_)) || matches!(self, Self::Range(range) if address::is_public_range(*range))
    }

    /// Whether everything that `other` allows is inside.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Range(mine), Self::Range(other)) => mine.contains(other),
            (Self::Origin(mine), Self::Origin(other)) => mine.method == other.method && mine.covers(other),
            _ => false,
        }
    }
}

impl Origin {
    fn allows(&self, url: &Url) -> bool {
        let host = match self.is_wildcard {
            false => self.url.host() == url.host(),
            true => match (self.url.host(), url.host()) {
                (Some(Host::Domain(suffix)), Some(Host::Domain(domain))) => is_below(domain, suffix),
                _ => false,
            },
        };
        host && self.is_same_but_host(url)
    }

    fn covers(&self, other: &Self) -> bool {
        match other.is_wildcard {
            false => self.allows(&other.url),
            true => {
                let (mine, theirs) = (self.url.domain().unwrap_or_default(), other.url.domain().unwrap_or_default());
                self.is_wildcard && (mine == theirs || is_below(theirs, mine)) && self.is_same_but_host(&other.url)
            }
        }
    }

    /// An entry with a path allows that path, and with a query that query; without, all of them.
    fn is_same_but_host(&self, url: &Url) -> bool {
        self.url.scheme() == url.scheme()
            && self.url.port_or_known_default() == url.port_or_known_default()
            && (self.url.path() == "/" || self.url.path() == url.path())
            && (self.url.query().is_none() || self.url.query() == url.query())
    }
}

fn is_below(domain: &str, suffix: &str) -> bool {
    domain.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

fn range_entry(range: IpNet) -> Result<Entry, String> {
    let least = match range {
        IpNet::V4(_) => PREFIX_V4_MIN,
        IpNet::V6(_) => PREFIX_V6_MIN,
    };
    if range.prefix_len() < least {
        return Err(format!("a range has a prefix of at least {least}"));
    }
    if range.trunc() != range {
        return Err(format!("the range begins at its first address: `{}`", range.trunc()));
    }
    if matches!(range, IpNet::V6(net) if net.addr().to_ipv4_mapped().is_some()) {
        return Err("write an IPv4 range as one".to_owned());
    }
    Ok(Entry::Range(range))
}

/// The address that a URL names instead of a host.
pub fn address_of(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address).to_canonical()),
    }
}

/// Reads a URL, and takes nothing that two readers could take for different hosts.
pub fn parse_url(text: &str) -> Result<Url, BadUrl> {
    if text.len() > URL_BYTES_MAX {
        return Err(BadUrl("it is too long"));
    }
    // A URL parser drops tabs and line ends, trims blanks, and takes a backslash for a slash: all of that hides a host.
    if text.chars().any(|it| it.is_control() || it.is_whitespace() || it == '\\') {
        return Err(BadUrl("it has blanks, control characters or backslashes"));
    }
    let (scheme, rest) = text.split_once("://").ok_or(BadUrl("it is not absolute"))?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(BadUrl("its scheme is neither https nor http"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority {
        "" => return Err(BadUrl("it has no host")),
        _ if authority.contains('@') => return Err(BadUrl("it has user information")),
        _ if authority.contains('%') => return Err(BadUrl("its host is percent-encoded")),
        _ => {}
    }
    let mut url = Url::parse(text).map_err(|_| BadUrl("it is malformed"))?;
    url.set_fragment(None);
    match url.host() {
        None => Err(BadUrl("it has no host")),
        Some(Host::Domain(domain)) if domain.split('.').any(str::is_empty) => {
            Err(BadUrl("its host has an empty label, or a dot at the end"))
        }
        Some(_) if url.port() == Some(0) => Err(BadUrl("its port is 0")),
        Some(_) => Ok(url),
    }
}

/// Why a text is no URL that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL cannot be asked: {0}")]
pub struct BadUrl(&'static str);

/// The origin of what a call is about, as an entry has it; none where that is no address.
pub(crate) fn of_target(target: &str) -> Option<String> {
    let (method, url) = match target.split_once(' ') {
        Some((method, url)) => (Some(method), url),
        None => (None, target),
    };
    let origin = parse_url(url).ok()?.origin().ascii_serialization();
    Some(method.map_or_else(|| origin.clone(), |method| format!("{method} {origin}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, target: &str) -> bool {
        Entry::parse(entry, false).unwrap().allows(target)
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let entry = "https://api.example.com";
        for inside in [
            "https://api.example.com",
            "https://api.example.com:443/path?query#fragment",
            "HTTPS://API.Example.COM/",
            "https://api.example.com/@evil.example",
            "https://api.example.com?x=@evil.example",
        ] {
            assert!(allows(entry, inside), "{inside}");
        }
        for outside in [
            "http://api.example.com",
            "https://api.example.com:8443",
            "https://example.com",
            "https://x.api.example.com",
            "https://api.example.com.evil.example",
            "https://api.example.comevil.example",
            "https://evil.example/https://api.example.com",
            "https://evil.example#api.example.com",
        ] {
            assert!(!allows(entry, outside), "{outside}");
        }
        assert!(allows("http://api.example.com:8080", "http://api.example.com:8080/x"));
        assert!(!allows("http://api.example.com:8080", "https://api.example.com:8080/x"));
    }

    #[test]
    fn what_two_readers_read_differently_is_inside_nothing() {
        for trick in [
            "https://api.example.com@evil.example",
            "https://user:password@api.example.com",
            "https://@api.example.com",
            "https://api.example.com.",
            "https://api..example.com",
            "https://api.example.com\\@evil.example",
            "https:\\\\api.example.com",
            "https:///api.example.com",
            "https:api.example.com",
            "//api.example.com",
            "https://api.example.com%2eevil.example",
            "https://api%2eexample.com",
            "https://api.exam\tple.com",
            " https://api.example.com",
            "https://api.example.com\n",
            "https://api.example.com:0",
            "ftp://api.example.com",
            "",
        ] {
            assert!(parse_url(trick).is_err(), "{trick:?}");
            assert!(!allows("https://api.example.com", trick), "{trick:?}");
        }
        assert!(parse_url(&format!("https://a.example/{}", "x".repeat(8_174))).is_ok());
        assert!(parse_url(&format!("https://a.example/{}", "x".repeat(8_175))).is_err());
    }

    #[test]
    fn a_wildcard_stands_for_subdomains() {
        let entry = "https://*.example.com:8443";
        assert!(allows(entry, "https://a.example.com:8443/x"));
        assert!(allows(entry, "https://a.b.example.com:8443"));
        assert!(!allows(entry, "https://example.com:8443"));
        assert!(!allows(entry, "https://evilexample.com:8443"));
        assert!(!allows(entry, "https://a.example.com"));
        assert!(!allows(entry, "https://.example.com:8443"));
    }

    #[test]
    fn international_names_are_one_name() {
        assert!(allows("https://bücher.example", "https://xn--bcher-kva.example/"));
        assert!(allows("https://xn--bcher-kva.example", "https://BÜCHER.example"));
        assert!(allows("https://api.example.com", "https://api。example。com"), "as every URL parser reads it");
        assert!(!allows("https://api.example.com", "https://аpi.example.com"), "a Cyrillic a");
    }

    #[test]
    fn an_address_is_one_address_in_every_notation() {
        for same in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.0.0.1"] {
            assert!(allows("https://127.0.0.1", &format!("https://{same}/")), "{same}");
            assert!(allows("127.0.0.0/8", &format!("https://{same}/")), "{same}");
            assert!(!allows("10.0.0.0/8", &format!("https://{same}/")), "{same}");
        }
        assert!(allows("https://[::1]", "https://[0:0:0:0:0:0:0:1]/"));
        assert!(allows("127.0.0.0/8", "https://[::ffff:127.0.0.1]/"));
        assert!(!allows("127.0.0.0/8", "https://[64:ff9b::127.0.0.1]/"));
        assert!(!allows("127.0.0.0/8", "https://[2002:7f00:1::]/"));
    }

    #[test]
    fn a_range_allows_addresses_over_tls_and_no_names() {
        assert!(allows("10.0.0.0/8", "https://10.1.2.3:8443/"));
        assert!(!allows("10.0.0.0/8", "http://10.1.2.3/"));
        assert!(!allows("10.0.0.0/8", "https://printer.example/"));
        let entry = Entry::parse("10.0.0.0/8", true).unwrap();
        assert!(!entry.allows("POST https://10.1.2.3/"), "a method must be named");
        assert!(entry.names_address("10.1.2.3".parse().unwrap()));
        assert!(entry.names_address("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!entry.names_address("11.1.2.3".parse().unwrap()));
        assert!(!Entry::parse("https://10.1.2.3", false).unwrap().names_address("10.1.2.3".parse().unwrap()));
    }

    #[test]
    fn a_path_allows_that_path() {
        assert!(allows("https://a.example/health", "https://a.example/health?deep=1"));
        assert!(!allows("https://a.example/health", "https://a.example/healthy"));
        assert!(!allows("https://a.example/health", "https://a.example/health/../admin"));
        assert!(allows("https://a.example/health?deep=1", "https://a.example/health?deep=1"));
        assert!(!allows("https://a.example/health?deep=1", "https://a.example/health?deep=2"));
    }

    #[test]
    fn a_method_is_part_of_what_may_be_sent() {
        let entry = Entry::parse("POST https://api.example.com", true).unwrap();
        assert!(entry.allows("POST https://api.example.com/x"));
        assert!(!entry.allows("DELETE https://api.example.com/x"));
        assert!(!entry.allows("https://api.example.com/x"));
        assert!(!allows("https://api.example.com", "POST https://api.example.com/x"));
    }

    #[test]
    fn a_wrong_entry_says_what_would_be_right() {
        let problem = |entry: &str, takes_method| Entry::parse(entry, takes_method).unwrap_err();
        assert_eq!(
            problem("https://api.example.com", true),
            "expected a method before it: `POST https://api.example.com`"
        );
        assert_eq!(
            problem("GET https://a.example", true),
            "expected one of POST, PUT, PATCH, DELETE before the origin"
        );
        assert_eq!(problem("https://*.com", false), "`*.` must be followed by a domain of at least two labels");
        assert_eq!(problem("0.0.0.0/0", false), "a range has a prefix of at least 8");
        assert_eq!(problem("::/0", false), "a range has a prefix of at least 7");
        assert_eq!(problem("10.0.0.1/8", false), "the range begins at its first address: `10.0.0.0/8`");
        assert_eq!(problem("::ffff:10.0.0.0/104", false), "write an IPv4 range as one");
        assert!(Entry::parse("fc00::/7", false).is_ok());
        for bad in [
            "*",
            "api.example.com",
            "https://",
            "https://*",
            "https://a.*.example",
            "https://*.10.0.0.1",
            "POST https://a.example",
        ] {
            assert!(Entry::parse(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_entry_covers_what_it_allows() {
        let covers = |a: &str, b: &str| Entry::parse(a, false).unwrap().covers(&Entry::parse(b, false).unwrap());
        assert!(covers("https://*.example.com", "https://a.example.com"));
        assert!(covers("https://*.example.com", "https://*.a.example.com"));
        assert!(covers("https://*.example.com", "https://*.example.com"));
        assert!(!covers("https://a.example.com", "https://*.example.com"));
        assert!(!covers("https://*.a.example.com", "https://*.example.com"));
        assert!(covers("https://a.example", "https://a.example/health"));
        assert!(!covers("https://a.example/health", "https://a.example"));
        assert!(covers("10.0.0.0/8", "10.1.0.0/16"));
        assert!(!covers("10.1.0.0/16", "10.0.0.0/8"));
        assert!(!covers("https://10.0.0.1", "10.0.0.1/32"));
    }
}
