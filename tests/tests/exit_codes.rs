//! Each documented exit code has a run that really ends so.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::{Remit, built, need_root, remit};

/// Codes that are not shown here, and why.
const ELSEWHERE: [(&str, &str); 2] = [
    ("INTERRUPTED", "the process is dead: the record says it, see crash.rs"),
    ("SUSPENDED", "it needs a machine to reboot: see managed.rs"),
];

/// Which test below shows which code.
const SHOWN: &[&str] = &[
    "OK",
    "FAILURE",
    "NON_COMPLIANT",
    "RECURRED",
    "FAILED",
    "UNKNOWN",
    "REFUSED",
    "DENIED",
    "PLUGIN_ERROR",
    "TRAP",
    "TIMEOUT",
    "LIMIT",
    "CANCELLED",
    "HOST_ERROR",
    "DIVERGED",
];

/// The codes as the source documents them.
fn documented() -> Vec<(String, u8)> {
    let source = std::fs::read_to_string(built::repository().join("host/model/src/outcome.rs")).unwrap();
    let constants = source.lines().filter_map(|line| line.trim().strip_prefix("pub const ")?.split_once(": u8 = "));
    constants.map(|(name, value)| (name.to_owned(), value.trim_end_matches(';').parse().unwrap())).collect()
}

fn code(name: &str) -> u8 {
    documented().into_iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name} is not documented")).1
}

#[test]
fn every_documented_code_is_shown() {
    let mut known: Vec<&str> = SHOWN.iter().copied().chain(ELSEWHERE.map(|(name, _)| name)).collect();
    let documented = documented();
    let mut names: Vec<&str> = documented.iter().map(|(name, _)| name.as_str()).collect();
    known.sort_unstable();
    names.sort_unstable();
    assert_eq!(names, known);
}

/// A device with a scratch folder, and what runs `endings` there.
struct Bench {
    remit: Remit,
    bind: String,
}

impl Bench {
    fn new() -> Self {
        let remit = Remit::new();
        let scratch = remit.folder("scratch");
        for name in ["replaced", "appended", "removed"] {
            std::fs::write(scratch.join(name), "before\n").unwrap();
        }
        Self { bind: format!("scratch={}", scratch.display()), remit }
    }

    fn run(&self, end: &str, args: &[&str]) -> remit::Ran {
        let end = format!("end={end}");
        let guest = remit::guest("endings");
        self.remit.run_plugin(&guest, &[&["--param", &end, "--bind", &self.bind], args].concat())
    }
}

const ENFORCE: [&str; 6] = ["--mode", "enforce", "--allow", "files-write", "--allow", "kv-write"];

#[test]
fn a_run_ends_with_the_code_of_its_verdict_or_outcome() {
    let bench = Bench::new();
    let cases: &[(&str, &[&str], &str, &str, &str)] = &[
        ("compliant", &[], "OK", "compliant", "completed"),
        ("not-applicable", &[], "OK", "not-applicable", "completed"),
        ("changes", &["--mode", "dry-run"], "OK", "planned", "completed"),
        ("non-compliant", &[], "NON_COMPLIANT", "non-compliant", "completed"),
        ("unknown", &[], "UNKNOWN", "unknown", "completed"),
        ("denied", &[], "DENIED", "unknown", "denied"),
        ("plugin-error", &[], "PLUGIN_ERROR", "unknown", "plugin-error"),
        ("trap", &[], "TRAP", "unknown", "trap"),
        ("sleeps", &["--limit", "wall-ms=500"], "TIMEOUT", "unknown", "timeout"),
        ("works", &["--limit", "cpu-ms=200"], "LIMIT", "unknown", "limit"),
    ];
    for (end, args, expected, verdict, outcome) in cases {
        let ran = bench.run(end, args).expect(code(expected));
        let summary = ran.json();
        assert_eq!((&summary["verdict"], &summary["outcome"]), (&(*verdict).into(), &(*outcome).into()), "{end}");
    }
}

#[test]
fn a_run_that_changes_ends_as_it_is_measured() {
    let bench = Bench::new();
    let recurred = bench.run("recurs", &ENFORCE).expect(code("RECURRED")).json();
    assert_eq!(recurred["verdict"], "recurred");

    let bench = Bench::new();
    let fixed = bench.run("changes", &ENFORCE).expect(code("OK")).json();
    assert_eq!(fixed["verdict"], "fixed");
    // What somebody wrote since is not overwritten: that part of the undo fails, and says so.
    std::fs::write(bench.remit.folder("scratch").join("appended"), "newer work\n").unwrap();
    let undone =
        bench.remit.run(&["--output", "json", "undo", fixed["run"].as_str().unwrap()]).expect(code("FAILED")).json();
    assert_eq!(undone["verdict"], "failed");
    assert!(undone["detail"].as_str().unwrap().contains("appended"), "{undone}");
    assert_eq!(std::fs::read(bench.remit.folder("scratch").join("appended")).unwrap(), b"newer work\n");
}

#[test]
fn what_never_ran_says_so() {
    let bench = Bench::new();
    let refused = bench.run("changes", &["--mode", "enforce"]).expect(code("REFUSED"));
    assert!(refused.stderr.contains("refused: nothing was run"), "{refused}");
    let record = &bench.remit.runs()[0];
    assert_eq!(record["ended"]["outcome"], "refused", "a refusal is evidence too");

    let missing = bench.remit.run(&["run", "/nowhere.wasm"]).expect(code("FAILURE"));
    assert!(missing.stderr.contains("/nowhere.wasm"), "{missing}");
    // clap's own, for a command line that is none.
    bench.remit.run(&["run"]).expect(2);
}

#[test]
fn a_run_that_somebody_stops_is_cancelled() {
    let bench = Bench::new();
    let guest = remit::guest("endings");
    let args = ["--output", "json", "run", guest.to_str().unwrap(), "--param", "end=waits", "--param", "times=600"];
    let child = bench.remit.start(&args);
    let deadline = Instant::now() + Duration::from_secs(60);
    while bench.remit.runs().is_empty() {
        assert!(Instant::now() < deadline, "it never began");
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = remit::Ran::from(child.wait_with_output().unwrap()).expect(code("CANCELLED"));
    assert_eq!(ran.json()["outcome"], "cancelled");
}

/// The disk is full in the middle of a run: it is the host's fault, and what is left is enough to say so.
#[test]
fn a_record_that_cannot_be_kept_is_the_hosts_fault() {
    need_root!();
    let bench = Bench::new();
    bench.run("compliant", &[]).expect(0);
    let used = |folder: &str| -> u64 {
        let files = std::fs::read_dir(bench.remit.state().join(folder)).unwrap();
        let files = files.map(|file| file.unwrap().metadata().unwrap()).filter(|file| file.is_file());
        files.map(|file| file.len()).sum()
    };
    // The store's reserve lies beside it, and is used up too before it says so.
    let room = used("compiled") + used(".") + 3 * (1 << 20);
    let (program, guest) = (built::remit(), remit::guest("endings"));
    let state = bench.remit.state().display().to_string();
    let full = |talks: &str| {
        let script = format!(
            "cp -a {state} {state}.kept && mount -t tmpfs -o size={room} tmpfs {state} && cp -a {state}.kept/. {state}/ && \
             rm -rf {state}.kept && exec {} --output json run {} --bind {} --param end=talks --param times={talks} \
             --limit log-bytes=16777216 --limit log-lines-per-second=10000",
            program.display(),
            guest.display(),
            bench.bind,
        );
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script])
            .env("REMIT_STATE", &state)
            .env("REMIT_POLICY", bench.remit.policy());
        remit::Ran::from(command.stdin(Stdio::null()).output().unwrap())
    };
    let ran = full("15").expect(code("HOST_ERROR"));
    assert_eq!(ran.json()["outcome"], "host-error");
    full("1").expect(0);
}

#[test]
fn a_replay_that_goes_another_way_has_a_code_of_its_own() {
    let bench = Bench::new();
    let record = bench.remit.folder("records").join("waits");
    let file = record.to_str().unwrap();
    bench.run("waits", &["--record", file]).expect(0);
    let guest = remit::guest("endings");
    let replay = ["replay", file, "--plugin", guest.to_str().unwrap()];
    bench.remit.run(&replay).expect(0);
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replace("it waited", "it slept")).unwrap();
    bench.remit.run(&replay).expect(code("DIVERGED"));
}
