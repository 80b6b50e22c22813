use std::path::Path;
use std::process::ExitCode;

use hub::Hub;
use model::outcome::exit;
use serde::Serialize;

use crate::context::Context;
use crate::output::{self, Format};

/// Look at all that the hub needs, and say everything that is wrong
#[derive(clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Looked {
    what: &'static str,
    wrong: Option<String>,
}

pub(crate) fn run(_: &Args, folder: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    let found = Hub::doctor(folder, &context.clock);
    let looked: Vec<Looked> = found.into_iter().map(|it| Looked { what: it.what, wrong: it.wrong }).collect();
    match context.output {
        Format::Json => output::json(&looked)?,
        Format::Table => {
            let told = |it: &Looked| format!("{}: {}", it.what, it.wrong.as_deref().unwrap_or("ok"));
            looked.iter().for_each(|it| output::text(&told(it)));
        }
    }
    let is_well = looked.iter().all(|it| it.wrong.is_none());
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILURE) })
}
