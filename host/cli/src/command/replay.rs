use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use model::outcome::exit::DIVERGED;
use model::{Event, Recorded, Started};
use serde::Serialize;

use crate::context::Context;
use crate::output::{self, Format};
use crate::{script_runtimes, source};

/// Run a recorded run again, without its device, and compare
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A record that `remit run --record` wrote
    record: PathBuf,

    /// The plugin: a file, its source folder, or a script; its digest must be the record's
    #[arg(long)]
    plugin: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    verdict: String,
    outcome: String,
    calls: u64,
    divergence: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let events = read(&args.record)?;
    let started = started(&events)?;
    let plugin = source::load(&args.plugin, context.cache().ok().as_ref()).await?;
    if plugin.digest() != started.digest {
        bail!(
            "the record is of {} {} ({}), this is {}",
            started.plugin,
            started.version,
            started.digest,
            plugin.digest()
        );
    }
    let prepared = match started.runtime.filter(|runtime| *runtime != *script::DIGEST) {
        None => context.prepare(&plugin, &started.grants).await?,
        Some(digest) => {
            let kept = script_runtimes::read(context, digest).with_context(|| {
                format!(
                    "the record was made with the script runtime {digest} of remit {}, which is missing here: this host has {}",
                    started.host,
                    *script::DIGEST
                )
            })?;
            context.prepare_on(&plugin, &started.grants, &kept, digest).await?
        }
    };
    let replayed = runtime::replay(&prepared, &events, &context.clock).await?;
    let report = Report {
        verdict: replayed.ended.verdict.to_string(),
        outcome: replayed.ended.outcome.to_string(),
        calls: replayed.ended.resources.calls,
        divergence: replayed.divergence.clone(),
    };
    match (context.output, &replayed.divergence) {
        (Format::Json, _) => output::json(&report)?,
        (Format::Table, None) => {
            output::text(&format!("the same: {} ({}), {} calls", report.verdict, report.outcome, report.calls));
        }
        (Format::Table, Some(divergence)) => output::text(&format!("it went another way: {divergence}")),
    }
    Ok(replayed.divergence.map_or(ExitCode::SUCCESS, |_| ExitCode::from(DIVERGED)))
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<Recorded>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}: not an event", path.display(), number + 1))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

fn started(events: &[Recorded]) -> anyhow::Result<Started> {
    match events.first().map(|first| &first.event) {
        Some(Event::Started(started)) if started.format > model::event::FORMAT => {
            bail!(
                "the record has form {}, this host knows up to {}: update remit",
                started.format,
                model::event::FORMAT
            )
        }
        Some(Event::Started(started)) => Ok((**started).clone()),
        _ => bail!("the record does not begin with `started`"),
    }
}
