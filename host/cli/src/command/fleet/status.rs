use std::process::ExitCode;

use super::watch::Looked;
use crate::context::Context;
use crate::output;
use crate::technician::Desk;

/// Show how far an order got, ring by ring, counted from what devices signed
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit fleet status order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --output csv")]
pub(crate) struct Args {
    /// Its id, or its digest
    order: String,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let looked = Looked::counted(&desk, &args.order, context).await?;
    let rings = super::show::rings(&looked.shown, &looked.outcome, looked.rings.as_deref());
    output::listed(&rings, &looked.told(), context)?;
    looked.finish(context)
}
