//! Writes a first-party plugin: what `remit new` writes, as a member of this workspace.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::process::{cargo_command, run as run_command};
use crate::remit::{Remit, Which};
use crate::workspace::Workspace;

/// Write a first-party plugin that builds and passes every check as it is, in plugins/NAME
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remit: Which,

    /// Lower-case letters, digits and hyphens, beginning with a letter
    name: String,
}

/// What of a new project a first-party plugin has too; the rest makes a project stand alone.
const SHARED: [&str; 3] = ["src", "fixtures", "plugin.toml"];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let remit = Remit::new(&args.remit, &workspace)?;
    let name = args.name.as_str();
    // Whoever writes the projects knows which names there can be, and says so.
    let written = remit.command(&["new", name]).current_dir(remit.folder()).output()?;
    if !written.status.success() {
        bail!("{}", String::from_utf8_lossy(&written.stderr).trim());
    }
    let folder = workspace.root.join("plugins").join(name);
    if folder.exists() {
        bail!("plugins/{name} is there already, and stays as it is: take another name");
    }
    if let Some(other) = workspace.crates.iter().find(|it| it.name == name) {
        bail!("{} is called {name}, and a workspace has each name once: take another", other.folder);
    }
    let project = remit.folder().join(name);
    for part in SHARED {
        copy(&project.join(part), &folder.join(part))?;
    }
    let label = replaced(&folder.join("plugin.toml"), "publisher = \"me\"", "publisher = \"remit\"")?;
    let label: toml::Table = label.parse()?;
    let description = label.get("plugin").and_then(|it| it.get("description")?.as_str());
    let description = description.context("the label has a description")?;
    let fill = |text: &str| text.replace("NAME", name).replace("DESCRIPTION", description);
    std::fs::write(folder.join("Cargo.toml"), fill(CARGO_TOML))?;
    std::fs::write(folder.join("README.md"), fill(README))?;
    // The new member has a place in the lock file, and no other line of it moves.
    run_command(cargo_command().args(["update", "--workspace", "--offline", "--quiet"]).current_dir(&workspace.root))?;
    println!("plugins/{name}");
    eprintln!("next: make it yours, and then: cargo xtask plugins {name} && cargo test --package {name}");
    Ok(ExitCode::SUCCESS)
}

/// Copies a file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.is_dir() {
        std::fs::create_dir_all(to.parent().unwrap_or(to))?;
        std::fs::copy(from, to).with_context(|| format!("{}", from.display()))?;
        return Ok(());
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Replaces a piece of a file that is there once, and gives what is in it then.
fn replaced(file: &Path, from: &str, to: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)?;
    if text.matches(from).count() != 1 {
        bail!("the template of `remit new` has changed: {} should have `{from}` once", file.display());
    }
    let text = text.replace(from, to);
    std::fs::write(file, &text)?;
    Ok(text)
}

const CARGO_TOML: &str = r#"[package]
name = "NAME"
description = "DESCRIPTION"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lints]
workspace = true

[lib]
# The component, and a library for its tests.
crate-type = ["cdylib", "rlib"]

[dependencies]
remit-sdk = { path = "../../sdk" }
# The parameters, and their JSON Schema.
schemars = { workspace = true }
serde = { workspace = true }

[dev-dependencies]
serde_json = { workspace = true }
"#;

const README: &str = "# NAME

DESCRIPTION. Written by `cargo xtask new-plugin` from what `remit new` writes: make it yours.

```
remit run plugins/NAME --mode detect
```

Fixtures, run by `remit test plugins/NAME`: each begins with a line that says what it shows.

## The lesson
One call, a threshold for it among the parameters, and for each volume a finding whose fingerprint is the same in every run.
";
