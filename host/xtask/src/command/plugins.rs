//! Builds, checks and tests every first-party plugin, and shows them side by side.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Output};
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Modify, Style};
use tabled::{Table, Tabled};

use crate::remit::{Remit, Which};
use crate::setup;
use crate::workspace::Workspace;

/// Build, check and test every plugin in plugins/, and show them in one table
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remit: Which,

    /// Only these
    names: Vec<String>,
}

/// What a plugin is, as far as it came.
#[derive(Default, Tabled)]
struct Row {
    plugin: String,
    version: String,
    #[tabled(rename = "bytes")]
    size: String,
    #[tabled(rename = "imports of msp:automation")]
    imports: String,
    fixtures: String,
    /// Why it is not fit to be shipped; empty where it is.
    #[tabled(rename = "")]
    problem: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let folders = folders(&workspace, &args.names)?;
    setup::rust_targets(&["wasm32-wasip2"])?;
    let remit = Remit::new(&args.remit, &workspace)?;
    let mut rows = Vec::new();
    for folder in &folders {
        let start = Instant::now();
        let mut row = Row { plugin: name(folder), ..Row::default() };
        if let Err(error) = row.fill(&remit, folder) {
            eprintln!("{}: {error:#}\n", row.plugin);
            "FAILED".clone_into(&mut row.problem);
        }
        eprintln!("{}: {:.1} s", row.plugin, start.elapsed().as_secs_f64());
        rows.push(row);
    }
    let mut table = Table::new(&rows);
    let numbers = Modify::new(Columns::one(2)).with(Alignment::right());
    table.with(Style::blank()).with(numbers).with(Modify::new(Rows::first()).with(Alignment::left()));
    println!("{table}");
    let failed = rows.iter().filter(|row| !row.problem.is_empty()).count();
    println!("{} plugins, {failed} failed", rows.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The folders of the plugins that are wanted.
fn folders(workspace: &Workspace, names: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let is_plugin = |folder: &&str| folder.starts_with("plugins/");
    let all: Vec<PathBuf> = workspace
        .crates
        .iter()
        .map(|it| it.folder.as_str())
        .filter(is_plugin)
        .map(|it| workspace.root.join(it))
        .collect();
    if let Some(unknown) = names.iter().find(|wanted| !all.iter().any(|folder| name(folder) == **wanted)) {
        bail!("there is no plugins/{unknown}");
    }
    let mut wanted: Vec<PathBuf> =
        all.into_iter().filter(|folder| names.is_empty() || names.contains(&name(folder))).collect();
    wanted.sort();
    Ok(wanted)
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Row {
    /// Fills it in, step by step; what is known when a step fails stays.
    fn fill(&mut self, remit: &Remit, folder: &Path) -> anyhow::Result<()> {
        let source = folder.display().to_string();
        let file = text(succeeded(remit.ask(&["build", &source])?).context("it does not build")?)?;
        let file = file.trim_end();
        self.size = std::fs::metadata(file).with_context(|| file.to_owned())?.len().to_string();

        let label = json(&succeeded(remit.ask(&["inspect", file, "--output", "json"])?).context("it has no label")?)?;
        label.get("version").and_then(Value::as_str).unwrap_or_default().clone_into(&mut self.version);
        self.imports = imports(&label).join(", ");

        let checked = succeeded(remit.ask(&["check", file])?).context("it does not pass `remit check`")?;
        // What it declares and does not use is worth a word, and no failure.
        eprint!("{}", String::from_utf8_lossy(&checked.stderr));

        let fixtures = folder.join("fixtures").display().to_string();
        let tested = remit.ask(&["test", file, "--fixtures", &fixtures, "--output", "json"])?;
        let tested = json(&tested).with_context(|| said(&tested)).context("its fixtures cannot be run")?;
        let tested = tested.as_array().map(Vec::as_slice).unwrap_or_default();
        let failed: Vec<&Value> = tested.iter().filter(|it| it["passed"] != true).collect();
        self.fixtures = format!("{} of {}", tested.len() - failed.len(), tested.len());
        match failed.first() {
            Some(first) => bail!("fixture {} fails: {}", first["fixture"], first["differences"]),
            None if tested.is_empty() => bail!("it has no fixtures"),
            None => Ok(()),
        }
    }
}

/// The interfaces whose functions a plugin calls.
fn imports(label: &Value) -> Vec<&str> {
    let rows = label["capabilities"].as_array().map(Vec::as_slice).unwrap_or_default();
    let used = rows.iter().filter(|row| row["functions"].as_array().is_some_and(|functions| !functions.is_empty()));
    // `files-write [scratch]`: the scope is the grant's, not the import's.
    used.filter_map(|row| row["capability"].as_str()?.split(' ').next()).collect()
}

fn succeeded(output: Output) -> anyhow::Result<Output> {
    if !output.status.success() {
        bail!("{}", said(&output));
    }
    Ok(output)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn text(output: Output) -> anyhow::Result<String> {
    Ok(String::from_utf8(output.stdout)?)
}

fn json(output: &Output) -> anyhow::Result<Value> {
    serde_json::from_slice(&output.stdout).context("it did not answer JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_what_is_called_without_its_scope() {
        let label = serde_json::json!({ "capabilities": [
            { "capability": "files-write [scratch]", "functions": ["remove-entry"] },
            { "capability": "device", "functions": [] },
            { "capability": "kv", "functions": ["get-value"] },
        ] });
        assert_eq!(imports(&label), ["files-write", "kv"]);
    }
}
