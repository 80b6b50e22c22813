use std::process::ExitCode;

use serde::Serialize;

use crate::context::Context;
use crate::installed::Wanted;
use crate::label::{Difference, Granting, Label};
use crate::meant::{self, Meant, Origin};
use crate::output::{self, Format};

/// Show a plugin's label: what it is, what it may touch and why, and who grants it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, the folder with its source, a script, or `NAME` or `NAME@VERSION` of what is installed
    #[arg(default_value = ".", value_parser = meant::parser())]
    plugin: Meant,

    /// Show what is different from this one, which you know
    #[arg(long, value_name = "PLUGIN", value_parser = meant::parser())]
    against: Option<Meant>,
}

/// What a program is told, where two are compared.
#[derive(Serialize)]
struct Compared<'a> {
    label: &'a Label,
    difference: &'a Difference,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let granting = Granting::here(context)?;
    let label = label(&args.plugin, &granting, context).await?;
    let difference = match &args.against {
        None => None,
        Some(old) => Some(Difference::between(&self::label(old, &granting, context).await?, &label)),
    };
    match (context.output, &difference) {
        (Format::Json, None) => output::json(&label)?,
        (Format::Json, Some(difference)) => output::json(&Compared { label: &label, difference })?,
        (Format::Table, None) => output::text(&label.shown()),
        (Format::Table, Some(difference)) => output::text(&format!("{}\n\n{}", label.shown(), difference.shown())),
    }
    Ok(ExitCode::SUCCESS)
}

async fn label(plugin: &Meant, granting: &Granting, context: &Context) -> anyhow::Result<Label> {
    let found = plugin.load(&Wanted::to_look(), context).await?;
    let granting = match found.origin {
        Origin::Installed(_) => granting.by_approval(),
        Origin::File => granting.for_file(!found.statements.is_empty()),
    };
    let mut label = Label::of(&found.plugin, &granting);
    if !found.statements.is_empty() {
        let (wanted, trust) = (Wanted::to_look(), found.origin.believed(context)?);
        label.trust = wanted.device.who_vouches((&found.plugin, &found.statements), trust.as_deref(), context)?;
    }
    Ok(label)
}
