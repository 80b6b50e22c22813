//! Writes what authors in other languages than Rust see of the contract.

use std::process::ExitCode;

use anyhow::bail;

use crate::declarations;
use crate::workspace::Workspace;

/// Write the declarations of wit/ for JavaScript, TypeScript and Python into sdk/
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing, and fail where what is committed is not what wit/ says
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    if args.check {
        let stale = declarations::stale(&workspace)?;
        if !stale.is_empty() {
            bail!("{}", stale.join("\n"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    for path in declarations::write(&workspace)? {
        println!("{path}");
    }
    Ok(ExitCode::SUCCESS)
}
