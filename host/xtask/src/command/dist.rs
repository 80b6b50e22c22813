//! What machines install.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use tests::package::{self, Size};

use crate::process::{cargo_command, output, run as run_command};
use crate::workspace::Workspace;

/// Make a package of Debian and an archive of `remit`, optimised, and the program that `remit release sign` signs
///
/// The same sources, toolchain and folder make the same bytes: times in them are that of the commit, or SOURCE_DATE_EPOCH.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where they go; `dist` below cargo's target folder, where it is left out
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    /// Make them of this program, instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let program = match &args.program {
        Some(program) => program.clone(),
        None => {
            let build = ["build", "--release", "--locked", "--workspace", "--bin", "remit"];
            // The folder in which it was built is nobody's business.
            let map = format!("--remap-path-prefix={}=remit", workspace.root.display());
            run_command(cargo_command().args(build).env("RUSTFLAGS", map).current_dir(&workspace.root))?;
            workspace.target.join("release/remit")
        }
    };
    let out = args.out.clone().unwrap_or_else(|| workspace.target.join("dist"));
    let made = package::make(&program, &out, epoch_s(&workspace)?, Size::Small);
    for file in [&made.deb, &made.tarball, &made.program] {
        println!("{}  {}", package::digest_of(file), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::disallowed_methods, reason = "what builds reproducibly names its time so")]
fn epoch_s(workspace: &Workspace) -> anyhow::Result<u64> {
    if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        return text.parse().context("SOURCE_DATE_EPOCH");
    }
    let mut log = Command::new("git");
    log.args(["-c", "safe.directory=*", "-C"]).arg(&workspace.root).args(["log", "-1", "--format=%ct"]);
    output(&mut log)?.trim().parse().context("the time of the commit")
}
