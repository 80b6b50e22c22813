//! What a person waits for who types `remit run`: a process that starts, opens its state, loads what is compiled, and ends.

use std::path::Path;
use std::process::Command;

use crate::Bench;
use crate::row::{Bar, Row, Unit};
use crate::sample::{Sample, in_turns, timed};
use crate::warm::run;

/// Not whatever `python3` a path names first: a shim would be no peer.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// A small plugin, its state on a file system in memory.
pub(crate) fn small(bench: &Bench) -> Row {
    let (baseline, subject) = against_python(bench, &bench.stopwatch, bench.on_tmpfs().path());
    Row {
        work: "`remit run` of a small plugin, compiled before, record on tmpfs",
        peer: "python3 -c pass",
        bar: Some(Bar::Times(1.0)),
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// A first-party one, of twice the size.
pub(crate) fn whole(bench: &Bench) -> Row {
    let (baseline, subject) = against_python(bench, &bench.plugin, bench.on_tmpfs().path());
    Row { work: "the same of disk-space", peer: "python3 -c pass", ..Row::new(Unit::Microseconds, baseline, subject) }
}

/// The small one, its state on disk.
pub(crate) fn durable(bench: &Bench) -> Row {
    let (baseline, subject) = against_python(bench, &bench.stopwatch, bench.on_disk().path());
    Row {
        work: "the same of the small plugin, record durable",
        peer: "python3 -c pass",
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

fn against_python(bench: &Bench, plugin: &Path, folder: &Path) -> (Sample, Sample) {
    let policy = folder.join("policy.toml");
    std::fs::write(&policy, "").unwrap();
    in_turns(
        100,
        || timed(|| run(Command::new(PYTHON).args(["-c", "pass"]))),
        || {
            let mut remit = Command::new(&bench.remit);
            remit.arg("--state").arg(folder.join("state")).arg("--policy").arg(&policy);
            remit.args(["--output", "json", "run"]).arg(plugin);
            // It is compliant or not, as this machine happens to be; both are ends of a whole run.
            timed(|| {
                let output = remit.output().unwrap();
                let code = output.status.code();
                assert!(matches!(code, Some(0 | 10)), "{code:?} {}", String::from_utf8_lossy(&output.stderr));
            })
        },
    )
}
