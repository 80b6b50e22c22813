//! A plugin against its fixtures: devices in memory, each with what is expected of a run there. Nothing is recorded, and
//! nothing of this machine is touched.

mod bench;
mod differences;
mod form;
mod observed;

use std::path::PathBuf;
use std::process::ExitCode;

use console::style;
use model::Outcome;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::output::Format;
use crate::{output, source};
use form::Case;
use observed::Observed;

pub(super) use bench::Bench;
pub(super) use form::read_one;

/// Run a plugin on every device that a fixture describes
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with the plugin's source, a script, or a built plugin together with `--fixtures`
    #[arg(default_value = ".", value_name = "DIR")]
    plugin: PathBuf,

    /// Read fixtures from here instead of DIR/fixtures, or NAME.fixtures beside a script
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
}

/// How one fixture went.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Tested {
    fixture: String,
    passed: bool,
    mode: &'static str,
    /// Absent where it could not be run.
    run: Option<Observed>,
    /// What is not as expected, a line each.
    differences: Vec<String>,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let beside = match script::is_script(&args.plugin) {
        true => args.plugin.with_extension("fixtures"),
        false => args.plugin.join("fixtures"),
    };
    let folder = args.fixtures.clone().unwrap_or(beside);
    let cases = form::read(&folder)?;
    let bench = Bench::new(source::load(&args.plugin, context.cache().ok().as_ref()).await?, context)?;
    let mut all = Vec::new();
    for case in &cases {
        let tested = test(&bench, case).await;
        if context.output == Format::Table {
            print(&tested);
        }
        all.push(tested);
    }
    let failed = all.iter().filter(|tested| !tested.passed).count();
    match context.output {
        Format::Json => output::json(&all)?,
        Format::Table => output::text(&format!("{} fixtures, {failed} failed", all.len())),
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(tested: &Tested) {
    let (name, mode) = (&tested.fixture, tested.mode);
    let ended = match &tested.run {
        Some(run) if run.outcome == Outcome::Completed => run.verdict.to_string(),
        Some(run) => run.outcome.to_string(),
        None => "did not run".to_owned(),
    };
    match tested.passed {
        true => output::text_marked(style("ok    ").green(), &format!("{name} ({mode}: {ended})")),
        false => {
            let lines = tested.differences.join("; ").replace('\n', " ");
            output::text_marked(style("FAILED").red().bold(), &format!("{name} ({mode}: {ended}): {lines}"));
        }
    }
}

async fn test(bench: &Bench, case: &Case) -> Tested {
    let mut tested = Tested {
        fixture: case.name.clone(),
        passed: false,
        mode: case.run.mode.word(),
        run: None,
        differences: Vec::new(),
    };
    match bench.run(case, CancellationToken::new()).await {
        Ok(tried) => {
            tested.differences = bench.differences(case, &tried).await;
            tested.run = Some(tried.observed);
        }
        Err(error) => tested.differences.push(format!("{error:#}")),
    }
    tested.passed = tested.differences.is_empty();
    tested
}
