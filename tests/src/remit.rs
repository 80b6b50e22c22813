//! The real `remit`, as a person starts it: with a state folder and a host policy of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::built;

/// A device's memory and policy, and the program to use them with.
pub struct Remit {
    home: tempfile::TempDir,
}

/// How a command came out.
pub struct Ran {
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
}

impl Ran {
    /// The one JSON value that it wrote.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: no JSON:\n{self}"))
    }

    /// The JSON Lines that it wrote.
    pub fn lines(&self) -> Vec<Value> {
        let value = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: no JSON: {line}"));
        self.stdout.lines().map(value).collect()
    }

    /// The codes of the refusals that it told, in order.
    pub fn codes(&self) -> Vec<&str> {
        let told = self.stderr.lines().skip_while(|line| !line.contains("refused:"));
        told.filter_map(|line| Some(line.strip_suffix(')')?.rsplit_once(" (")?.1)).collect()
    }

    /// The same, if it ended with this code.
    #[track_caller]
    pub fn expect(self, code: u8) -> Self {
        assert_eq!(self.code, Some(i32::from(code)), "another exit code\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {:?}\nstdout:\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr)
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
    }
}

impl Default for Remit {
    fn default() -> Self {
        Self::new()
    }
}

impl Remit {
    /// A device that remembers nothing, with an empty policy.
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("policy.toml"), "").unwrap();
        Self { home }
    }

    /// Where it keeps its state.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// Its host policy.
    pub fn policy(&self) -> PathBuf {
        self.home.path().join("policy.toml")
    }

    /// A folder beside them, made if need be.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The command, not yet started; nothing of the environment reaches it but where programs are.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(built::remit());
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("REMIT_STATE", self.state()).env("REMIT_POLICY", self.policy());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// Starts a command, and leaves it running.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// `remit run` of a plugin, with data for programs.
    pub fn run_plugin(&self, plugin: &Path, args: &[&str]) -> Ran {
        self.run(&[&["--output", "json", "run", plugin.to_str().unwrap()], args].concat())
    }

    /// The runs that it remembers, latest first.
    pub fn runs(&self) -> Vec<Value> {
        let list = self.run(&["--output", "json", "runs", "list", "--limit", "100000"]).expect(0).json();
        list.as_array().unwrap().clone()
    }

    /// A run's events.
    pub fn events(&self, run: &str) -> Vec<Value> {
        self.run(&["runs", "show", run, "--events"]).expect(0).lines()
    }
}

/// A guest of `tests/guests/`, built.
pub fn guest(name: &str) -> PathBuf {
    built::folder(&built::repository().join("tests/guests").join(name))
}
