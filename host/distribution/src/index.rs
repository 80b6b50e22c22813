//! What there is to install: a document that a publisher or an MSP signs and hosts anywhere, a file on a web server included. Here
//! it is only read; who signed it, and whether an older one is passed off as the newest, is for whoever hands the bytes over.

use model::Digest;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::Source;

/// The most bytes of an index: 10,000 versions of 400 bytes.
pub const INDEX_BYTES_MAX: usize = 4 << 20;
/// The most plugins of an index.
const PLUGINS_MAX: usize = 5_000;
/// The most versions of a plugin.
const RELEASES_MAX: usize = 500;
/// The most bytes of a line of text in it, as in a manifest.
const TEXT_BYTES_MAX: usize = 255;
/// The version of the format.
const VERSION: u32 = 1;
/// The classes of capabilities, as the contract has them.
const CLASSES: [&str; 5] = ["L0", "L1", "L2", "L3", "L4"];

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Index {
    /// Always `index`: a document of another kind is not taken for one.
    kind: Kind,
    /// The version of the format.
    format: u32,
    /// What it is called, such as the MSP's name.
    pub name: String,
    /// Higher in each that is published.
    pub serial: u64,
    /// What there is.
    pub plugins: Vec<Listed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Index,
}

/// One plugin in an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Whoever publishes it.
    pub publisher: String,
    /// One line.
    pub description: String,
    /// What there is of it.
    pub releases: Vec<Release>,
}

/// One version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// The component's digest: what counts, wherever it is fetched from.
    pub digest: Digest,
    /// The component's size.
    pub size_bytes: u64,
    /// Where it is: a registry or an address.
    pub source: String,
    /// The classes of what it may touch, such as `L1`.
    pub classes: Vec<String>,
    /// Why nobody is to install it any more. What is installed goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<String>,
}

/// Everything that is wrong with an index.
#[derive(Debug, thiserror::Error)]
pub enum BadIndex {
    /// It is not read at all.
    #[error("it has {0} bytes: at most {INDEX_BYTES_MAX} are read")]
    TooLarge(usize),
    /// It does not parse.
    #[error("it is no index")]
    Json(#[source] serde_json::Error),
    /// A newer one wrote it.
    #[error("it has format {0}, this remit knows {VERSION}: update remit")]
    TooNew(u32),
    /// It parses, and says what it must not.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
}

/// The part of the format that never changes.
#[derive(Deserialize)]
struct Versioned {
    kind: Kind,
    format: u32,
}

impl Index {
    /// One to be filled.
    pub fn new(name: &str, serial: u64) -> Self {
        Self { kind: Kind::Index, format: VERSION, name: name.to_owned(), serial, plugins: Vec::new() }
    }

    /// Out of bytes that were verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadIndex> {
        if bytes.len() > INDEX_BYTES_MAX {
            return Err(BadIndex::TooLarge(bytes.len()));
        }
        let Versioned { kind: Kind::Index, format } = serde_json::from_slice(bytes).map_err(BadIndex::Json)?;
        if format != VERSION {
            return Err(BadIndex::TooNew(format));
        }
        let index: Self = serde_json::from_slice(bytes).map_err(BadIndex::Json)?;
        let problems = index.problems();
        match problems.is_empty() {
            true => Ok(index),
            false => Err(BadIndex::Wrong(problems)),
        }
    }

    /// The bytes to be signed: one form, RFC 8785.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BadIndex> {
        let problems = self.problems();
        match problems.is_empty() {
            true => serde_json_canonicalizer::to_vec(self).map_err(BadIndex::Json),
            false => Err(BadIndex::Wrong(problems)),
        }
    }

    /// The plugins that have all of these words in name, publisher or description; all of them for none.
    pub fn search<'a>(&'a self, words: &'a [String]) -> impl Iterator<Item = &'a Listed> {
        self.plugins.iter().filter(move |it| {
            let text = format!("{} {} {}", it.name, it.publisher, it.description).to_lowercase();
            words.iter().all(|word| text.contains(&word.to_lowercase()))
        })
    }

    /// The release of a plugin that is to be installed: this one, or the newest that nobody took back and that is no preview.
    pub fn release(&self, name: &str, version: Option<&Version>) -> Option<&Release> {
        let releases = &self.plugins.iter().find(|it| it.name == name)?.releases;
        match version {
            Some(version) => releases.iter().find(|it| it.version == *version),
            None => {
                let offered = releases.iter().filter(|it| it.yanked.is_none() && it.version.pre.is_empty());
                offered.max_by(|a, b| a.version.cmp(&b.version))
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.plugins.len() > PLUGINS_MAX {
            return vec![format!("plugins: more than {PLUGINS_MAX}")];
        }
        check_text(&mut problems, "name", &self.name);
        let mut names: Vec<&str> = self.plugins.iter().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        problems.extend(twice(&names).map(|name| format!("plugins: `{name}` is there twice")));
        for plugin in &self.plugins {
            plugin.check(&mut problems);
        }
        problems
    }
}

impl Listed {
    fn check(&self, problems: &mut Vec<String>) {
        let of = &self.name;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if of.is_empty() || of.len() > 64 || !of.bytes().all(is_name) {
            problems.push(format!("`{of}`: a name has 1 to 64 lower-case letters, digits and hyphens"));
        }
        check_text(problems, &format!("{of}: publisher"), &self.publisher);
        check_text(problems, &format!("{of}: description"), &self.description);
        if self.releases.is_empty() || self.releases.len() > RELEASES_MAX {
            problems.push(format!("{of}: expected 1 to {RELEASES_MAX} releases, has {}", self.releases.len()));
            return;
        }
        let mut versions: Vec<&Version> = self.releases.iter().map(|it| &it.version).collect();
        versions.sort_unstable();
        problems.extend(twice(&versions).map(|version| format!("{of} {version}: is there twice")));
        for release in &self.releases {
            release.check(of, problems);
        }
    }
}

impl Release {
    fn check(&self, of: &str, problems: &mut Vec<String>) {
        let version = &self.version;
        match self.source.parse::<Source>() {
            // What is on the disk of whoever wrote it is not on the reader's.
            Ok(source) if source.is_local() => {
                problems.push(format!("{of} {version}: `{}` is a file: others need an address", self.source));
            }
            Ok(_) => {}
            Err(error) => problems.push(format!("{of} {version}: {error}")),
        }
        for class in self.classes.iter().filter(|class| !CLASSES.contains(&class.as_str())) {
            problems.push(format!("{of} {version}: `{class}` is no class; there are {}", CLASSES.join(", ")));
        }
        if let Some(why) = &self.yanked {
            check_text(problems, &format!("{of} {version}: yanked"), why);
        }
    }
}

fn check_text(problems: &mut Vec<String>, what: &str, text: &str) {
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        problems.push(format!("{what}: expected one line of 1 to {TEXT_BYTES_MAX} bytes"));
    }
}

/// What is twice in a sorted list.
fn twice<T: PartialEq + Copy>(sorted: &[T]) -> impl Iterator<Item = T> {
    sorted.windows(2).filter_map(|two| match two {
        [a, b] if a == b => Some(*a),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let release = |version: &str, yanked: Option<&str>| Release {
            version: version.parse().unwrap(),
            digest: Digest::of(version.as_bytes()),
            size_bytes: 4,
            source: format!("oci://a.example/disk-cleanup:{version}"),
            classes: vec!["L0".to_owned(), "L2".to_owned()],
            yanked: yanked.map(str::to_owned),
        };
        let mut index = Index::new("Example MSP", 3);
        index.plugins.push(Listed {
            name: "disk-cleanup".to_owned(),
            publisher: "example".to_owned(),
            description: "Frees space on full volumes".to_owned(),
            releases: vec![
                release("1.10.0", None),
                release("1.9.0", None),
                release("1.11.0", Some("it removes too much")),
                release("2.0.0-rc.1", None),
            ],
        });
        index
    }

    #[test]
    fn what_is_written_is_read_and_found() {
        let index = index();
        let bytes = index.to_bytes().unwrap();
        assert_eq!(Index::parse(&bytes).unwrap(), index);
        let found = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&it| it.to_owned()).collect();
            index.search(&words).count()
        };
        assert_eq!((found(&[]), found(&["SPACE", "disk"]), found(&["space", "patch"])), (1, 1, 0));
        let version = |wanted: Option<&str>| {
            let wanted = wanted.map(|it| it.parse().unwrap());
            index.release("disk-cleanup", wanted.as_ref()).map(|it| it.version.to_string())
        };
        assert_eq!(version(None).as_deref(), Some("1.10.0"), "neither what was taken back nor a preview");
        assert_eq!(version(Some("1.11.0")).as_deref(), Some("1.11.0"), "unless it is named");
        assert_eq!(version(Some("3.0.0")), None);
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let mut wrong = index();
        wrong.plugins[0].name = "Disk Cleanup".to_owned();
        wrong.plugins[0].description = "\u{1b}[2J".to_owned();
        wrong.plugins[0].releases[0].source = "./a.wasm".to_owned();
        wrong.plugins[0].releases[1].classes.push("L9".to_owned());
        wrong.plugins[0].releases[2].version = "1.10.0".parse().unwrap();
        wrong.plugins.push(wrong.plugins[0].clone());
        let Err(BadIndex::Wrong(problems)) = wrong.to_bytes() else { panic!("it is wrong") };
        for what in [
            "a name has",
            "description: expected one line",
            "is a file",
            "`L9` is no class",
            "1.10.0: is there twice",
            "`Disk Cleanup` is there twice",
        ] {
            assert!(problems.iter().any(|it| it.contains(what)), "{what}: {problems:#?}");
        }
    }

    #[test]
    fn what_is_no_index_says_so() {
        let text = String::from_utf8(index().to_bytes().unwrap()).unwrap();
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Index::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err()
        };
        assert!(matches!(refused("\"format\":1", "\"format\":2,\"new\":1"), BadIndex::TooNew(2)));
        for (from, to) in [
            ("\"kind\":\"index\"", "\"kind\":\"approval\""),
            ("\"serial\":3", "\"serial\":3,\"serial\":4"),
            ("\"serial\":3", "\"serial\":3,\"more\":4"),
            ("\"serial\":3", "\"serial\":3.5"),
            ("\"version\":\"1.9.0\"", "\"version\":\"1.9\""),
            ("\"digest\":\"sha256:", "\"digest\":\"sha1:"),
        ] {
            assert!(matches!(refused(from, to), BadIndex::Json(_)), "{to}");
        }
        assert!(matches!(Index::parse(format!("{text}x").as_bytes()), Err(BadIndex::Json(_))), "trailing data");
        assert!(matches!(Index::parse(&vec![b' '; INDEX_BYTES_MAX + 1]), Err(BadIndex::TooLarge(_))));
    }
}
