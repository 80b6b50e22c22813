//! Measures, with everything optimised.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::process::{cargo_command, shown};
use crate::setup;

/// Measure what Remit costs, each row against a baseline in the same run; exit code 1 where a bar is missed
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write JSON
    #[arg(long)]
    json: bool,

    /// Only rows whose name contains one of these; `fleet` is what ten thousand devices and their hub take
    rows: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // It takes a quarter of an hour, so it is measured where it is asked for.
    if args.rows.iter().any(|row| row == "fleet") {
        return fleet(args.json);
    }
    setup::rust_targets(&["wasm32-wasip2"])?;
    setup::debian_packages(setup::TO_BENCH)?;
    let [remit, bench] = build()?;
    let mut command = Command::new(bench);
    command.arg("--remit").arg(remit).args(args.json.then_some("--json")).args(&args.rows);
    let status = command.status().with_context(|| format!("cannot start {}", shown(&command)))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a fleet costs, by the simulator.
fn fleet(json: bool) -> anyhow::Result<ExitCode> {
    let mut command = Command::new(simulator()?);
    command.arg("bench").args(json.then_some("--json"));
    let status = command.status().with_context(|| format!("cannot start {}", shown(&command)))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The simulator, by itself: it needs no sandbox, which is most of what there is to build.
pub(crate) fn simulator() -> anyhow::Result<PathBuf> {
    let [simulator, _] = built(&["--package", "simulator", "--bins"], ["simulator", "simulator-hub"])?;
    Ok(simulator)
}

/// `remit` and the bench, in one build: they share nearly everything.
fn build() -> anyhow::Result<[PathBuf; 2]> {
    built(&["--workspace", "--bin", "remit", "--bench", "bench"], ["remit", "bench"])
}

/// Where these are, once these targets are built.
fn built<const N: usize>(targets: &[&str], names: [&str; N]) -> anyhow::Result<[PathBuf; N]> {
    let mut cargo = cargo_command();
    cargo.args(["build", "--release"]).args(targets);
    cargo.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    let output = cargo.output().with_context(|| format!("cannot start {}", shown(&cargo)))?;
    if !output.status.success() {
        bail!("{} ended with {}", shown(&cargo), output.status);
    }
    let messages = String::from_utf8(output.stdout)?;
    let executable = |name: &str| {
        let of = |line: &str| {
            let message: Value = serde_json::from_str(line).ok()?;
            let is_it = message.pointer("/target/name")? == name;
            let path = message.get("executable").and_then(Value::as_str).filter(|_| is_it)?;
            Some(PathBuf::from(path))
        };
        messages.lines().find_map(of).with_context(|| format!("cargo built no {name}"))
    };
    let mut paths = names.map(|_| PathBuf::new());
    for (path, name) in paths.iter_mut().zip(names) {
        *path = executable(name)?;
    }
    Ok(paths)
}
