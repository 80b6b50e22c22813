use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most bytes of a name.
const NAME_BYTES_MAX: usize = 64;

/// Stands for every name, where a list may say so.
const ALL: &str = "*";

/// What somebody or something is called in statements: a client, a site, a tag, a person, a publisher. It becomes the name of
/// a file, so it has nothing in it that a file's name may not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._@".contains(&byte);
        let is_first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let is_name = is_first && text.len() <= NAME_BYTES_MAX && text.bytes().all(is_inner);
        is_name.then(|| Self(text.to_owned())).ok_or_else(|| NotAName(text.to_owned()))
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// The text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: expected 1 to {NAME_BYTES_MAX} of `a-z`, `0-9`, `-`, `.`, `_`, `@`, the first a letter or digit"
)]
pub struct NotAName(String);

/// Names that are meant: listed, or all of them by a single `*`. An empty list means nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub enum Names {
    /// Whatever it is called, and also where it is called nothing.
    All,
    /// These.
    These(Vec<Name>),
}

impl Names {
    /// Whether this one is meant. What has no name is meant only where all are.
    pub fn has(&self, name: Option<&Name>) -> bool {
        match (self, name) {
            (Self::All, _) => true,
            (Self::These(names), Some(name)) => names.contains(name),
            (Self::These(_), None) => false,
        }
    }

    /// Whether every name that the others mean is meant here too.
    pub fn cover(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::All, _) => true,
            (Self::These(_), Self::All) => false,
            (Self::These(names), Self::These(others)) => others.iter().all(|name| names.contains(name)),
        }
    }
}

impl TryFrom<Vec<String>> for Names {
    type Error = NotAName;

    fn try_from(texts: Vec<String>) -> Result<Self, NotAName> {
        match texts.as_slice() {
            [one] if one == ALL => Ok(Self::All),
            _ => texts.into_iter().map(Name::try_from).collect::<Result<_, _>>().map(Self::These),
        }
    }
}

impl From<Names> for Vec<String> {
    fn from(names: Names) -> Self {
        match names {
            Names::All => vec![ALL.to_owned()],
            Names::These(names) => names.into_iter().map(String::from).collect(),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Vec::<String>::from(self.clone()).join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_file_s_name() {
        for good in ["acme", "a", "alice@msp.example", "disk-cleanup.2", &"x".repeat(64)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-x", "a/b", "a\\b", "A", "ü", "a b", "*", &"x".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_means_all_and_stands_alone() {
        let names = |texts: &[&str]| Names::try_from(texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>());
        let acme: Name = "acme".parse().unwrap();
        let (all, one, none) = (names(&["*"]).unwrap(), names(&["acme"]).unwrap(), names(&[]).unwrap());
        assert!(names(&["*", "acme"]).is_err());
        assert!(all.has(None) && all.has(Some(&acme)) && one.has(Some(&acme)));
        assert!(!one.has(None) && !none.has(Some(&acme)));
        assert!(all.cover(&one) && one.cover(&none) && one.cover(&one));
        assert!(!one.cover(&all) && !none.cover(&one));
    }
}
