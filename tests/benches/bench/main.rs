//! What Remit costs beside what it stands on: each row is measured against a baseline in the same process, in turns, and has a
//! bar. `cargo xtask bench` builds it with optimisation and runs it.
//!
//! What ends in exit code 1 is a bar that was missed three times: these machines share their processors, and noise mostly
//! adds, so a row that misses is measured again, twice at most; the table says how often.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "only developers run it, and a bench that cannot go on panics"
)]

mod agent;
mod bare;
#[path = "../../tests/matrix/documents.rs"]
#[allow(dead_code, reason = "the attacks use all of it")]
mod documents;
mod host;
mod live;
mod process;
mod row;
mod sample;
mod scripts;
mod verified;
mod warm;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use tempfile::TempDir;
use tests::built;
use tests::site_guard::Form;

use row::Row;

/// Measure what Remit costs, each row against a baseline in the same run
#[derive(clap::Parser)]
struct Args {
    /// Write JSON
    #[arg(long)]
    json: bool,

    /// Only rows whose name contains one of these
    rows: Vec<String>,

    /// The optimised `remit`
    #[arg(long, required_unless_present = "live")]
    remit: Option<PathBuf>,

    /// The guest that is timed, where it is built already
    #[arg(long, hide = true, requires = "live")]
    stopwatch: Option<PathBuf>,

    /// Say what memory a live instance takes: how the bench starts itself
    #[arg(long, hide = true, requires = "stopwatch")]
    live: Option<String>,
}

/// What the rows are measured with.
struct Bench {
    /// The optimised `remit`.
    remit: PathBuf,
    /// The guest that is timed.
    stopwatch: PathBuf,
    /// A first-party plugin that looks at this machine.
    plugin: PathBuf,
    /// What was read off an agent at rest.
    rest: agent::Once<agent::Rest>,
    /// What was read off one under load.
    load: agent::Once<agent::Load>,
}

impl Bench {
    fn new(remit: PathBuf) -> Self {
        let repository = built::repository();
        built::is_built(&remit);
        Self {
            rest: agent::Once::default(),
            load: agent::Once::default(),
            stopwatch: built::with(&remit, &repository.join("tests/guests/stopwatch")),
            plugin: built::with(&remit, &repository.join("plugins/disk-space")),
            remit,
        }
    }

    /// A folder on the disk that the repository is on.
    fn on_disk(&self) -> TempDir {
        tempfile::tempdir_in(self.remit.parent().unwrap()).unwrap()
    }

    /// A folder in memory.
    fn on_tmpfs(&self) -> TempDir {
        tempfile::tempdir_in("/dev/shm").unwrap()
    }
}

/// A row's name, and how it is measured.
type Measure = (&'static str, fn(&Bench) -> Row);

/// Every row.
const ROWS: &[Measure] = &[
    ("entry", warm::entry),
    ("round-trip", warm::round_trip),
    ("call", warm::call),
    ("warm", warm::in_memory),
    ("warm-durable", warm::durable),
    ("verified-warm", |bench| verified::warm(bench, 0)),
    ("verified-warm-100", |bench| verified::warm(bench, 100)),
    ("verified-warm-1000", |bench| verified::warm(bench, 1_000)),
    ("verified-large", verified::large),
    ("verified-load-100", |bench| verified::load(bench, 100)),
    ("verified-load-1000", |bench| verified::load(bench, 1_000)),
    ("agent-runs", agent::runs),
    ("agent-runs-memory", agent::runs_memory),
    ("agent-runs-store", agent::runs_store),
    ("agent-rest-memory", agent::rest_memory),
    ("agent-rest-cpu", agent::rest_cpu),
    ("live", live::memory),
    ("cold", process::small),
    ("cold-disk-space", process::whole),
    ("cold-durable", process::durable),
    ("scripts-warm", scripts::warm),
    ("scripts-second", scripts::second),
    ("scripts-runtime-compile", scripts::compile_runtime),
    ("scripts-size-script", |bench| scripts::size(bench, Form::Script)),
    ("scripts-size-javascript", |bench| scripts::size(bench, Form::JavaScript)),
    ("scripts-size-python", |bench| scripts::size(bench, Form::Python)),
    ("scripts-compile-script", |bench| scripts::compile(bench, Form::Script)),
    ("scripts-compile-javascript", |bench| scripts::compile(bench, Form::JavaScript)),
    ("scripts-compile-python", |bench| scripts::compile(bench, Form::Python)),
    ("scripts-cold-script", |bench| scripts::cold(bench, Form::Script)),
    ("scripts-cold-javascript", |bench| scripts::cold(bench, Form::JavaScript)),
    ("scripts-cold-python", |bench| scripts::cold(bench, Form::Python)),
    ("scripts-warm-script", |bench| scripts::warm_form(bench, Form::Script)),
    ("scripts-warm-javascript", |bench| scripts::warm_form(bench, Form::JavaScript)),
    ("scripts-warm-python", |bench| scripts::warm_form(bench, Form::Python)),
];

/// How often a row is measured until a missed bar counts.
const TRIES_MAX: u32 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    if let (Some(who), Some(stopwatch)) = (&args.live, &args.stopwatch) {
        println!("{}", live::measure(stopwatch, who));
        return ExitCode::SUCCESS;
    }
    let is_wanted = |name: &str| args.rows.is_empty() || args.rows.iter().any(|wanted| name.contains(wanted.as_str()));
    let wanted: Vec<&Measure> = ROWS.iter().filter(|(name, _)| is_wanted(name)).collect();
    if wanted.is_empty() {
        let names: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
        eprintln!("error: no such row; there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    let bench = Bench::new(args.remit.expect("clap asks for it"));
    let rows: Vec<Row> = wanted.into_iter().map(|measured| measure(measured, &bench)).collect();
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&rows).unwrap()),
        false => println!("{}", row::table(&rows)),
    }
    match rows.iter().all(|row| row.holds) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn measure((name, measure): &Measure, bench: &Bench) -> Row {
    let mut tries = 1;
    loop {
        eprintln!("measuring {name}");
        let row = Row { name, tries, ..measure(bench) }.judged();
        if row.holds || tries == TRIES_MAX {
            return row;
        }
        tries += 1;
    }
}
