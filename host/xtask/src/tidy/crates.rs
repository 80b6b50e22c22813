//! The walls between crates.

use crate::process::{cargo_command, output};
use crate::workspace::{Crate, Dependency, Workspace};

/// What no crate asks for directly, where it must not.
pub(super) fn walls(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for it in &workspace.crates {
        for dependency in &it.dependencies {
            if let Some(why) = forbidden(it, dependency) {
                complaints.push(format!("{} depends on {}: {why}", it.folder, dependency.name));
            }
        }
    }
    Ok(complaints)
}

fn forbidden(from: &Crate, to: &Dependency) -> Option<&'static str> {
    let folder = to.folder.as_deref();
    let outside = |folder: &str| folder.starts_with("host/") || folder.starts_with("tests");
    if from.name == "model" && folder.is_some_and(|folder| folder != "host/contract") && !to.dev {
        return Some("the words stand on nothing but the contract");
    }
    if (from.folder.starts_with("sdk") || from.folder.starts_with("plugins/")) && folder.is_some_and(outside) {
        return Some("host and guest share wit/ and nothing else");
    }
    // The simulator's red team writes into the hub's file, as whoever stole it would.
    if to.name == "rusqlite" && !["store", "hub", "simulator"].contains(&from.name.as_str()) {
        return Some("SQL stays in store and hub");
    }
    if from.name == "hub" && ["runtime", "backends", "store", "agent"].contains(&to.name.as_str()) {
        return Some("the hub runs nothing, and keeps its own");
    }
    if to.name == "cel" && from.name != "expression" {
        return Some("what an expression may cost is bounded in expression");
    }
    None
}

/// Crates, and what must not be in them however it would get there.
const NEVER_LINKED: [(&str, &str); 14] = [
    ("simulator", "wasmtime"),
    ("contract", "wasmtime"),
    ("model", "wasmtime"),
    ("store", "wasmtime"),
    ("sources", "wasmtime"),
    ("trust", "wasmtime"),
    ("agent", "wasmtime"),
    ("fleet", "wasmtime"),
    ("backends", "wasmtime"),
    ("distribution", "wasmtime"),
    ("hub", "wasmtime"),
    ("bus", "wasmtime"),
    ("desk", "wasmtime"),
    ("xtask", "wasmtime"),
];

/// What no crate links, through others and their features too.
pub(super) fn links(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for (name, never) in NEVER_LINKED {
        let tree = output(cargo_command().current_dir(&workspace.root).args(tree_of(name)))?;
        if is_in_tree(&tree, never) {
            complaints.push(format!("{name} links {never}; see: cargo {}", tree_of(name).join(" ")));
        }
    }
    Ok(complaints)
}

fn tree_of(name: &str) -> [&str; 7] {
    ["tree", "--package", name, "--edges", "normal", "--prefix", "none"]
}

fn is_in_tree(tree: &str, name: &str) -> bool {
    tree.lines().any(|line| line.split([' ', '-']).next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::made_up;

    #[test]
    fn walls_stand() {
        let good = made_up(&[
            ("host/model", "", &["host/contract", "serde"]),
            ("host/store", "", &["host/model", "rusqlite"]),
            ("host/hub", "", &["host/model", "rusqlite"]),
            ("plugins/disk-cleanup", "", &["sdk/remit"]),
        ]);
        assert_eq!(walls(&good).unwrap(), [""; 0]);
        let bad = made_up(&[
            ("host/model", "", &["host/store"]),
            ("host/backends", "", &["rusqlite"]),
            ("host/fleet", "", &["cel"]),
            ("host/hub", "", &["host/runtime"]),
            ("plugins/disk-cleanup", "", &["host/model"]),
            ("sdk/remit", "", &["host/contract"]),
        ]);
        assert_eq!(walls(&bad).unwrap().len(), 6);
    }

    #[test]
    fn a_family_is_found_in_a_tree() {
        assert!(is_in_tree("backends v0.1.0 (/r)\nwasmtime-environ v48.0.0\n", "wasmtime"));
        assert!(!is_in_tree("backends v0.1.0 (/r/wasmtime)\nwasmtimes v1.0.0\n", "wasmtime"));
    }
}
