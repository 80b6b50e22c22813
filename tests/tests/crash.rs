//! `kill -9` at every durable write and at random moments: each run has exactly one end, nothing is half written, and what was in
//! flight is `unknown`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Chance, Remit, remit};

const KILL: i32 = 9;
/// No command has more durable writes of one kind.
const TIMES_MAX: u32 = 60;
const QUARANTINE: &str = ".remit-quarantine";

/// A device and the folder that a plugin works on.
struct Bench {
    remit: Remit,
    guest: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let remit = Remit::new();
        fs::write(remit.policy(), "[[allow]]\ncapability = \"files-write\"\n[[allow]]\ncapability = \"kv-write\"\n")
            .unwrap();
        Self { guest: remit::guest("endings"), scratch: remit.folder("scratch"), remit }
    }

    /// The folder as it is before a run.
    fn lay_out(&self) {
        fs::remove_dir_all(&self.scratch).unwrap();
        fs::create_dir(&self.scratch).unwrap();
        for name in ["replaced", "appended", "removed"] {
            fs::write(self.scratch.join(name), "before\n").unwrap();
        }
    }

    fn enforce(&self, times: u32) -> Command {
        let (bind, times) = (format!("scratch={}", self.scratch.display()), format!("times={times}"));
        let plugin = self.guest.to_str().unwrap();
        let params = ["--param", "end=changes", "--param", &times];
        self.remit.command(&[&["run", plugin, "--mode", "enforce", "--bind", &bind], &params[..]].concat())
    }

    /// What holds after every crash, once the next run has put things in order.
    fn check(&self, times: usize) {
        self.next_run();
        self.check_runs(2);
        self.check_files(times);
    }

    fn next_run(&self) {
        self.remit.run_plugin(&self.guest, &["--param", "end=compliant"]).expect(0);
    }

    /// Each run has one end, a record without gaps, and an effect for each intent.
    fn check_runs(&self, latest: usize) {
        for run in self.remit.runs().iter().take(latest) {
            let id = run["run"].as_str().unwrap();
            let events = self.remit.events(id);
            let ends: Vec<usize> = (0..events.len()).filter(|&at| events[at]["event"] == "ended").collect();
            assert_eq!(ends, [events.len() - 1], "{id}: one end, and nothing after it");
            assert!(events.iter().enumerate().all(|(at, event)| event["sequence"] == at), "{id}: no gaps");
            let in_flight = in_flight(&events);
            assert!(in_flight.is_empty() || events.last().unwrap()["outcome"] == "interrupted", "{id}: {in_flight:?}");
            let shown = self.remit.run(&["--output", "json", "runs", "show", id]).expect(0).json();
            let unknown = shown["effects"].as_array().unwrap().iter().filter(|it| it["effect"] == "unknown");
            let unknown: Vec<String> = unknown.map(|it| it["target"].as_str().unwrap().to_owned()).collect();
            assert_eq!(unknown, in_flight, "{id}");
        }
        let left = fs::read_dir(self.remit.state().join("running")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "no lock of a run that is over");
    }

    /// A file is as it was, or as it was to be, wherever it is; and nothing that was there before is lost.
    fn check_files(&self, times: usize) {
        let contents = contents(&self.scratch);
        let steps: Vec<String> = (0..=times).map(|count| format!("before\n{}", "more\n".repeat(count))).collect();
        for (path, content) in contents.iter().filter(|(path, _)| !path.starts_with(QUARANTINE)) {
            let is_whole = match path.as_str() {
                "replaced" => ["before\n", "after\n"].contains(&content.as_str()),
                "appended" => steps.contains(content),
                "removed" => content == "before\n",
                "made/deep/new" => content == "new\n",
                "done" => content == "done\n",
                _ => false,
            };
            assert!(is_whole, "{path}: {content:?}");
        }
        // `replaced` and `removed` are in place or in the quarantine, whole.
        let kept = contents.values().filter(|content| *content == "before\n").count();
        let in_place = usize::from(contents.get("appended").is_some_and(|content| content == "before\n"));
        assert_eq!(kept - in_place, 2, "{contents:?}");
    }
}

/// What was announced and not answered.
fn in_flight(events: &[Value]) -> Vec<String> {
    let calls = |name: &str| -> Vec<&Value> { events.iter().filter(|event| event["event"] == name).collect() };
    let answered: Vec<u64> = calls("called").iter().map(|event| event["call"].as_u64().unwrap()).collect();
    let open = calls("intent").into_iter().filter(|event| !answered.contains(&event["call"].as_u64().unwrap()));
    open.flat_map(|event| event["targets"].as_array().unwrap()).map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// Every file below a folder, by its path.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let mut contents = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                contents.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    contents
}

/// Has a command die at each time that it reaches a point, until it gets through; gives how often it died.
fn die_at(point: &str, mut prepare: impl FnMut() -> Command, mut check: impl FnMut()) -> u32 {
    for time in 1..=TIMES_MAX {
        let output = prepare().env("REMIT_FAIL_POINT", format!("{point}:{time}")).output().unwrap();
        if output.status.signal() != Some(KILL) {
            assert_eq!(output.status.code(), Some(0), "{point}:{time}: {}", String::from_utf8_lossy(&output.stderr));
            return time - 1;
        }
        check();
    }
    panic!("{point} is reached more than {TIMES_MAX} times");
}

fn points(prefixes: &[&str]) -> impl Iterator<Item = &'static str> {
    let is_wanted = move |point: &&str| prefixes.iter().any(|prefix| point.starts_with(prefix));
    store::fail::POINTS.iter().copied().filter(is_wanted).collect::<Vec<_>>().into_iter()
}

const OF_RUNS: [&str; 3] = ["document.", "event.", "files."];
const OF_NEW_FOLDERS: [&str; 2] = ["schema.", "compiled."];
const OF_RECORDS: [&str; 1] = ["whole."];
const OF_SECRETS: [&str; 1] = ["secret."];
/// In host/store: they need a damaged file.
const OF_DAMAGED: [&str; 1] = ["aside."];
/// In suspended.rs: they need a machine to reboot.
const OF_SUSPENDED: [&str; 1] = ["suspended."];
/// In installed/upgrades.rs: they need a machine whose agent systemd starts.
const OF_UPGRADES: [&str; 1] = ["upgrade."];

#[test]
fn every_point_belongs_to_a_test() {
    let known: Vec<&str> =
        [&OF_RUNS[..], &OF_NEW_FOLDERS, &OF_RECORDS, &OF_SECRETS, &OF_DAMAGED, &OF_SUSPENDED, &OF_UPGRADES].concat();
    let tested: BTreeSet<&str> = points(&known).collect();
    assert_eq!(tested, store::fail::POINTS.iter().copied().collect());
}

#[test]
fn a_run_that_dies_at_a_durable_write_is_closed() {
    let bench = Bench::new();
    bench.lay_out();
    assert!(bench.enforce(1).status().unwrap().success());
    for point in points(&OF_RUNS) {
        let prepare = || {
            bench.lay_out();
            bench.enforce(1)
        };
        let died = die_at(point, prepare, || bench.check(1));
        assert!(died > 0, "no run reaches {point}");
        println!("{point}: {died} kills");
        bench.check(1);
    }
    bench.check_runs(usize::MAX);
    let interrupted = bench.remit.runs().iter().filter(|run| run["ended"]["outcome"] == "interrupted").count();
    assert!(interrupted > 10, "{interrupted}");
}

#[test]
fn a_device_that_dies_while_it_is_set_up_is_set_up_by_the_next() {
    for point in points(&OF_NEW_FOLDERS) {
        let bench = Bench::new();
        bench.lay_out();
        let died = bench.enforce(1).env("REMIT_FAIL_POINT", point).status().unwrap();
        assert_eq!(died.signal(), Some(KILL), "nothing reaches {point}");
        assert!(bench.enforce(1).status().unwrap().success(), "the next one goes through");
        bench.check(1);
    }
}

#[test]
fn a_record_is_written_whole_or_not_at_all() {
    let bench = Bench::new();
    let record = bench.remit.folder("records").join("run");
    for point in points(&OF_RECORDS) {
        let prepare = || {
            bench.lay_out();
            fs::write(&record, "the one before\n").unwrap();
            let mut command = bench.enforce(1);
            command.arg("--record").arg(&record);
            command
        };
        let died = die_at(point, prepare, || {
            let text = fs::read_to_string(&record).unwrap();
            let is_whole = || text.ends_with('\n') && text.lines().last().unwrap().contains("\"ended\"");
            assert!(text == "the one before\n" || is_whole(), "{text}");
            bench.next_run();
            bench.check_runs(2);
        });
        assert!(died > 0, "nothing reaches {point}");
    }
}

#[test]
fn a_secret_is_the_old_or_the_new_one() {
    let remit = Remit::new();
    let set = |value: &str| {
        let mut command = remit.command(&["secret", "set", "token", "--for", "http:example.com"]);
        let file = remit.folder("input").join("value");
        fs::write(&file, value).unwrap();
        command.stdin(fs::File::open(file).unwrap());
        command
    };
    for point in points(&OF_SECRETS) {
        let check = || {
            let listed = remit.run(&["--output", "json", "secret", "list"]).expect(0).json();
            assert_eq!(listed[0]["name"], "token");
            assert_eq!(listed.as_array().unwrap().len(), 1);
        };
        assert!(set("the old value").status().unwrap().success());
        assert!(die_at(point, || set("the new value"), check) > 0, "nothing reaches {point}");
        let is_listed = || {
            remit.run(&["--output", "json", "secret", "list"]).expect(0);
        };
        let remove = || {
            assert!(set("the old value").status().unwrap().success());
            remit.command(&["secret", "rm", "token"])
        };
        assert!(die_at(point, remove, is_listed) > 0, "nothing reaches {point}");
    }
}

/// What was in flight cannot be taken back, because nobody knows whether it was done; an undo says so of each.
#[test]
fn an_undo_names_what_was_in_flight() {
    let bench = Bench::new();
    bench.lay_out();
    // The first change of a run: the folder, before its effect is known.
    let died = bench.enforce(1).env("REMIT_FAIL_POINT", "files.after-change").status().unwrap();
    assert_eq!(died.signal(), Some(KILL));
    let run = bench.remit.runs()[0]["run"].as_str().unwrap().to_owned();
    let undone = bench.remit.run(&["--output", "json", "undo", &run]).expect(12).json();
    assert_eq!(undone["verdict"], "failed");
    assert!(undone["detail"].as_str().unwrap().contains("under way when the run was stopped"), "{undone}");
}

#[test]
fn a_run_that_dies_at_a_random_moment_is_closed() {
    const TIMES: u32 = 40;
    let kills = if tests::soak!() { 200 } else { 20 };
    let mut chance = Chance::new(tests::seed());
    let bench = Bench::new();
    bench.lay_out();
    assert!(bench.enforce(TIMES).status().unwrap().success());
    bench.lay_out();
    let began = Instant::now();
    assert!(bench.enforce(TIMES).status().unwrap().success());
    let whole = began.elapsed();
    let (mut killed, mut interrupted) = (0, 0);
    for _ in 0..kills {
        bench.lay_out();
        let mut child = bench.enforce(TIMES).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(chance.below(whole.as_micros() as u64).max(1_000)));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().signal() == Some(KILL));
        bench.check(TIMES as usize);
        let last = &bench.remit.runs()[1];
        interrupted += u32::from(last["ended"]["outcome"] == "interrupted");
    }
    bench.check_runs(usize::MAX);
    eprintln!("{kills} kills within {whole:?}: {killed} in time, {interrupted} runs found interrupted");
    assert!(killed > kills / 2, "most came before the end");
}
