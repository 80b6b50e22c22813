//! What files there are, and what must not be in them.

use crate::workspace::Workspace;

/// The first screen of a clone is a map: what belongs below goes below.
#[rustfmt::skip]
const TOP: &[&str] = &[
    ".cargo", ".ci", ".gitattributes", ".github", ".gitignore", ".rustfmt.toml", "CHANGELOG.md", "CONTRIBUTING.md",
    "Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "SECURITY.md", "clippy.toml", "deny.toml", "host", "plugins",
    "rust-toolchain.toml", "sdk", "tests", "wit",
];

/// Nothing lies at the top but what is on the map.
pub(super) fn top_level(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut strays: Vec<String> =
        workspace.files.iter().filter_map(|file| file.split('/').next()).map(str::to_owned).collect();
    strays.dedup();
    strays.retain(|name| !TOP.contains(&name.as_str()));
    Ok(strays)
}

/// Folders and hosts of whoever wrote the text: for everybody else they do not exist. In pieces, or they would be found here.
const ONE_MACHINE: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!(".libr", "ary/"),
    concat!("/fa", "rm/"),
    concat!("pkg", ".dev/"),
    concat!("artifact", "registry."),
];

/// No file speaks of the machine that it was written on.
pub(super) fn one_machine(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for file in &workspace.files {
        let text = String::from_utf8_lossy(&std::fs::read(workspace.root.join(file))?).into_owned();
        complaints.extend(found(&text).map(|(line, words)| format!("{file}:{line}: {words}")));
    }
    Ok(complaints)
}

fn found(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    let lines = text.lines().enumerate();
    lines.filter_map(|(at, line)| Some((at + 1, ONE_MACHINE.into_iter().find(|words| line.contains(words))?)))
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A lock file that was written behind a mirror works only behind that mirror.
pub(super) fn sources(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let locks = workspace.files.iter().filter(|file| file.ends_with("Cargo.lock"));
    let mut complaints = Vec::new();
    for file in locks {
        let lock = std::fs::read_to_string(workspace.root.join(file))?;
        complaints.extend(elsewhere(&lock).map(|source| format!("{file}: {source}")));
    }
    Ok(complaints)
}

fn elsewhere(lock: &str) -> impl Iterator<Item = &str> {
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = \"")?.strip_suffix('"'));
    sources.filter(|source| *source != CRATES_IO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::made_up;

    #[test]
    fn strays_are_named_once() {
        let mut workspace = made_up(&[]);
        workspace.files = ["host/a.rs", "notes/a.md", "notes/b.md", "README.md"].map(str::to_owned).into();
        assert_eq!(top_level(&workspace).unwrap(), ["notes"]);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = format!("fine\nsee {}notes\n", ONE_MACHINE[0]);
        assert_eq!(found(&text).collect::<Vec<_>>(), [(2, ONE_MACHINE[0])]);
        assert_eq!(found("src/work and a workplace\n").count(), 0);
    }

    #[test]
    fn a_mirror_is_found() {
        let lock = format!("source = \"{CRATES_IO}\"\nsource = \"registry+https://mirror.example/index\"\n");
        assert_eq!(elsewhere(&lock).collect::<Vec<_>>(), ["registry+https://mirror.example/index"]);
    }
}
