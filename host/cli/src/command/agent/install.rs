use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use model::outcome::exit;
use serde::Serialize;

use crate::agent::config;
use crate::agent::install::{Init, Plan};
use crate::context::Context;
use crate::fault::Refused;
use crate::output::{self, Format};

/// Have the agent started with the machine: its user, folders, configuration and services. Done twice it is done once
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Copy this program there first, and have that started instead of this one where it is
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "/usr/local/bin/remit")]
    binary: Option<PathBuf>,

    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,

    /// Say what is wrong with an installation, and do nothing
    #[arg(long)]
    check: bool,

    /// Leave it to the next boot to start it
    #[arg(long)]
    no_start: bool,

    /// What starts services here, where that is not to be found out
    #[arg(long, value_enum)]
    init: Option<Init>,

    /// Leave program, units and configuration to the package that brought them; it calls this
    #[arg(long, hide = true, conflicts_with = "binary")]
    packaged: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    step: String,
    wrong: Option<String>,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let plan = Plan { is_packaged: args.packaged, ..plan(context, args.init, args.binary, !args.no_start)? };
    let mut rows = Vec::new();
    // A package says nothing of what it changed.
    let mut is_changed = args.packaged;
    for step in plan.steps() {
        // What was written is taken notice of.
        let wrong = step.missing(&plan.root).await.or_else(|| (is_changed && step.is_service()).then(changed));
        if wrong.is_some() && !args.check && !args.dry_run {
            step.make(&plan.root).await.with_context(|| step.shown())?;
        }
        is_changed |= wrong.is_some() && !args.check && step.is_file();
        rows.push(Row { step: step.shown(), wrong });
    }
    let is_wrong = rows.iter().any(|row| row.wrong.is_some());
    match context.output {
        Format::Json => output::json(&rows)?,
        Format::Table if args.check => {
            let wrong = rows.iter().filter_map(|row| row.wrong.as_ref());
            wrong.for_each(|why| output::text(why));
            output::say(if is_wrong { "`remit agent install` puts it right" } else { "all is as it should be" });
        }
        Format::Table => {
            let done = rows.iter().filter(|row| row.wrong.is_some());
            done.for_each(|row| output::text(&row.step));
            let word = if args.dry_run {
                "nothing would be done: it is installed"
            } else {
                "nothing was done: it is installed"
            };
            if !is_wrong {
                output::say(word);
            }
        }
    }
    Ok(if args.check && is_wrong { ExitCode::from(exit::FAILURE) } else { ExitCode::SUCCESS })
}

fn changed() -> String {
    "what it is started by was changed".to_owned()
}

/// What there is to be on this system.
pub(super) fn plan(
    context: &Context,
    init: Option<Init>,
    binary: Option<PathBuf>,
    is_started: bool,
) -> anyhow::Result<Plan> {
    let root = context.root().to_owned();
    if std::fs::metadata("/proc/self").map(|it| it.uid()).ok() != Some(0) {
        bail!("only root has services started with the machine");
    }
    let init = init.map_or_else(|| Init::of(&root), Ok)?;
    let file = root.join(config::FILE.trim_start_matches('/'));
    let config = if file.exists() { config::read(Some(&file))? } else { config::Config::default() };
    let own = std::env::current_exe().context("where is this program?")?;
    let (program, copy_from) = match binary {
        Some(path) if !path.has_root() => bail!("`--binary {}` is no absolute path", path.display()),
        Some(path) if path == own && root == Path::new("/") => (path, None),
        Some(path) => (path, Some(own)),
        None => (own, None),
    };
    let place = copy_from.as_ref().and(program.parent()).unwrap_or(&program);
    if root == Path::new("/")
        && let Some(why) = somebody_else_may_replace(place)
    {
        let next = Some("`--binary` copies it to /usr/local/bin/remit, where nobody else may".to_owned());
        return Err(Refused { next, ..Refused::because(vec![why]) }.into());
    }
    Ok(Plan { root, init, program, copy_from, config, is_started, is_packaged: false })
}

/// What root starts with the machine is root's, all the way up.
fn somebody_else_may_replace(path: &Path) -> Option<String> {
    path.ancestors().find_map(|it| {
        let there = std::fs::metadata(it).ok()?;
        let is_open = there.mode() & 0o022 != 0 && there.mode() & 0o1000 == 0;
        let shown = it.display();
        match there.uid() {
            0 if is_open => {
                Some(format!("{shown} has mode {:04o}: others may replace what root would run", there.mode() & 0o7777))
            }
            0 => None,
            uid => Some(format!("{shown} belongs to user {uid}, who could replace what root would run")),
        }
    })
}
