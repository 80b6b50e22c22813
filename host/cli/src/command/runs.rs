use std::process::ExitCode;

use anyhow::Context as _;
use model::RunId;
use store::Summary;
use tabled::Tabled;

use super::summary::RunSummary;
use crate::context::Context;
use crate::output::{self, Format};

/// Show past runs
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Runs,
}

#[derive(clap::Subcommand)]
enum Runs {
    /// List the latest runs, latest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show one run
    Show {
        /// The run
        run: RunId,
        /// Every event, as JSON Lines
        #[arg(long)]
        events: bool,
    },
}

#[derive(Tabled)]
struct Row {
    run: String,
    started: String,
    plugin: String,
    mode: String,
    verdict: String,
    outcome: String,
}

impl From<&Summary> for Row {
    fn from(summary: &Summary) -> Self {
        let ended = summary.ended.as_ref();
        Self {
            run: summary.run.to_string(),
            started: output::time(summary.started_ms),
            plugin: format!("{} {}", summary.started.plugin, summary.started.version),
            mode: match summary.started.undoes {
                Some(undone) => format!("undo of {undone}"),
                None => summary.started.mode.word().to_owned(),
            },
            verdict: ended.map(|ended| ended.verdict.to_string()).unwrap_or_default(),
            outcome: ended.map_or_else(|| "under way".to_owned(), |ended| ended.outcome.to_string()),
        }
    }
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let store = context.store()?;
    match &args.command {
        Runs::List { limit } => {
            let runs = store.runs(*limit)?;
            match context.output {
                Format::Json => output::json(&runs)?,
                Format::Table => output::table(&runs.iter().map(Row::from).collect::<Vec<_>>()),
            }
        }
        Runs::Show { run, events: true } => {
            for event in store.events(*run)? {
                output::text(&serde_json::to_string(&event)?);
            }
        }
        Runs::Show { run, events: false } => {
            let summary = RunSummary::of(&store.events(*run)?);
            let missing = || format!("{run} is not in this device's memory; `remit runs list` shows what is");
            summary.with_context(missing)?.print(context.output)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
