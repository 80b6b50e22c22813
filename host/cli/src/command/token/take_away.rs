use std::process::ExitCode;

use super::list::Row;
use crate::context::Context;
use crate::output;
use crate::technician::Desk;

/// Take a token away: nobody joins with it from then on; who did stays
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit token take-away 3f9a01c2d4e5")]
pub(crate) struct Args {
    /// Its name, or the beginning of that, as `remit token list` shows it
    token: String,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let taken = Desk::open(context).await?.client.take_token_away(&args.token).await?;
    output::listed(&[Row::from(&taken)], &taken, context)?;
    output::say("it is taken away");
    Ok(ExitCode::SUCCESS)
}
