//! A plugin's label while it is built: what it declares, and the line to add where it lacks something.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model::{Manifest, capability};

/// `plugin.toml`, read.
pub(super) struct Label {
    pub(super) manifest: Manifest,
    path: PathBuf,
}

impl Label {
    /// Of a folder whose parameters are described in the label itself.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("plugin.toml");
        let text = text(&path)?;
        let manifest = Manifest::from_toml(&text, None).with_context(|| format!("{}", path.display()))?;
        Ok(Self { manifest, path })
    }

    pub(super) fn declares(&self, interface: &str) -> bool {
        self.manifest.capabilities.contains_key(interface)
    }

    /// That a place in the source uses an interface which is not declared, and the line that would.
    pub(super) fn undeclared(&self, place: &str, interface: &str, functions: &[String]) -> String {
        let functions = if functions.is_empty() { String::new() } else { format!(" ({})", functions.join(", ")) };
        let add = to_add(interface, &self.path);
        format!("{place}: it imports `{interface}`{functions}, which its manifest does not declare; {add}")
    }
}

/// The text of a folder's label.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{}: a plugin's folder has a plugin.toml", path.display()))
}

/// The lines that would declare an interface, and where.
pub(super) fn to_add(interface: &str, label: &Path) -> String {
    let scope = match capability::interface(interface).map(|row| row.scope) {
        Some(contract::ScopeGrammar::None) | None => "",
        Some(_) => "\n      scope = [\"…\"]",
    };
    let (file, line) = (label.display(), super::lines(label) + 1);
    format!("add at {file}:{line}\n      [capabilities.{interface}]{scope}\n      reason = \"…\"")
}
