//! What memory an instance takes that is under way: measured in processes of their own, so that neither finds what the other
//! left behind.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use runtime::MemoryRecorder;
use tokio::sync::mpsc;

use crate::Bench;
use crate::bare::Bare;
use crate::host::{self, Host, Watch, Work};
use crate::row::{Bar, Row, Unit};
use crate::sample::Sample;

/// Instances held, first a few and then more: what both have in common is no instance's. The pool has 64.
const FEW: usize = 10;
const MANY: usize = 60;

/// Longer than the measurement takes.
const HOLD: Duration = Duration::from_secs(60);

/// Memory of each further instance that is under way.
pub(crate) fn memory(bench: &Bench) -> Row {
    let each = |who: &str| Sample::of((0..3).map(|_| of_process(bench, who)).collect());
    let (baseline, subject) = (each("bare"), each("remit"));
    Row {
        work: "memory of a live instance",
        peer: "bare wasmtime",
        bar: Some(Bar::Times(1.5)),
        ..Row::new(Unit::Bytes, baseline, subject)
    }
}

fn of_process(bench: &Bench, who: &str) -> f64 {
    let mut itself = Command::new(std::env::current_exe().unwrap());
    let output = itself.arg("--stopwatch").arg(&bench.stopwatch).args(["--live", who]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// In the process of its own: bytes of anonymous memory that each further instance took.
pub(crate) fn measure(stopwatch: &Path, who: &str) -> f64 {
    let tokio = host::tokio();
    tokio.block_on(async {
        let host = Arc::new(Host::timed(stopwatch).await);
        let bare = Arc::new(Bare::new(&host.engine, stopwatch, host::os()));
        let (tells, mut told) = mpsc::channel(MANY);
        let work = Work { hold: HOLD, ..Work::default() };
        let mut few = 0;
        for count in 1..=MANY {
            let tells = tells.clone();
            match who {
                "remit" => {
                    let host = Arc::clone(&host);
                    let watch = Arc::new(Watch::telling(tells));
                    tokio::spawn(async move { host.run(work, Box::new(MemoryRecorder::default()), watch).await });
                }
                _ => {
                    let bare = Arc::clone(&bare);
                    tokio::spawn(async move { bare.run(work, Some(tells)).await });
                }
            }
            told.recv().await.unwrap();
            if count == FEW {
                few = anonymous_bytes();
            }
        }
        // The last one has told of its line, and is about to sleep.
        tokio::time::sleep(Duration::from_millis(50)).await;
        (anonymous_bytes() - few) as f64 / (MANY - FEW) as f64
    })
}

/// Memory of this process that no file backs.
fn anonymous_bytes() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
