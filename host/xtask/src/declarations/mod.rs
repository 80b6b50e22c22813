//! What authors in JavaScript, TypeScript and Python see of the contract: generated out of `wit/`, and committed, so that
//! nobody needs anything to have it.

pub(crate) mod contract;
mod javascript;
mod limits;
mod python;
mod typescript;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::workspace::Workspace;
use contract::Contract;

/// Where it is written.
const FOLDERS: [&str; 3] = ["sdk/javascript/types", "sdk/javascript/host/interfaces", "sdk/python/msp/automation"];
/// What a file begins with that is written here; beside them may lie others.
const MARKS: [&str; 2] = ["// Written by `cargo xtask declarations`", "# Written by `cargo xtask declarations`"];

/// Writes what is stale, takes away what is no longer written, and names both.
pub(crate) fn write(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut changed = Vec::new();
    for (path, text) in files(workspace)? {
        let file = workspace.root.join(&path);
        if std::fs::read_to_string(&file).ok().as_ref() != Some(&text) {
            std::fs::create_dir_all(file.parent().unwrap_or(&workspace.root))?;
            std::fs::write(&file, text).with_context(|| format!("{}", file.display()))?;
            changed.push(path);
        }
    }
    for path in strays(workspace)? {
        std::fs::remove_file(workspace.root.join(&path))?;
        changed.push(path);
    }
    Ok(changed)
}

/// Every file that is not what `wit/` says.
pub(crate) fn stale(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut stale = strays(workspace)?;
    for (path, text) in files(workspace)? {
        if std::fs::read_to_string(workspace.root.join(&path)).ok() != Some(text) {
            stale.push(path);
        }
    }
    Ok(stale.into_iter().map(|path| format!("{path} is stale: `cargo xtask declarations` writes it anew")).collect())
}

/// Each file, relative to the root, and its text.
fn files(workspace: &Workspace) -> anyhow::Result<Vec<(String, String)>> {
    let contract = Contract::read(&workspace.root.join("wit"))?;
    let limits = limits::read(&workspace.root)?;
    let written = [typescript::files(&contract, &limits), javascript::files(&contract), python::files(&contract)];
    let below = |folder: &str, (name, text): (String, String)| (format!("{folder}/{name}"), text);
    let all =
        FOLDERS.iter().zip(written).flat_map(|(folder, files)| files.into_iter().map(move |it| below(folder, it)));
    Ok(all.collect())
}

/// Files that were written here, and are no longer.
fn strays(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let written = files(workspace)?;
    let mut strays = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(workspace.root.join(folder)) else { continue };
        for entry in entries {
            let entry = entry?;
            let path: PathBuf = [folder.as_ref(), entry.file_name().as_os_str()].iter().collect();
            let path = path.to_string_lossy().into_owned();
            if !entry.file_type()?.is_file() || written.iter().any(|(it, _)| *it == path) {
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned();
            if MARKS.iter().any(|mark| text.starts_with(mark)) {
                strays.push(path);
            }
        }
    }
    Ok(strays)
}
