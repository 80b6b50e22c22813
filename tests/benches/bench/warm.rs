//! What a run costs on a host that is warm: engine made, plugin compiled and linked.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use model::RunId;
use runtime::{MemoryRecorder, Recorder};
use store::Store;

use crate::Bench;
use crate::bare::Bare;
use crate::host::{self, Host, Marks, Watch, Work};
use crate::row::{Bar, Row, Unit};
use crate::sample::{Sample, in_turns, micros, timed};

/// Host calls of one run, where calls are measured.
const CALLS: u32 = 2_000;

/// From the request to the guest's first line.
pub(crate) fn entry(bench: &Bench) -> Row {
    let (baseline, subject) = against_bare(bench, 2_000, Work::default(), |marks| micros(marks.entry));
    Row {
        work: "from request to guest entry, warm",
        peer: "bare wasmtime",
        bar: Some(Bar::Times(1.5)),
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// The same, until all of it is dropped.
pub(crate) fn round_trip(bench: &Bench) -> Row {
    let (baseline, subject) = against_bare(bench, 2_000, Work::default(), |marks| micros(marks.whole));
    Row {
        work: "the same with the first call, its record in memory, and the drop",
        peer: "bare wasmtime",
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// One host call that answers three strings.
pub(crate) fn call(bench: &Bench) -> Row {
    let work = Work { calls: CALLS, ..Work::default() };
    let (baseline, subject) = against_bare(bench, 100, work, |marks| micros(marks.calls) / f64::from(CALLS));
    Row {
        work: "a host call that answers three strings, gate and journal included",
        peer: "bare wasmtime",
        bar: Some(Bar::More { by: 0.5, because: "for the gate" }),
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

fn against_bare(bench: &Bench, count: usize, work: Work, of: impl Fn(Marks) -> f64) -> (Sample, Sample) {
    let tokio = host::tokio();
    let host = tokio.block_on(Host::timed(&bench.stopwatch));
    let bare = Bare::new(&host.engine, &bench.stopwatch, host::os());
    let remit = || host.run(work, Box::new(MemoryRecorder::default()), Arc::new(Watch::default()));
    in_turns(count, || of(tokio.block_on(bare.run(work, None))), || of(tokio.block_on(remit())))
}

/// A whole run of a first-party plugin on this machine, its record in memory.
pub(crate) fn in_memory(bench: &Bench) -> Row {
    let store = Arc::new(Store::in_memory().unwrap());
    let (baseline, subject) = against_sh(bench, &store, |_| Box::new(MemoryRecorder::default()));
    Row {
        work: "a whole warm run of disk-space, record in memory",
        peer: "sh -c true",
        bar: Some(Bar::Times(1.0)),
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// The same, its record on disk and flushed.
pub(crate) fn durable(bench: &Bench) -> Row {
    let folder = bench.on_disk();
    let store = Arc::new(Store::open(folder.path()).unwrap());
    let (baseline, subject) = against_sh(bench, &store, |run| Box::new(store.begin(run).unwrap()));
    let fsync = fsync(folder.path());
    Row {
        work: "a whole warm run of disk-space, record durable",
        peer: "sh -c true",
        bar: Some(Bar::More { by: 2.0 * fsync.median, because: "two fsyncs here" }),
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

fn against_sh(bench: &Bench, store: &Arc<Store>, recorder: impl Fn(RunId) -> Box<dyn Recorder>) -> (Sample, Sample) {
    let tokio = host::tokio();
    let folder = bench.on_disk();
    let host = tokio.block_on(Host::real(&bench.plugin, store, folder.path()));
    in_turns(
        200,
        || timed(|| run(Command::new("sh").args(["-c", "true"]))),
        || {
            let run = RunId::new();
            timed(|| tokio.block_on(host.run_by_default(run, recorder(run))))
        },
    )
}

/// Runs a program that has nothing to say.
pub(crate) fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

/// What it takes this file system to keep a page for good.
fn fsync(folder: &Path) -> Sample {
    let mut file = File::create(folder.join("fsync")).unwrap();
    let once = |_| {
        timed(|| {
            file.write_all(&[0; 4_096]).unwrap();
            file.sync_data().unwrap();
        })
    };
    Sample::of((0..100).map(once).collect())
}
