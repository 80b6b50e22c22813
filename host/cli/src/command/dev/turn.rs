//! One run, and how it is shown.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::style;
use model::Recorded;
use runtime::Request;
use script::Problem;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Args;
use crate::command::run::How;
use crate::command::summary::RunSummary;
use crate::command::test::{Bench, read_one};
use crate::context::Context;
use crate::declared::Declared;
use crate::fault::{self, Refused};
use crate::job;
use crate::machine::Machine;
use crate::output::{self, Format};
use crate::source;
use crate::vouched::Device;
use crate::watch::{self, Spinner};

/// A run that ended, or could not begin.
pub(super) struct Turn {
    number: u64,
    took: Duration,
    went: anyhow::Result<Went>,
}

/// How a run went.
struct Went {
    summary: RunSummary,
    /// The line at which the script gave up.
    excerpt: Option<String>,
    /// What is not as the fixture expects it; none without one.
    differences: Option<Vec<String>>,
}

/// A turn for a program.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told<'a> {
    number: u64,
    took_ms: u64,
    run: Option<&'a RunSummary>,
    error: Option<String>,
    problems: &'a [Problem],
    differences: &'a [String],
    changes: Vec<String>,
}

impl Turn {
    /// Builds and runs, unless it is stopped.
    pub(super) async fn take(args: &Args, context: &Context, number: u64, cancel: CancellationToken) -> Self {
        let began = Instant::now();
        let went = match &args.fixture {
            Some(fixture) => on_fixture(args, fixture, context, cancel).await,
            None => on_this_machine(args, context, cancel).await,
        };
        Self { number, took: began.elapsed(), went }
    }

    /// Shows it, and in what it differs from the one before.
    pub(super) fn show(&self, before: Option<&Self>, format: Format) -> anyhow::Result<()> {
        let before = before.and_then(|turn| turn.went.as_ref().ok());
        let changes = match (before, &self.went) {
            (Some(before), Ok(now)) => now.summary.changes_since(&before.summary),
            _ => Vec::new(),
        };
        match format {
            Format::Json => output::json_line(&self.told(changes)),
            Format::Table => {
                self.print(&changes);
                Ok(())
            }
        }
    }

    fn told(&self, changes: Vec<String>) -> Told<'_> {
        let error = self.went.as_ref().err();
        let refused = error.and_then(|error| error.downcast_ref::<Refused>());
        let problems = refused.and_then(|refused| refused.script.as_ref()).map(|wrong| wrong.problems.as_slice());
        let went = self.went.as_ref().ok();
        Told {
            number: self.number,
            took_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            run: went.map(|went| &went.summary),
            error: error.map(|error| format!("{error:#}")),
            problems: problems.unwrap_or_default(),
            differences: went.and_then(|went| went.differences.as_deref()).unwrap_or_default(),
            changes,
        }
    }

    fn print(&self, changes: &[String]) {
        let mark = style(format!("── {}", self.number)).bold();
        output::text_marked(mark, &format!("({} ms)", self.took.as_millis()));
        let went = match &self.went {
            Ok(went) => went,
            Err(error) => {
                fault::report(error);
                return;
            }
        };
        went.summary.print_with_log();
        if let Some(excerpt) = &went.excerpt {
            output::text(excerpt);
        }
        match went.differences.as_deref() {
            None => {}
            Some([]) => output::text_marked(style("  ok      ").green(), "as the fixture expects it"),
            Some(lines) => lines.iter().for_each(|line| output::text_marked(style("  FAILED  ").red(), line)),
        }
        changes.iter().for_each(|change| output::text_marked(style("  changed ").cyan(), change));
    }
}

async fn on_this_machine(args: &Args, context: &Context, cancel: CancellationToken) -> anyhow::Result<Went> {
    let plugin = source::load(&args.plugin, context.cache().ok().as_ref()).await?;
    let declared = Declared::of(&plugin, &args.plugin);
    let machine = Machine::open(context, &args.asks.roots()?)?;
    let how = How { mode: args.mode, plan: None, record: None };
    let job = args.asks.job(how, &Device::nobody_s())?;
    let request = Request { cancel, ..job.request(&plugin, &machine)? };
    let _machine = machine.take(request.mode, context).await?;
    let spinner = Arc::new(Spinner::silent(&plugin.manifest().plugin.name));
    let cancel = request.cancel.clone();
    let run = job::execute(&job.allow, &declared, None, &request, &machine, spinner.clone(), context);
    watch::attended(&spinner, &cancel, run).await?;
    machine.wind_up(request.mode, context).await;
    Went::of(&machine.store.events(request.run)?, &declared, &args.plugin, None)
}

async fn on_fixture(args: &Args, fixture: &Path, context: &Context, cancel: CancellationToken) -> anyhow::Result<Went> {
    let case = read_one(fixture)?;
    let bench = Bench::new(source::load(&args.plugin, context.cache().ok().as_ref()).await?, context)?;
    let tried = bench.run(&case, cancel).await?;
    if let Some(refused) = tried.refused() {
        return Err(Refused::because(vec![refused.to_owned()]).into());
    }
    let differences = bench.differences(&case, &tried).await;
    Went::of(&tried.events, &Declared::of(&bench.plugin, &args.plugin), &args.plugin, Some(differences))
}

impl Went {
    fn of(
        events: &[Recorded],
        declared: &Declared<'_>,
        source: &Path,
        differences: Option<Vec<String>>,
    ) -> anyhow::Result<Self> {
        let summary = RunSummary::of(events).ok_or_else(|| anyhow::anyhow!("the run left no record"))?;
        let excerpt = declared.excerpt(events, source);
        Ok(Self { summary: summary.advised(declared.needed_by(events)), excerpt, differences })
    }
}
