use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;
use model::Digest;
use simulator::crew::{Crew, Plan};
use simulator::files;
use simulator::nature::Nature;
use trust::Token;
use url::Url;

/// What is played
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the hub is
    #[arg(long)]
    hub: Option<Url>,

    /// The digest of its authority's certificate; the token's, where it is left out
    #[arg(long)]
    authority: Option<Digest>,

    /// With what the devices join
    #[arg(long)]
    token: Option<String>,

    /// The MSP's first root statement with its `.sig` beside it, for a hub that does not hand it over
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,

    /// So many devices
    #[arg(long, default_value_t = 100)]
    devices: u32,

    /// The number of the first one: several processes may play one fleet
    #[arg(long, default_value_t = 0)]
    first: u32,

    /// What everything is drawn by
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How long a run takes, in milliseconds; half of them take longer
    #[arg(long, default_value_t = 200)]
    latency_ms: u64,

    /// So many runs in a hundred fail
    #[arg(long, default_value_t = 0.0)]
    failures: f64,

    /// So many devices in a hundred are off at any time
    #[arg(long, default_value_t = 0.0)]
    offline: f64,

    /// So many devices in a hundred are there and gone all the time
    #[arg(long, default_value_t = 0.0)]
    flapping: f64,

    /// Over so many seconds they come
    #[arg(long, default_value_t = 5)]
    over_s: u64,

    /// End after so many seconds, and not only when told to
    #[arg(long)]
    for_s: Option<u64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let hub = args.hub.clone().context("`--hub URL` is missing")?;
    let token: Token = args.token.as_deref().context("`--token TOKEN` is missing")?.parse()?;
    anyhow::ensure!(
        args.authority.is_none_or(|it| it == token.authority),
        "the token is for a hub of another authority"
    );
    let root = args.root.as_deref().map(trust::file::read).transpose()?;
    let ppm = |percent: f64| (percent.clamp(0.0, 100.0) * 10_000.0) as u32;
    let nature = Nature {
        seed: args.seed,
        latency: Duration::from_millis(args.latency_ms),
        failures_ppm: ppm(args.failures),
        offline_ppm: ppm(args.offline),
        flapping_ppm: ppm(args.flapping),
        ..Nature::default()
    };
    let over = Duration::from_secs(args.over_s);
    let plan = Plan { hub, token, root, devices: args.devices, first: args.first, nature, over, again: None };
    files::raise();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(play(plan, args.for_s))
}

async fn play(plan: Plan, for_s: Option<u64>) -> anyhow::Result<ExitCode> {
    let devices = plan.devices;
    let mut crew = Crew::start(plan);
    let until = for_s.map(|it| tokio::time::Instant::now() + Duration::from_secs(it));
    let mut told = tokio::time::interval(Duration::from_secs(5));
    loop {
        let is_over = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let is_ended = tokio::select! {
            () = crew.ended() => true,
            () = is_over => true,
            _ = tokio::signal::ctrl_c() => true,
            _ = told.tick() => false,
        };
        let counts = crew.counts();
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Relaxed);
        println!(
            "{devices} devices: {} joined, {} connected, {} runs, {} of them changed something, {} messages delivered, {} troubles",
            of(&counts.joined),
            of(&counts.connected),
            of(&counts.runs),
            of(&counts.mutations),
            of(&counts.delivered),
            counts.troubles().values().sum::<u64>()
        );
        if is_ended {
            counts.troubles().iter().for_each(|(why, times)| eprintln!("{times} times: {why}"));
            if let Some(why) = counts.why() {
                eprintln!("{why}");
            }
            let is_well = of(&counts.joined) == u64::from(devices);
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
}
