//! What each version of the contract has: a listing a version, beside the source. That of a version that was released never
//! changes; that of this one is what `wit/` says.

use std::collections::BTreeMap;

/// Every listing, the oldest first. A version is a file in `versions/`, written by `cargo xtask golden`, and its row here.
const LISTINGS: &[(&str, &str)] = &[("1.0.0", include_str!("../versions/1.0.0.txt"))];

/// The line of a listing that names the versions of remit that were released with it.
const RELEASED: &str = "released with";

/// A version of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken<'a> {
    /// Which.
    pub version: &'a str,
    /// The versions of remit that were released with it, in order; none yet where it may still change.
    pub released_with: Vec<&'a str>,
    /// Its interfaces, with their functions.
    pub interfaces: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Spoken<'a> {
    /// Reads a listing: an interface a line, its functions after a colon.
    pub fn read(version: &'a str, listing: &'a str) -> Self {
        let lines = listing.lines().filter(|line| !line.starts_with('#'));
        let mut spoken = Self { version, released_with: Vec::new(), interfaces: BTreeMap::new() };
        for (name, words) in lines.filter_map(|line| line.split_once(':')) {
            let words = words.split_whitespace().collect();
            match name {
                RELEASED => spoken.released_with = words,
                name => drop(spoken.interfaces.insert(name, words)),
            }
        }
        spoken
    }

    /// Its listing, as it is kept.
    pub fn written(&self) -> String {
        let line = |(name, words): (&str, &[&str])| {
            let words: String = words.iter().map(|it| format!(" {it}")).collect();
            format!("{name}:{words}\n")
        };
        let lines = self.interfaces.iter().map(|(name, functions)| line((name, functions)));
        let head = format!("# msp:automation@{}. Written by `cargo xtask golden`.\n", self.version);
        [head, line((RELEASED, &self.released_with))].into_iter().chain(lines).collect()
    }
}

/// Every version that this host knows, the oldest first.
pub fn known() -> impl DoubleEndedIterator<Item = Spoken<'static>> {
    LISTINGS.iter().map(|(version, listing)| Spoken::read(version, listing))
}

/// This version, as `wit/` has it.
pub fn current() -> Spoken<'static> {
    let released_with = known().find(|it| it.version == crate::VERSION).map(|it| it.released_with).unwrap_or_default();
    let interfaces = crate::EVERYTHING.iter().map(|(name, functions)| (*name, functions.to_vec())).collect();
    Spoken { version: crate::VERSION, released_with, interfaces }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_of_this_version_is_what_wit_says() {
        let kept = known().next_back().expect("there is one");
        let now = current();
        assert_eq!(kept, now, "`cargo xtask golden` writes it anew, unless it was released: then the version goes up");
        assert_eq!(now.interfaces.len(), crate::INTERFACES.len() + 5, "types, run, and what is exported");
    }

    #[test]
    fn a_listing_is_read_as_it_was_written_and_each_has_its_file() {
        for (version, text) in LISTINGS {
            assert_eq!(Spoken::read(version, text).written(), *text);
        }
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("versions");
        let files = std::fs::read_dir(folder).expect("the listings").count();
        assert_eq!(files, LISTINGS.len(), "each listing has a row");
    }

    #[test]
    fn what_was_released_stays() {
        let all: Vec<_> = known().collect();
        for (at, old) in all.iter().enumerate().filter(|(_, it)| !it.released_with.is_empty()) {
            for (name, functions) in &old.interfaces {
                for later in all.iter().skip(at + 1) {
                    let has = later.interfaces.get(name).is_some_and(|now| functions.iter().all(|it| now.contains(it)));
                    assert!(has, "{} has less of `{name}` than {}", later.version, old.version);
                }
            }
        }
    }
}
