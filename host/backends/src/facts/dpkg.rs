//! dpkg's status file: paragraphs of fields, as in deb-control(5).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::Root;

/// Where it is.
pub(crate) const ADMIN_DIR: &str = "/var/lib/dpkg";
/// The most packages read; Debian has 64,000.
const PACKAGES_MAX: usize = 100_000;

/// A package that dpkg knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) arch: String,
    /// Want, flag and state, as `install ok installed`.
    pub(crate) status: String,
    /// The source package; its own name where the file says none.
    pub(crate) source: String,
    pub(crate) maintainer: String,
    pub(crate) section: String,
    pub(crate) priority: String,
    /// What it takes when installed.
    pub(crate) size_kib: Option<u64>,
    pub(crate) is_multi_arch_same: bool,
}

impl Package {
    /// The last word of the status.
    pub(crate) fn state(&self) -> &str {
        self.status.rsplit(' ').next().unwrap_or_default()
    }

    /// What follows the last dash of the version; empty for a native package.
    pub(crate) fn revision(&self) -> &str {
        self.version.rsplit_once('-').map_or("", |(_, revision)| revision)
    }
}

/// Every package of which dpkg has something: also those that were removed and left their configuration.
pub(crate) fn packages(root: &Root) -> io::Result<Vec<Package>> {
    let text = match root.text("var/lib/dpkg/status") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let known = paragraphs(&text).filter_map(|fields| package(&fields));
    Ok(known.filter(|package| package.state() != "not-installed").take(PACKAGES_MAX).collect())
}

/// Packages that were installed only because others need them.
pub(crate) fn automatic(root: &Root) -> BTreeSet<(String, String)> {
    let text = root.text("var/lib/apt/extended_states").unwrap_or_default();
    let automatic = paragraphs(&text).filter(|fields| fields.get("Auto-Installed") == Some(&"1"));
    automatic
        .filter_map(|fields| Some(((*fields.get("Package")?).to_owned(), (*fields.get("Architecture")?).to_owned())))
        .collect()
}

/// When dpkg last unpacked the package: it then wrote the list of its files.
pub(crate) fn unpacked_ms(root: &Root, package: &Package) -> Option<u64> {
    // A name with a slash would be a path out of the folder.
    (!package.name.contains('/') && !package.arch.contains('/')).then_some(())?;
    let name = match package.is_multi_arch_same {
        true => format!("{}:{}", package.name, package.arch),
        false => package.name.clone(),
    };
    root.modified_ms(&format!("var/lib/dpkg/info/{name}.list"))
}

/// The fields of each paragraph; lines that go on with one before are left out, nothing here needs them.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    text.split("\n\n").map(|paragraph| {
        let lines = paragraph.lines().filter(|line| !line.starts_with([' ', '\t']));
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect()
    })
}

fn package(fields: &BTreeMap<&str, &str>) -> Option<Package> {
    let field = |name: &str| fields.get(name).map(|value| (*value).to_owned()).unwrap_or_default();
    let name = fields.get("Package").filter(|name| !name.is_empty())?;
    let source = fields.get("Source").and_then(|source| source.split(' ').next()).unwrap_or(name);
    Some(Package {
        name: (*name).to_owned(),
        version: field("Version"),
        arch: field("Architecture"),
        status: field("Status"),
        source: source.to_owned(),
        maintainer: field("Maintainer"),
        section: field("Section"),
        priority: field("Priority"),
        size_kib: fields.get("Installed-Size").and_then(|size| size.parse().ok()),
        is_multi_arch_same: fields.get("Multi-Arch") == Some(&"same"),
    })
}
