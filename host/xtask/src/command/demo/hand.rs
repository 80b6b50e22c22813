//! The person of the demo: types commands, and reads what they answer.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{cargo, cargo_command, output, shown};

/// What is built before the demo begins.
const PLUGINS: [&str; 4] = ["disk-cleanup", "disk-space", "patch-compliance", "service-watchdog"];

/// A folder to work in, and a `remit` with a memory of its own.
pub(super) struct Hand {
    folder: TempDir,
    remit: PathBuf,
    target: PathBuf,
}

/// What a command answered.
pub(super) struct Answer {
    /// The JSON value that it wrote.
    pub(super) json: Value,
    /// Its exit code.
    pub(super) code: i32,
}

impl Hand {
    /// Builds `remit` and the plugins.
    pub(super) fn new() -> anyhow::Result<Self> {
        println!("building remit, and {}", PLUGINS.join(", "));
        let metadata = output(cargo_command().args(["metadata", "--format-version", "1", "--no-deps"]))?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let path = |key: &str| metadata.get(key).and_then(Value::as_str).map(PathBuf::from).context("cargo metadata");
        let (root, target) = (path("workspace_root")?, path("target_directory")?);
        cargo(&["build", "--quiet", "--workspace", "--bin", "remit"])?;
        let remit = target.join("debug/remit");
        for plugin in PLUGINS {
            output(Command::new(&remit).arg("build").arg(root.join("plugins").join(plugin)))?;
        }
        Ok(Self { folder: TempDir::with_prefix("remit-demo-")?, remit, target })
    }

    /// The program.
    pub(super) fn program(&self) -> &Path {
        &self.remit
    }

    /// A plugin that was built.
    pub(super) fn plugin(&self, name: &str) -> PathBuf {
        self.target.join("remit").join(format!("{name}.wasm"))
    }

    /// A place in the folder to work in.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Host policy of this device.
    pub(super) fn policy(&self, text: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.path("policy.toml"), text)?)
    }

    /// `remit run` of a plugin.
    pub(super) fn run(&self, plugin: &str, args: &[&str]) -> anyhow::Result<Answer> {
        let file = self.plugin(plugin).display().to_string();
        self.remit(&[&["run", &file], args].concat())
    }

    /// Any command that answers JSON.
    pub(super) fn remit(&self, args: &[&str]) -> anyhow::Result<Answer> {
        let policy = self.path("policy.toml");
        if !policy.exists() {
            self.policy("")?;
        }
        let mut command = Command::new(&self.remit);
        command.args(args).env("REMIT_STATE", self.path("state")).env("REMIT_POLICY", policy);
        ask(command.args(["--output", "json"]))
    }

    /// The events of a run.
    pub(super) fn events(&self, run: &str) -> anyhow::Result<Vec<Value>> {
        let mut command = Command::new(&self.remit);
        let lines = output(command.args(["runs", "show", run, "--events"]).env("REMIT_STATE", self.path("state")))?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// Types a command, and reads its JSON.
pub(super) fn ask(command: &mut Command) -> anyhow::Result<Answer> {
    println!("   $ {}", typed(command));
    let output = command.output().with_context(|| format!("cannot start {}", shown(command)))?;
    let code = output.status.code().context("a signal ended it")?;
    match serde_json::from_slice(&output.stdout) {
        Ok(json) => Ok(Answer { json, code }),
        Err(_) => bail!("exit code {code}, and no JSON: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// What a person would type: the program by its name, a plugin by its own, and neither the format nor what surrounds it.
fn typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| word.to_string_lossy()).skip_while(|word| !word.ends_with("/remit"));
    let kept = words.filter(|word| word != "--output" && word != "json");
    let short = kept.map(|word| match word.rsplit_once('/') {
        Some((_, name)) if name == "remit" || name.ends_with(".wasm") => name.to_owned(),
        _ if word.contains([' ', '[', '"']) => format!("'{word}'"),
        _ => word.into_owned(),
    });
    short.collect::<Vec<_>>().join(" ")
}

/// Tells what was seen.
pub(super) fn saw(what: &str) {
    println!("     {what}");
}

impl Answer {
    /// A text of it.
    pub(super) fn text(&self, key: &str) -> &str {
        text(&self.json, key)
    }

    /// That the run ended so.
    pub(super) fn must(self, verdict: &str, codes: &[i32]) -> anyhow::Result<Self> {
        let (said, outcome) = (self.text("verdict"), self.text("outcome"));
        if said != verdict || outcome != "completed" || !codes.contains(&self.code) {
            bail!("expected `{verdict}`, not `{said}` ({outcome}, exit code {}): {}", self.code, self.json);
        }
        Ok(self)
    }

    /// A list of it.
    pub(super) fn list(&self, key: &str) -> &[Value] {
        self.json.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A text of a value; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let mut command = Command::new("/usr/bin/nsenter");
        command.args(["--", "/usr/local/bin/remit", "run", "/srv/x.wasm", "--allow", "ticket [*]", "--output", "json"]);
        assert_eq!(typed(&command), "remit run x.wasm --allow 'ticket [*]'");
    }
}
