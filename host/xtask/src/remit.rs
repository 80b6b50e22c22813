//! The `remit` of this repository, with a memory of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::process::{cargo_command, run, shown};
use crate::workspace::Workspace;

/// Which `remit` does the work.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// Use this program, instead of building it
    #[arg(long, value_name = "FILE")]
    remit: Option<PathBuf>,
}

/// A program to work with.
pub(crate) struct Remit {
    program: PathBuf,
    folder: TempDir,
}

impl Remit {
    /// The one that was named, or the one of this workspace, built.
    pub(crate) fn new(which: &Which, workspace: &Workspace) -> anyhow::Result<Self> {
        let program = match &which.remit {
            Some(program) => std::fs::canonicalize(program).with_context(|| format!("{}", program.display()))?,
            None => {
                // The features of the whole workspace: another set would build every dependency again.
                let build = ["build", "--quiet", "--workspace", "--bin", "remit"];
                run(cargo_command().args(build).current_dir(&workspace.root))?;
                workspace.target.join("debug/remit")
            }
        };
        Ok(Self { program, folder: TempDir::with_prefix("remit-xtask-")? })
    }

    /// A folder to work in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command of it, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env("REMIT_STATE", self.folder().join("state"));
        tests::built::own(&mut command);
        command
    }

    /// Runs a command of it, however that ends.
    pub(crate) fn ask(&self, args: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.command(args);
        command.output().with_context(|| format!("cannot start {}", shown(&command)))
    }
}
