use std::process::ExitCode;

use simulator::redteam;

/// Try every attack on simulated devices, and count those that something was changed on; exit code 1 where a bar is missed
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Among so many devices
    #[arg(long, default_value_t = 1_000)]
    devices: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let told = |row: &redteam::Row| eprintln!("{}: {}", row.is, row.name);
    let rows = redteam::run(args.devices, told)?;
    print!("{}", redteam::table(&rows));
    let missed = rows.iter().filter(|row| !row.is_met()).count();
    println!("{} devices, one hour, {} attacks: {missed} bars missed", args.devices, rows.len());
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
