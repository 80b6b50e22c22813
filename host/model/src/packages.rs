//! Packages that were linked into a plugin, as its build found them: what a person must know to keep their licences.

use serde::{Deserialize, Serialize};

/// The component's custom section that lists them, as JSON.
pub const SECTION: &str = "remit:packages";

/// The most bytes of the section: npm's largest trees come to a tenth of it.
pub const PACKAGES_BYTES_MAX: usize = 256 << 10;

/// The most bytes of a name, a version and a licence. Some packages have the licence's text in place of its name.
const TEXT_BYTES_MAX: usize = 255;

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Package {
    /// As its own ecosystem knows it.
    pub name: String,
    /// In that ecosystem's form.
    pub version: String,
    /// An SPDX expression, or what the package says in its place; absent where it says nothing short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

impl Package {
    /// A package as its own metadata has it.
    pub fn new(name: &str, version: &str, license: Option<&str>) -> Self {
        let license = license.map(str::trim).filter(|it| !it.is_empty() && it.len() <= TEXT_BYTES_MAX);
        Self { name: name.to_owned(), version: version.to_owned(), license: license.map(str::to_owned) }
    }

    fn is_sound(&self) -> bool {
        let texts = [Some(&self.name), Some(&self.version), self.license.as_ref()];
        texts.into_iter().flatten().all(|it| !it.trim().is_empty() && it.len() <= TEXT_BYTES_MAX)
    }
}

/// The bytes of the section: in order, and each once.
pub fn to_section(packages: &[Package]) -> Vec<u8> {
    let mut packages = packages.to_vec();
    packages.sort();
    packages.dedup();
    serde_json::to_vec(&packages).unwrap_or_default()
}

/// Reads the section, or says what is wrong with it.
pub fn from_section(bytes: &[u8]) -> Result<Vec<Package>, String> {
    if bytes.len() > PACKAGES_BYTES_MAX {
        return Err(format!("it has {} bytes: at most {PACKAGES_BYTES_MAX} are read", bytes.len()));
    }
    let packages: Vec<Package> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match packages.iter().find(|it| !it.is_sound()) {
        None => Ok(packages),
        Some(it) => Err(format!(
            "the name, version and licence of `{}` have 1 to {TEXT_BYTES_MAX} bytes each",
            it.name.chars().take(80).flat_map(char::escape_debug).collect::<String>()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_and_within_its_limits() {
        let all = [Package::new("b", "1", Some(" MIT ")), Package::new("a", "2", Some(&"text ".repeat(100)))];
        let section = to_section(&[all.as_slice(), &all].concat());
        let read = from_section(&section).unwrap();
        assert_eq!(
            read.iter().map(|it| (&*it.name, it.license.as_deref())).collect::<Vec<_>>(),
            [("a", None), ("b", Some("MIT"))]
        );
        let named = |bytes: usize| from_section(&to_section(&[Package::new(&"n".repeat(bytes), "1", None)]));
        assert!(named(TEXT_BYTES_MAX).is_ok() && named(TEXT_BYTES_MAX + 1).is_err() && named(0).is_err());
        let many = |count: usize| {
            from_section(&to_section(
                &(0..count).map(|it| Package::new(&it.to_string(), "1", None)).collect::<Vec<_>>(),
            ))
        };
        assert!(many(1_000).is_ok() && many(20_000).unwrap_err().contains("at most 262144"));
        assert!(from_section(b"[{\"name\":\"a\",\"version\":\"1\",\"more\":1}]").is_err());
    }
}
