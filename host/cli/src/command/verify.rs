use std::process::ExitCode;

use anyhow::{Context as _, bail};
use model::outcome::exit;
use serde_json::Map;
use tabled::Tabled;

use super::run::RunMode;
use crate::context::Context;
use crate::installed::Wanted;
use crate::meant::{Found, Meant};
use crate::output::{self, Format};
use crate::{keys, meant, vouched};

/// Check whether a plugin may run here, by its statement and what this machine believes; nothing of it runs
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, with its statement beside it; or `NAME` or `NAME@VERSION` of what is installed
    #[arg(value_parser = meant::parser())]
    plugin: Meant,

    /// What it should do
    #[arg(long, value_enum, default_value = "detect")]
    mode: RunMode,

    #[command(flatten)]
    device: vouched::Device,
}

#[derive(Tabled)]
struct Row {
    check: &'static str,
    ok: &'static str,
    found: String,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let wanted = Wanted { device: &args.device, mode: args.mode.into(), given: Map::new() };
    let Found { plugin, statements, path, origin } = args.plugin.load(&wanted, context).await?;
    if statements.is_empty() && !origin.is_installed() {
        bail!("nobody signed it: there is no {}", trust::file::statement_of(&path).display());
    }
    let trust = origin.believed(context)?.context(keys::NO_ROOT)?;
    let wishes = vouched::wishes(&plugin, Map::new());
    let decision = args.device.decide((&plugin, &statements), &wishes, wanted.mode, &trust, context)?;
    match context.output {
        Format::Json => output::json(&decision)?,
        Format::Table => output::table(&rows(&decision.checks)),
    }
    Ok(ExitCode::from(if decision.approved.is_some() { exit::OK } else { exit::REFUSED }))
}

/// Each check, for a person.
pub(super) fn rows(checks: &[trust::Check]) -> Vec<impl Tabled> {
    let row = |check: &trust::Check| Row {
        check: check.name,
        ok: if check.ok { "ok" } else { "FAILED" },
        found: match check.refusals.as_slice() {
            [] => check.found.clone(),
            refusals => refusals.iter().map(|it| format!("{it} ({})", it.code())).collect::<Vec<_>>().join("\n"),
        },
    };
    checks.iter().map(row).collect()
}
