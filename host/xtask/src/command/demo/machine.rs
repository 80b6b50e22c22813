//! One of several machines of a demonstration, and the people who sign.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::hand::{Hand, ask};
use crate::process::output;

/// A `remit` with a memory of its own, in the folder where everything lies.
pub(super) struct Machine<'a> {
    pub(super) hand: &'a Hand,
    pub(super) folder: &'a Path,
    pub(super) state: &'static str,
}

impl Machine<'_> {
    /// A command of it.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.hand.program());
        command.args(args).current_dir(self.folder).env("REMIT_STATE", self.folder.join(self.state));
        command
    }

    /// What a command says to a person, if it ends so.
    pub(super) fn does(&self, args: &[&str], code: i32) -> anyhow::Result<String> {
        let mut command = self.command(args);
        println!("   $ remit {}", args.join(" "));
        let output = command.output().context("remit cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(code), "expected exit code {code}, not {}: {said}", output.status);
        Ok(said)
    }

    /// What a command answers to a program, if it ends well.
    pub(super) fn tells(&self, args: &[&str]) -> anyhow::Result<Value> {
        self.answers(args, &[0])
    }

    /// The same, if it ends in one of these ways.
    pub(super) fn answers(&self, args: &[&str], codes: &[i32]) -> anyhow::Result<Value> {
        let answer = ask(self.command(args).args(["--output", "json"]))?;
        ensure!(codes.contains(&answer.code), "exit code {}: {}", answer.code, answer.json);
        Ok(answer.json)
    }

    /// The events of a run.
    pub(super) fn events(&self, run: &str) -> anyhow::Result<Vec<Value>> {
        let lines = output(&mut self.command(&["runs", "show", run, "--events"]))?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Has one person make root and roster out of what is written, and believes them from then on. The root's fingerprint.
    pub(super) fn pins(&self, person: &str) -> anyhow::Result<String> {
        let made = self.does(&["root", "make", "root.toml", "--key", person], 0)?;
        let fingerprint =
            made.lines().find_map(|line| line.strip_prefix("its fingerprint is ")).context("a fingerprint")?;
        self.does(&["root", "pin", "root.statement", "--fingerprint", fingerprint], 0)?;
        self.does(&["roster", "make", "roster.toml", "--key", person], 0)?;
        self.does(&["take", "roster.statement"], 0)?;
        Ok(fingerprint.to_owned())
    }
}

/// Keys of these people: the private one is called like its holder.
pub(super) fn make_keys(folder: &Path, holders: &[&str]) -> anyhow::Result<()> {
    for holder in holders {
        let mut keygen = Command::new("ssh-keygen");
        output(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", holder]).current_dir(folder))?;
    }
    Ok(())
}
