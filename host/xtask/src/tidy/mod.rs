//! Rules of the repository that no compiler keeps.

mod contract;
mod crates;
mod manifests;
mod tree;

use anyhow::bail;

pub(crate) use contract::pin as pin_contract;

use crate::workspace::Workspace;
use crate::{declarations, long_forms};

/// Answers a line for everything that breaks it.
type Rule = fn(&Workspace) -> anyhow::Result<Vec<String>>;

const RULES: &[(&str, Rule)] = &[
    ("who may depend on whom", crates::walls),
    ("what a crate must never link", crates::links),
    ("every crate takes the workspace's lints", manifests::lints),
    ("every dependency that is not obvious has its reason above it", manifests::reasons),
    ("nothing stray at the top", tree::top_level),
    ("nothing that is true on one machine only", tree::one_machine),
    ("every locked crate comes from crates.io", tree::sources),
    ("every long form of a test is one that `cargo xtask soak` runs", long_forms::astray),
    ("wit/README.md was read when wit/ changed", contract::pinned),
    ("what other languages see of wit/ is what it says", declarations::stale),
];

/// Checks every rule, and lists all that break one.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let mut broken = String::new();
    for (name, rule) in RULES {
        let complaints = rule(workspace)?;
        if !complaints.is_empty() {
            broken += &format!("{name}:\n  {}\n", complaints.join("\n  "));
        }
    }
    if !broken.is_empty() {
        bail!("{}", broken.trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the folder of a crate in a made-up workspace says it depends on.
    pub(super) fn made_up(crates: &[(&str, &str, &[&str])]) -> Workspace {
        use crate::workspace::{Crate, Dependency};
        let name = |folder: &str| folder.rsplit('/').next().unwrap().to_owned();
        let crates = crates
            .iter()
            .map(|(folder, manifest, dependencies)| Crate {
                name: name(folder),
                folder: (*folder).to_owned(),
                manifest: (*manifest).to_owned(),
                dependencies: dependencies
                    .iter()
                    .map(|it| Dependency {
                        name: name(it),
                        folder: it.contains('/').then(|| (*it).to_owned()),
                        dev: false,
                    })
                    .collect(),
            })
            .collect();
        Workspace { root: ".".into(), target: "target".into(), crates, files: Vec::new() }
    }

    #[test]
    fn this_repository_is_known() {
        let workspace = Workspace::load().unwrap();
        assert!(workspace.crates.iter().any(|it| it.name == "xtask" && it.folder == "host/xtask"));
        assert!(workspace.files.iter().any(|it| it == "host/xtask/src/tidy/mod.rs"));
    }
}
