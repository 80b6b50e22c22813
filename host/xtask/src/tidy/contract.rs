//! The contract and the page that says how it may change go together.

use std::path::PathBuf;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::workspace::Workspace;

const PAGE: &str = "wit/README.md";
const PIN: &str = "Contract: `sha256:";

/// The page names the contract that it describes.
pub(super) fn pinned(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let Ok(page) = std::fs::read_to_string(page(workspace)) else {
        return Ok(vec![format!("{PAGE} is missing")]);
    };
    let now = pin_line(&hash(workspace)?);
    if page.lines().any(|line| line == now) {
        return Ok(Vec::new());
    }
    Ok(vec![format!("wit/ changed: make {PAGE} true again, then `cargo xtask check --pin-contract` ({now})")])
}

/// Writes the present hash into the page.
pub(crate) fn pin(workspace: &Workspace) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(page(workspace)).context(PAGE)?;
    let pinned = with_pin(&text, &pin_line(&hash(workspace)?));
    std::fs::write(page(workspace), pinned).context(PAGE)
}

fn with_pin(page: &str, pin: &str) -> String {
    let kept = page.lines().filter(|line| !line.starts_with(PIN));
    let mut page = kept.collect::<Vec<_>>().join("\n").trim_end().to_owned();
    page.push_str("\n\n");
    page.push_str(pin);
    page.push('\n');
    page
}

fn page(workspace: &Workspace) -> PathBuf {
    workspace.root.join(PAGE)
}

fn pin_line(hash: &str) -> String {
    format!("{PIN}{hash}`")
}

/// Over the names and the bytes of all files of the contract.
fn hash(workspace: &Workspace) -> anyhow::Result<String> {
    let mut names: Vec<&String> =
        workspace.files.iter().filter(|file| file.starts_with("wit/") && file.ends_with(".wit")).collect();
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        let bytes = std::fs::read(workspace.root.join(name))?;
        hash.update(format!("{name} {}\n", bytes.len()));
        hash.update(bytes);
    }
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_replaces_the_last_one() {
        let old = with_pin("# Contract\n", &pin_line("aa"));
        assert_eq!(old, "# Contract\n\nContract: `sha256:aa`\n");
        assert_eq!(with_pin(&old, &pin_line("bb")), "# Contract\n\nContract: `sha256:bb`\n");
    }
}
