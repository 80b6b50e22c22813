use std::collections::BTreeMap;

use super::Root;

/// os-release(5): assignments with the quotes of a shell, and without its expansions.
pub(crate) fn read(root: &Root) -> BTreeMap<String, String> {
    let text = ["etc/os-release", "usr/lib/os-release"].iter().find_map(|path| root.text(path).ok());
    let text = text.unwrap_or_default();
    let assignments = text.lines().filter_map(|line| line.trim().split_once('='));
    assignments
        .filter(|(name, _)| !name.starts_with('#'))
        .map(|(name, value)| (name.to_owned(), unquote(value)))
        .collect()
}

fn unquote(value: &str) -> String {
    let quoted = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let mut plain = String::new();
    let mut escaped = false;
    for character in quoted.unwrap_or(value).chars() {
        match character {
            '\\' if !escaped => escaped = true,
            character => {
                plain.push(character);
                escaped = false;
            }
        }
    }
    plain
}
