use std::process::ExitCode;

use anyhow::Context as _;

use super::install::plan;
use crate::agent::install::{Init, Plan};
use crate::context::Context;
use crate::output;

/// Take back what `install` made; records, orders, configuration and the program itself stay
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Remove what the agent remembers, its orders, its configuration and its user too
    #[arg(long)]
    purge: bool,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// What starts services here, where that is not to be found out
    #[arg(long, value_enum)]
    init: Option<Init>,

    /// Leave program, units and configuration to the package that brought them; it calls this
    #[arg(long, hide = true)]
    packaged: bool,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let plan = Plan { is_packaged: args.packaged, ..plan(context, args.init, None, true)? };
    for step in plan.steps().iter().rev() {
        let shown = step.shown_back(args.purge);
        if !args.dry_run {
            step.take_back(&plan.root, args.purge).await.with_context(|| shown.clone())?;
        }
        output::text(&shown);
    }
    Ok(ExitCode::SUCCESS)
}
