use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::context::Context;
use crate::label::{Difference, Granting, Label};
use crate::output::{self, Format};
use crate::source;

/// Show a plugin's label: what it is, what it may touch and why, and who grants it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, the folder with its source, or a script
    #[arg(default_value = ".")]
    plugin: PathBuf,

    /// Show what is different from this one, which you know
    #[arg(long, value_name = "PLUGIN")]
    against: Option<PathBuf>,
}

/// What a program is told, where two are compared.
#[derive(Serialize)]
struct Compared<'a> {
    label: &'a Label,
    difference: &'a Difference,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let granting = Granting::here(context)?;
    let label = Label::of(&source::load(&args.plugin, None).await?, &granting);
    let difference = match &args.against {
        None => None,
        Some(old) => Some(Difference::between(&Label::of(&source::load(old, None).await?, &granting), &label)),
    };
    match (context.output, &difference) {
        (Format::Json, None) => output::json(&label)?,
        (Format::Json, Some(difference)) => output::json(&Compared { label: &label, difference })?,
        (Format::Table, None) => output::text(&label.shown()),
        (Format::Table, Some(difference)) => output::text(&format!("{}\n\n{}", label.shown(), difference.shown())),
    }
    Ok(ExitCode::SUCCESS)
}
