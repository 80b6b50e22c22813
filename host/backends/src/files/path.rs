use std::fmt;

use contract::types::Error;

use crate::errors;

use super::QUARANTINE;

/// The most bytes of a path: Linux's own limit.
const PATH_BYTES_MAX: usize = 4_096;

/// A path below a root that was looked through: no part of it leads up, out, or into what is the host's. Empty for the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RelPath(String);

impl RelPath {
    /// What a guest handed over, or why it is no path.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let bad = |problem: &str| Err(errors::invalid("path", format!("a path {problem}")));
        if text.is_empty() {
            return Ok(Self(String::new()));
        }
        if text.len() > PATH_BYTES_MAX {
            return bad("has at most 4 KiB");
        }
        if text.contains('\0') {
            return bad("holds no NUL");
        }
        if text.starts_with('/') {
            return bad("is relative to its root, and does not begin with `/`");
        }
        for part in text.split('/') {
            match part {
                "" => return bad("has no empty part"),
                "." | ".." => return bad("has no part `.` or `..`"),
                QUARANTINE => return bad("has no part `.remit-quarantine`: that is the host's"),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The root.
    pub(super) fn root() -> Self {
        Self(String::new())
    }

    /// The same, for what may be done to everything but the root.
    pub(super) fn not_the_root(self) -> Result<Self, Error> {
        match self.0.is_empty() {
            true => Err(errors::invalid("path", "the root itself is only read")),
            false => Ok(self),
        }
    }

    /// As text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts, none for the root.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Its folder and its name; none for the root.
    pub(super) fn split(&self) -> Option<(Self, &str)> {
        match self.0.rsplit_once('/') {
            Some((folder, name)) => Some((Self(folder.to_owned()), name)),
            None if self.0.is_empty() => None,
            None => Some((Self(String::new()), &self.0)),
        }
    }

    /// Every folder above it, the nearest to the root first, the root left out.
    pub(super) fn above(&self) -> impl DoubleEndedIterator<Item = Self> {
        self.0.match_indices('/').map(|(at, _)| Self(self.0.get(..at).unwrap_or_default().to_owned()))
    }

    /// What everything below it begins with.
    pub(super) fn prefix(&self) -> String {
        match self.0.is_empty() {
            true => String::new(),
            false => format!("{}/", self.0),
        }
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The order of lists: part by part, which is the order in which a walk comes by.
pub(super) fn path_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.split('/').cmp(b.split('/'))
}

/// Whether `path` is `folder` or below it.
pub(super) fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || folder.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_its_root() {
        for good in ["", "a", "a/b", "a/..b/...", ".hidden", "with space/ünï", "a\\b", "-rf"] {
            assert_eq!(RelPath::parse(good).unwrap().as_str(), good);
        }
        for bad in ["/", "/a", "a//b", "a/", ".", "..", "a/..", "../a", "a/./b", "a\0b", "x/.remit-quarantine/y"] {
            assert_eq!(RelPath::parse(bad).unwrap_err().code, "path", "{bad:?}");
        }
        assert!(RelPath::parse(&"a".repeat(4_096)).is_ok());
        assert!(RelPath::parse(&"a".repeat(4_097)).is_err());
    }

    #[test]
    fn a_path_knows_what_is_above_it() {
        let path = RelPath::parse("a/b/c").unwrap();
        assert_eq!(path.above().map(|it| it.0).collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(path.split(), Some((RelPath("a/b".into()), "c")));
        assert_eq!(RelPath::parse("a").unwrap().split(), Some((RelPath(String::new()), "a")));
        assert_eq!(RelPath::parse("").unwrap().split(), None);
        assert!(is_within("a/b", "a") && is_within("a", "a") && is_within("a", "") && !is_within("ab", "a"));
    }
}
