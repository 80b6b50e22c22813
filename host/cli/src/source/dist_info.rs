//! What pip installed into a folder, as each package says of itself.

use std::path::Path;

use anyhow::Context as _;
use model::Package;

/// The packages in a folder.
pub(super) fn packages(folder: &Path) -> anyhow::Result<Vec<Package>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "dist-info") {
            let path = path.join("METADATA");
            let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
            found.extend(package(&text));
        }
    }
    Ok(found)
}

/// The head of a METADATA is that of a mail, and so is its end: an empty line.
fn package(metadata: &str) -> Option<Package> {
    let head = || metadata.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
    let field = |name: &str| head().find(|(it, _)| *it == name).map(|(_, value)| value);
    // An SPDX expression; before there were such, a word or the whole text, and words of a list.
    let of_list = || {
        let licenses = head().filter(|(name, _)| *name == "Classifier").map(|(_, value)| value);
        let mut licenses = licenses.filter_map(|it| it.strip_prefix("License :: "));
        licenses.next().and_then(|it| it.rsplit(" :: ").next())
    };
    let license = field("License-Expression").or_else(of_list).or_else(|| field("License"));
    Some(Package::new(field("Name")?, field("Version")?, license))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_says_its_licence_in_one_of_three_ways() {
        let with =
            |line: &str| package(&format!("Metadata-Version: 2.4\nName: idna\nVersion: 3.10\n{line}\n\nLicense: no\n"));
        for (line, license) in [
            ("License-Expression: BSD-3-Clause", Some("BSD-3-Clause")),
            ("License: long text\nClassifier: License :: OSI Approved :: BSD License", Some("BSD License")),
            ("License: MIT", Some("MIT")),
            ("Summary: none", None),
        ] {
            assert_eq!(with(line), Some(Package::new("idna", "3.10", license)));
        }
        assert_eq!(package("Name: idna\n"), None);
    }
}
