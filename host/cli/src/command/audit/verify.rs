use std::process::ExitCode;

use desk::SeenAudit;
use model::outcome::exit;

use crate::context::Context;
use crate::output::{self, Format};
use crate::technician::Desk;

/// Walk the whole chain, and hold it against what was seen of it from here before
///
/// A removed, altered or inserted entry shows by itself. A chain that was made anew or cut off is whole in itself: what shows it is
/// `hub-audit.json` in the folder of state, which remembers where the chain was each time that it held.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit audit verify\n  remit audit verify --output json")]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let before = SeenAudit::read(&context.state)?;
    let desk = Desk::open(context).await?;
    let (walked, seen) = desk.client.walk_audit(&before).await?;
    if seen != before {
        seen.write(&context.state)?;
    }
    match context.output {
        Format::Json => output::json(&walked)?,
        Format::Table => match &walked.broken {
            Some(broken) => output::text(&format!("the chain does not hold: {broken}")),
            None => output::text(&format!(
                "the chain holds: {} entries, {} seen before, details of {}; its head is {}",
                walked.entries, walked.known, walked.details, walked.head
            )),
        },
    }
    Ok(if walked.broken.is_none() { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILURE) })
}
