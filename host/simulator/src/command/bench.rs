use std::process::ExitCode;
use std::time::Duration;

use simulator::bench::{self, Judged, Measured, Patience};
use simulator::{files, weeks};

/// Measure what a fleet costs, with the hub in a process of its own; exit code 1 where a bar is missed
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fleets of so many devices, the smallest first
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    devices: Vec<u32>,

    /// So long it is looked, after a restart of the hub, whether anybody is shown as away, in seconds: who is missed is so after
    /// three minutes
    #[arg(long, default_value_t = 200)]
    watch: u64,

    /// So many devices of which 30 % are away for two weeks
    #[arg(long, default_value_t = 1_000)]
    weeks: u32,

    /// Write JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    files::raise();
    // Built beside this one, and with the allocator that `remit` has.
    let program = std::env::current_exe()?.with_file_name("simulator-hub");
    let mut all: Vec<Measured> = Vec::new();
    for devices in &args.devices {
        // A runtime each: what the devices before had is gone with it.
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let told = |line: &str| eprintln!("{devices} devices: {line}");
        let patience = Patience { watch: Duration::from_secs(args.watch), ..Patience::LONG };
        all.push(runtime.block_on(bench::measure(&program, *devices, patience, told))?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let weeks = runtime.block_on(weeks::weeks(args.weeks, 2, 300_000))?;
    let mut judged = bench::judge(&all);
    let wrong = weeks.away - weeks.once + weeks.there - weeks.weekly;
    judged.push(Judged {
        name: format!(
            "two weeks, {} of {} away: not exactly one run on return, or a week",
            weeks.away,
            weeks.away + weeks.there
        ),
        found: wrong as f64,
        most: 0.0,
        is_met: wrong == 0 && weeks.away > 0,
    });
    match args.json {
        true => println!("{}", serde_json::json!({ "measured": all, "bars": judged })),
        false => {
            for it in &all {
                println!("{}", serde_json::to_string(it)?);
            }
            for Judged { name, found, most, is_met } in &judged {
                println!("{name:<80} {found:>10.2} {most:>8.2}{}", if *is_met { "" } else { "  MISSED" });
            }
        }
    }
    Ok(if judged.iter().all(|it| it.is_met) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
