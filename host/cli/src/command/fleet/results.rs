use std::collections::BTreeMap;
use std::process::ExitCode;

use desk::Verified;
use fleet::{Comes, Device, Facts};
use serde::Serialize;
use tabled::Tabled;

use super::watch::Looked;
use crate::context::Context;
use crate::output;
use crate::technician::Desk;

/// List what each device signed about an order, the failed first
///
/// Each signature is verified here. What the hub says beyond that is said beside it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit fleet results order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --failed
  remit fleet results order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --output csv > results.csv")]
pub(crate) struct Args {
    /// Its id, or its digest
    order: String,

    /// Only those for which it went badly
    #[arg(long)]
    failed: bool,
}

#[derive(Tabled)]
struct Row {
    device: String,
    host: String,
    ring: String,
    outcome: String,
    verdict: String,
    refused: String,
    ended: String,
    run: String,
}

/// What a program is told.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told<'a> {
    results: Vec<&'a Verified>,
    failures: Vec<desk::Failures>,
    claimed: &'a [desk::Claimed],
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let looked = Looked::counted(&desk, &args.order, context).await?;
    let listed = desk.client.inventory(&[]).await?;
    let hosts: BTreeMap<String, String> =
        listed.into_iter().filter_map(|it| Some((it.device.device, Facts::read(&it.facts).hostname?))).collect();
    let mut results: Vec<&Verified> = looked.outcome.latest.values().collect();
    results.retain(|it| !args.failed || it.comes == Comes::Badly);
    results.sort_by_key(|it| (it.comes != Comes::Badly, it.ring, it.device));
    let row = |it: &&Verified| Row {
        device: it.hex.chars().take(12).collect(),
        host: hosts.get(&it.hex).cloned().unwrap_or_default(),
        ring: it.ring.map(|ring| ring.to_string()).unwrap_or_default(),
        outcome: it.report.outcome.to_string(),
        verdict: it.report.verdict.to_string(),
        refused: it.report.refused.as_ref().map(ToString::to_string).unwrap_or_default(),
        ended: it.report.ended.to_string(),
        run: it.report.run.map(|run| run.to_string()).unwrap_or_default(),
    };
    let rows: Vec<Row> = results.iter().map(row).collect();
    let failures = looked.outcome.failures(Device::hex);
    output::listed(&rows, &Told { results, failures, claimed: &looked.outcome.claimed }, context)?;
    looked.finish(context)
}
