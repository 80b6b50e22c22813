//! Capabilities and grants: an interface and the scope in which it may be used.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use contract::{INTERFACES, Interface, ScopeGrammar};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{address, origin};

/// An interface and a scope, as people write it: `device`, `service-control [nginx, postgresql*]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Capability {
    /// The interface's name; it is one that this host knows.
    pub interface: &'static str,
    /// The scope's entries. Empty where the interface takes none, or where all that a manifest asks for is meant.
    pub scope: Vec<String>,
}

impl Capability {
    /// The interface's row.
    pub fn row(&self) -> &'static Interface {
        #[expect(clippy::expect_used, reason = "parsing admits only names that are in the table")]
        interface(self.interface).expect("a capability names an interface of the table")
    }
}

/// The row of an interface.
pub fn interface(name: &str) -> Option<&'static Interface> {
    INTERFACES.iter().copied().find(|row| row.name == name)
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.interface)?;
        match self.scope.is_empty() {
            true => Ok(()),
            false => write!(f, " [{}]", self.scope.join(", ")),
        }
    }
}

impl FromStr for Capability {
    type Err = NotACapability;

    fn from_str(text: &str) -> Result<Self, NotACapability> {
        let text = text.trim();
        let (name, scope) = match text.split_once('[') {
            None => (text, Vec::new()),
            Some((name, rest)) => {
                let inner = rest.strip_suffix(']').ok_or_else(|| NotACapability::Form(text.to_owned()))?;
                let entries: Vec<String> = inner.split(',').map(|entry| entry.trim().to_owned()).collect();
                if entries.iter().any(String::is_empty) {
                    return Err(NotACapability::Form(text.to_owned()));
                }
                (name.trim(), entries)
            }
        };
        let row = interface(name).ok_or_else(|| NotACapability::Unknown(name.to_owned()))?;
        if row.scope == ScopeGrammar::None && !scope.is_empty() {
            return Err(NotACapability::NoScope(row.name));
        }
        Ok(Self { interface: row.name, scope })
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl From<Capability> for String {
    fn from(capability: Capability) -> Self {
        capability.to_string()
    }
}

/// The text is no capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACapability {
    /// Not of the form at all.
    #[error("`{0}` is not a capability: expected `INTERFACE` or `INTERFACE [ENTRY, ENTRY]`")]
    Form(String),
    /// An interface that this host does not know.
    #[error("`{0}` is not an interface of this host: expected one of {names}", names = names())]
    Unknown(String),
    /// A scope where there is none.
    #[error("`{0}` takes no scope: expected `{0}` alone")]
    NoScope(&'static str),
}

fn names() -> String {
    INTERFACES.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

/// A granted capability's entries, ready to be asked.
#[derive(Clone, Debug)]
pub struct Scope {
    entries: Arc<[String]>,
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug)]
enum Matcher {
    All,
    Name(String),
    Glob(GlobMatcher),
    Origin(origin::Entry),
}

impl Scope {
    /// The entries by the interface's grammar.
    pub fn new(grammar: ScopeGrammar, entries: impl Into<Arc<[String]>>) -> Result<Self, BadScope> {
        let entries = entries.into();
        let matchers = entries
            .iter()
            .map(|entry| match grammar {
                ScopeGrammar::None => Ok(Matcher::All),
                ScopeGrammar::Origins | ScopeGrammar::Methods => {
                    origin::Entry::parse(entry, grammar == ScopeGrammar::Methods)
                        .map(Matcher::Origin)
                        .map_err(|problem| BadScope { entry: entry.clone(), problem })
                }
                ScopeGrammar::Names | ScopeGrammar::Globs if entry == "*" => Ok(Matcher::All),
                ScopeGrammar::Names => Ok(Matcher::Name(entry.clone())),
                ScopeGrammar::Globs => GlobBuilder::new(entry)
                    .backslash_escape(true)
                    .build()
                    .map(|glob| Matcher::Glob(glob.compile_matcher()))
                    .map_err(|error| BadScope { entry: entry.clone(), problem: error.kind().to_string() }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let matchers = match grammar {
            ScopeGrammar::None => vec![Matcher::All],
            _ => matchers,
        };
        Ok(Self { entries, matchers })
    }

    /// Whether the target is inside.
    pub fn allows(&self, target: &str) -> bool {
        self.matchers.iter().any(|matcher| match matcher {
            Matcher::All => true,
            Matcher::Name(name) => name == target,
            Matcher::Glob(glob) => glob.is_match(target),
            Matcher::Origin(entry) => entry.allows(target),
        })
    }

    /// Whether an address that a host of the scope resolved to may be reached: it is public, or a range names it.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        address::is_public(address)
            || self.matchers.iter().any(|it| matches!(it, Matcher::Origin(entry) if entry.names_address(address)))
    }

    /// As granted.
    pub fn entries(&self) -> &Arc<[String]> {
        &self.entries
    }
}

/// Whether one entry of a scope allows all that another does.
pub fn covers(grammar: ScopeGrammar, pattern: &str, entry: &str) -> bool {
    let takes_method = grammar == ScopeGrammar::Methods;
    match grammar {
        ScopeGrammar::Origins | ScopeGrammar::Methods => {
            match (origin::Entry::parse(pattern, takes_method), origin::Entry::parse(entry, takes_method)) {
                (Ok(pattern), Ok(entry)) => pattern.covers(&entry),
                _ => false,
            }
        }
        // A pattern is no text that another pattern matches: `?` matches `*`, and means far less.
        ScopeGrammar::Globs if entry.contains(['*', '?', '[', '{', '\\']) => {
            let stem = pattern.strip_suffix('*').filter(|stem| !stem.contains(['*', '?', '[', '{', '\\']));
            pattern == entry || stem.is_some_and(|stem| entry.starts_with(stem))
        }
        _ => Scope::new(grammar, vec![pattern.to_owned()]).is_ok_and(|scope| scope.allows(entry)),
    }
}

/// The narrowest entry that people write for a target: of an address its origin, with the method where the grammar has one.
pub fn entry_for(grammar: ScopeGrammar, target: &str) -> String {
    let of_origin = matches!(grammar, ScopeGrammar::Origins | ScopeGrammar::Methods);
    of_origin.then(|| origin::of_target(target)).flatten().unwrap_or_else(|| match grammar {
        ScopeGrammar::Globs => globset::escape(target),
        _ => target.to_owned(),
    })
}

/// Whether an entry lets a plugin into what only this machine reaches: itself, its networks, the metadata service of its cloud.
pub fn reaches_inside(grammar: ScopeGrammar, entry: &str) -> bool {
    match grammar {
        ScopeGrammar::Origins | ScopeGrammar::Methods => {
            origin::Entry::parse(entry, grammar == ScopeGrammar::Methods).is_ok_and(|entry| !entry.is_public())
        }
        ScopeGrammar::None | ScopeGrammar::Names | ScopeGrammar::Globs => false,
    }
}

/// A scope entry that is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scope entry `{entry}`: {problem}")]
pub struct BadScope {
    entry: String,
    problem: String,
}

/// What one run may use: by interface, the entries of its scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants(BTreeMap<String, Vec<String>>);

impl Grants {
    /// Adds a capability.
    pub fn add(&mut self, interface: &str, scope: Vec<String>) {
        self.0.insert(interface.to_owned(), scope);
    }

    /// The entries of an interface's scope; none where it is not granted.
    pub fn get(&self, interface: &str) -> Option<&[String]> {
        self.0.get(interface).map(Vec::as_slice)
    }

    /// Interfaces and entries, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(interface, scope)| (interface.as_str(), scope.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in ["device", "files [scratch, logs]"] {
            assert_eq!(text.parse::<Capability>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_entry_for_a_target_allows_it() {
        for (grammar, target, entry) in [
            (ScopeGrammar::Globs, "cups", "cups"),
            (ScopeGrammar::Globs, "a*", "a[*]"),
            (ScopeGrammar::Names, "scratch", "scratch"),
            (ScopeGrammar::Origins, "https://api.example.com/v1?q=1", "https://api.example.com"),
            (ScopeGrammar::Origins, "https://api.example.com:8443/", "https://api.example.com:8443"),
            (ScopeGrammar::Methods, "POST https://api.example.com/v1", "POST https://api.example.com"),
            (ScopeGrammar::Origins, "no address", "no address"),
        ] {
            assert_eq!(entry_for(grammar, target), entry);
            let allows = |it: Scope| it.allows(target);
            assert_eq!(Scope::new(grammar, vec![entry.to_owned()]).is_ok_and(allows), entry != "no address", "{entry}");
        }
    }

    #[test]
    fn a_wrong_capability_says_what_would_be_right() {
        let check = |text: &str| text.parse::<Capability>().unwrap_err();
        assert_eq!(check("files [scratch"), NotACapability::Form("files [scratch".into()));
        assert_eq!(check("files [a,,b]"), NotACapability::Form("files [a,,b]".into()));
        assert_eq!(check("flies"), NotACapability::Unknown("flies".into()));
        assert_eq!(check("device [x]"), NotACapability::NoScope("device"));
    }

    #[test]
    fn a_scope_allows_what_its_entries_say() {
        let scope = |grammar, entries: &[&str]| {
            Scope::new(grammar, entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>()).unwrap()
        };
        let globs = scope(ScopeGrammar::Globs, &["nginx", "postgresql*"]);
        assert!(globs.allows("nginx") && globs.allows("postgresql-15"));
        assert!(!globs.allows("nginx2") && !globs.allows("ssh"));
        let names = scope(ScopeGrammar::Names, &["scratch"]);
        assert!(names.allows("scratch") && !names.allows("scratch2"));
        assert!(!scope(ScopeGrammar::Names, &[]).allows("scratch"));
        assert!(scope(ScopeGrammar::None, &[]).allows("anything"));
        assert!(scope(ScopeGrammar::Names, &["*"]).allows("anything"));
    }

    #[test]
    fn a_pattern_covers_no_wider_one() {
        let check = |pattern: &str, entry: &str| covers(ScopeGrammar::Globs, pattern, entry);
        assert!(
            check("*", "?") && check("nginx*", "nginx-*") && check("nginx*", "nginx[*]") && check("ngin?", "nginx")
        );
        assert!(check("?", "?") && check("{a,b}", "a"));
        for (pattern, entry) in [("?", "*"), ("[*]", "*"), ("nginx?", "nginx*"), ("nginx-*", "nginx*"), ("a*b", "a*")] {
            assert!(!check(pattern, entry), "{pattern} {entry}");
        }
    }

    #[test]
    fn an_address_is_reached_where_it_is_public_or_named() {
        let scope = |entries: &[&str]| {
            Scope::new(ScopeGrammar::Origins, entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>())
                .unwrap()
        };
        let address = |text: &str| text.parse().unwrap();
        let web = scope(&["https://api.example.com", "https://127.0.0.1"]);
        assert!(web.allows_address(address("1.1.1.1")));
        assert!(!web.allows_address(address("127.0.0.1")), "an origin names no range");
        assert!(!web.allows_address(address("169.254.169.254")));
        let local = scope(&["https://api.example.com", "127.0.0.0/8"]);
        assert!(local.allows_address(address("127.0.0.1")) && !local.allows_address(address("10.0.0.1")));
        assert!(Scope::new(ScopeGrammar::Origins, vec!["*".to_owned()]).is_err());
    }
}
