use std::path::PathBuf;
use std::process::ExitCode;

use desk::Parcelled;
use trust::{Kind, file};

use super::watch;
use crate::context::Context;
use crate::output;
use crate::technician::Desk;

/// Hand over what others have signed too: an order that was written to a file, or a word to go on
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  remit sign wipe.order --key ~/.ssh/id_ed25519\n  remit fleet submit wipe.order --watch"
)]
pub(crate) struct Args {
    /// What `--to-file` wrote, with its `.sig` beside it
    file: PathBuf,

    /// Look on until it is over
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let signed = file::read(&args.file)?;
    if signed.kind()? != Kind::Order {
        let handed = desk.client.hand_over(&signed).await?;
        output::say(&format!("{} is handed over: {}", args.file.display(), handed.digest));
        return Ok(ExitCode::SUCCESS);
    }
    let parcelled = Parcelled::read(&args.file)?;
    let given = desk.client.submit(&parcelled, &desk.trust).await?;
    parcelled.keep(&context.state)?;
    output::text(&given.order().id.to_string());
    match args.watch {
        true => watch::look_on(&desk, given.digest(), context).await,
        false => Ok(ExitCode::SUCCESS),
    }
}
