//! Misbehaves on request: `act` says how, `amount` how much. Each act is meant to run into one limit of the host, and to end
//! well where that limit is high enough.

mod outside;

use std::hint::black_box;
use std::time::{Duration, Instant};

use remit_sdk::files_write::WriteMode;
use remit_sdk::prelude::*;
use remit_sdk::run::Mode;
use remit_sdk::types::HttpRequest;
use remit_sdk::{files, files_write, http, kv, kv_write, query, secrets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Misbehaves on request.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Hostile {
    /// How.
    act: Act,
    /// How much: milliseconds, bytes or times.
    #[serde(default)]
    amount: usize,
    /// The server that is asked.
    #[serde(default)]
    url: String,
    /// What of it may be asked.
    #[serde(default)]
    #[expect(dead_code, reason = "the host reads it, into the scope of `http`")]
    origins: Vec<String>,
}

/// What it does.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Act {
    /// Works `amount` rounds, and answers: a good neighbour.
    Work,
    /// Sleeps in WASI.
    Sleep,
    /// Sleeps in the host's `run.sleep`.
    HostSleep,
    /// Works until so many milliseconds are gone.
    Spin,
    /// Takes so many bytes of memory.
    Allocate,
    /// Opens so many secrets, and keeps them.
    HoldSecrets,
    /// Opens so many secrets, one after the other.
    ChurnSecrets,
    /// Calls the host so many times.
    Call,
    /// Hands over a text of so many bytes.
    HandOver,
    /// Hands over a list of so many elements.
    HandOverList,
    /// Reads a file of one MiB so many times.
    Read,
    /// Asks for an answer of so many bytes.
    Tail,
    /// Logs so many lines.
    Log,
    /// Logs so many lines of four KiB.
    LogLong,
    /// Prints so many lines.
    Print,
    /// Reports facts of so many bytes.
    Report,
    /// Reports so many findings.
    Findings,
    /// Asks a server so many times.
    Fetch,
    /// Asks a server, and takes it ill where the answer is cut.
    FetchWhole,
    /// Gives up, with so many bytes of explanation.
    GiveUp,
    /// Says in `remediate` what it did, in so many bytes.
    Remedy,
    /// Keeps a checkpoint of so many bytes.
    Checkpoint,
    /// Keeps so many checkpoints of 16 KiB.
    Checkpoints,
    /// Tells so many times how far it is.
    Progress,
    /// Logs one line of so many bytes.
    LogWide,
    /// Logs so many lines without a word, each with ten thousand empty fields.
    LogFields,
    /// Prints one line of so many bytes.
    PrintWide,
    /// Holds so many of WASI's pollables.
    HoldPollables,
    /// Asks WASI for so many random bytes at once.
    Random,
    /// Exits, as if it were a program.
    Exit,
    /// Panics.
    Panic,
    /// Looks for a way out through WASI, and reports what it found.
    LookOutside,
    /// Writes a key in `detect`.
    WriteInDetect,
    /// Writes a key in `remediate`; this is what `WriteInDetect` should have done.
    WriteInRemediate,
    /// Writes so many values of 64 KiB.
    WriteKv,
    /// Writes so many files of one MiB.
    WriteFiles,
    /// Writes one key in a dry run, and another one too where it is not watched.
    Hypocrite,
}

/// What an act that ends well reports.
fn harmless(what: impl Into<String>) -> Result<Report> {
    Ok(Report::compliant(what))
}

#[expect(clippy::panic, clippy::print_stdout, reason = "this is what it is for")]
impl Detect for Hostile {
    fn detect(&self) -> Result<Report> {
        let amount = self.amount;
        match self.act {
            Act::Work => {
                black_box(work(amount));
            }
            Act::Sleep => std::thread::sleep(self.time()),
            Act::HostSleep => {
                run::sleep(self.time());
            }
            Act::Spin => spin(self.time()),
            Act::Allocate => drop(black_box(vec![1_u8; amount])),
            Act::HoldSecrets => {
                let held = (0..amount).map(|_| secrets::open_bearer("token")).collect::<Result<Vec<_>>>()?;
                return harmless(format!("{} secrets held", held.len()));
            }
            Act::ChurnSecrets => (0..amount).try_for_each(|_| secrets::open_bearer("token").map(drop))?,
            Act::Call => (0..amount).try_for_each(|_| kv::get_value("key").map(drop))?,
            Act::HandOver => tolerate(kv::list_keys(&"x".repeat(amount), "").map(drop))?,
            Act::HandOverList => {
                tolerate(query::query_table("uptime", &vec![String::new(); amount], &[], 1).map(drop))?;
            }
            Act::Read => (0..amount).try_for_each(|_| self.read().map(drop))?,
            Act::Tail => {
                let tail = files::read_tail("scratch", "lines", u32::try_from(amount).unwrap_or(u32::MAX))?;
                return harmless(format!("{} bytes read", tail.len()));
            }
            Act::Log => (0..amount).for_each(|line| info!("line {line}")),
            Act::LogLong => (0..amount).for_each(|_| info!("{}", "x".repeat(4 << 10))),
            Act::Print => (0..amount).for_each(|line| println!("line {line}")),
            Act::Report => {
                return Report::compliant("").facts([("x", "x".repeat(amount))].into_iter().collect::<Facts>());
            }
            Act::Findings => {
                let finding = |number| Finding::new(format!("finding-{number}"), "one of many");
                return Ok(Report::compliant("").findings((0..amount).map(finding)));
            }
            Act::Fetch => (0..amount).try_for_each(|_| self.fetch().map(drop))?,
            Act::FetchWhole => {
                let answer = self.fetch()?;
                let cut = if answer.truncated { ", cut" } else { "" };
                return harmless(format!("{} bytes{cut}", answer.body.len()));
            }
            Act::GiveUp => return Err(Error::new("gave-up", "it gives up").with("why", "x".repeat(amount))),
            Act::Progress => (0..amount).for_each(|_| run::progress(50, "half of it is done")),
            Act::LogWide => info!("{}", "x".repeat(amount)),
            Act::LogFields => {
                let fields = vec![(String::new(), String::new()); 10_000];
                (0..amount).for_each(|_| run::log(run::LogLevel::Info, "", &fields));
            }
            Act::PrintWide => println!("{}", "x".repeat(amount)),
            Act::HoldPollables => {
                for _ in 0..amount {
                    black_box(wasi::pollable());
                }
            }
            Act::Random => wasi::random(amount as u64),
            Act::Exit => std::process::exit(0),
            Act::Panic => panic!("it panics on request"),
            Act::LookOutside => return harmless(format!("found outside: {}", outside::look(&self.url))),
            Act::WriteInDetect => drop(kv_write::put_value("key", "value", None, 0)?),
            Act::WriteInRemediate
            | Act::WriteKv
            | Act::WriteFiles
            | Act::Hypocrite
            | Act::Remedy
            | Act::Checkpoint
            | Act::Checkpoints => {
                return Ok(
                    Report::non_compliant("").finding(Finding::new("nothing", "nothing is done yet").remediable())
                );
            }
        }
        harmless("it was let do all of it")
    }
}

impl Remediate for Hostile {
    fn remediate(&self, _findings: &[Finding]) -> Result<Remedy> {
        match self.act {
            Act::WriteKv => {
                let value = "x".repeat(64 << 10);
                (0..self.amount).try_for_each(|_| kv_write::put_value("key", &value, None, 0).map(drop))?;
            }
            Act::WriteFiles => {
                let content = vec![b'x'; 1 << 20];
                for number in 0..self.amount {
                    files_write::write_file("scratch", &format!("written-{number}"), &content, WriteMode::Replace)?;
                }
            }
            Act::Remedy => return Ok(Remedy::new("done").with("what", "x".repeat(self.amount))),
            // In JSON, text has two quotes more.
            Act::Checkpoint => run::checkpoint(&"x".repeat(self.amount - 2))?,
            Act::Checkpoints => {
                let state = "x".repeat(16 << 10);
                (0..self.amount).try_for_each(|_| run::checkpoint(&state))?;
            }
            Act::Hypocrite => {
                kv_write::put_value("promised", "value", None, 0)?;
                if run::get_context().mode == Mode::Enforce {
                    kv_write::put_value("not-promised", "value", None, 0)?;
                }
            }
            _ => drop(kv_write::put_value("key", "value", None, 0)?),
        }
        Ok(Remedy::new("done"))
    }
}

type Facts = std::collections::BTreeMap<&'static str, String>;

impl Hostile {
    fn time(&self) -> Duration {
        Duration::from_millis(self.amount as u64)
    }

    fn read(&self) -> Result<Vec<u8>> {
        files::read_file("scratch", "one-mib", 0, 1 << 20)
    }

    fn fetch(&self) -> Result<remit_sdk::types::HttpResponse> {
        let request = HttpRequest { url: self.url.clone(), headers: Vec::new(), timeout_ms: 0, attributes: Vec::new() };
        http::get(&request, None)
    }
}

/// What of WASI the standard library does not reach. It is in the C library's world, under the C library's version.
#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "a guest calls its host by hand")]
mod wasi {
    #[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.2.0")]
    unsafe extern "C" {
        #[link_name = "subscribe-duration"]
        fn subscribe_duration(nanoseconds: u64) -> i32;
    }

    #[link(wasm_import_module = "wasi:random/random@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-random-bytes"]
        fn get_random_bytes(length: u64, list: *mut [usize; 2]);
    }

    /// A pollable that nobody ever drops.
    pub(crate) fn pollable() -> i32 {
        // SAFETY: as the canonical ABI has it: a number in, a handle out.
        unsafe { subscribe_duration(0) }
    }

    /// So many random bytes; they stay where they are.
    pub(crate) fn random(length: u64) {
        let mut list = [0; 2];
        // SAFETY: as the canonical ABI has it: the host writes where the list is, and how long.
        unsafe { get_random_bytes(length, &raw mut list) }
        std::hint::black_box(list);
    }
}

/// Not for this machine: the guest is compiled for it only to be checked.
#[cfg(not(target_family = "wasm"))]
mod wasi {
    pub(crate) fn pollable() -> i32 {
        unreachable!("no host")
    }

    pub(crate) fn random(_: u64) {
        unreachable!("no host")
    }
}

/// An argument that the host does not take is an answer too: it was looked at, and that is what the limit is about.
fn tolerate(answer: Result<()>) -> Result<()> {
    match answer {
        Err(error) if error.kind == ErrorKind::Invalid => Ok(()),
        other => other,
    }
}

/// So many rounds of what no compiler foresees.
fn work(rounds: usize) -> u64 {
    (0..rounds)
        .fold(black_box(1), |state: u64, round| (state ^ round as u64).wrapping_mul(0x0100_0000_01b3).rotate_left(7))
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        black_box(work(1_000));
    }
}

remit_sdk::plugin!(Hostile: Detect + Remediate);
