//! A run that waits for a reboot has exactly one end, wherever its host dies; and its record replays through the reboot.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Event, RunId};
use serde_json::Value;
use store::{Expected, Store};
use tests::{Host, Msp, Remit, built, need_root, remit};

const KILL: i32 = 9;
const POLICY: &str =
    "[[allow]]\ncapability = \"kv-write\"\n[[allow]]\ncapability = \"patch-install\"\n[patch]\nreboots = true\n";

/// A device that manages a system in a folder, in which an update waits for a reboot. Nobody reboots the machine for it.
struct Bench {
    remit: Remit,
    guest: PathBuf,
    root: String,
}

impl Bench {
    fn new() -> Self {
        Self::on(Remit::new(), remit::guest("reboots"))
    }

    fn on(remit: Remit, guest: PathBuf) -> Self {
        fs::write(remit.policy(), POLICY).unwrap();
        let root = remit.folder("root");
        fs::create_dir(root.join("run")).unwrap();
        fs::write(root.join("run/reboot-required.pkgs"), "linux-image-amd64\n").unwrap();
        Self { guest, root: root.display().to_string(), remit }
    }

    fn command(&self, args: &[&str]) -> Command {
        self.remit.command(&[&["--output", "json", "--root", &self.root], args].concat())
    }

    fn ran(&self, args: &[&str]) -> remit::Ran {
        self.command(args).output().unwrap().into()
    }

    fn enforce(&self, args: &[&str]) -> Command {
        let run = ["run", self.guest.to_str().unwrap(), "--mode", "enforce", "--param", "key=done"];
        self.command(&[&run, args].concat())
    }

    /// A run that waits for its reboot. That this machine cannot take it is what the command ends with.
    fn suspend(&self, args: &[&str]) -> String {
        let ran = remit::Ran::from(self.enforce(args).output().unwrap()).expect(1);
        assert!(ran.stderr.contains("only the system that this host runs in can be rebooted"), "{ran}");
        let summary = ran.json();
        assert_eq!(summary["outcome"], "suspended", "{summary}");
        summary["run"].as_str().unwrap().to_owned()
    }

    fn next_run(&self) -> remit::Ran {
        self.ran(&["run", self.guest.to_str().unwrap(), "--param", "key=other"]).expect(10)
    }

    fn store(&self) -> Arc<Store> {
        Arc::new(Store::open(&self.remit.state()).unwrap())
    }

    /// What a reboot does to the request for one: it is of an earlier boot.
    fn reboot(&self) {
        let store = self.store();
        let request = store.get("patch", "reboot-request", 0).unwrap().unwrap();
        let mut value: Value = serde_json::from_str(&request.value).unwrap();
        value["boot"] = "an earlier one".into();
        store.put("patch", "reboot-request", &value.to_string(), Expected::Any, None, 0).unwrap().unwrap();
    }

    /// Has the run wait until then instead.
    fn wait_until(&self, run: &str, until_ms: u64) {
        let (store, run): (_, RunId) = (self.store(), run.parse().unwrap());
        let events = store.events(run).unwrap();
        let suspended = events.iter().find_map(|recorded| match &recorded.event {
            Event::Suspended { boot, findings, .. } => {
                Some(Event::Suspended { until_ms, boot: boot.clone(), findings: findings.clone() })
            }
            _ => None,
        });
        let at_ms = events.last().unwrap().at_ms;
        store.open_run(run).unwrap().unwrap().append(vec![(at_ms, suspended.unwrap())]).unwrap();
    }

    /// The outcome of its one end; none while it waits.
    fn end(&self, run: &str) -> Option<String> {
        let events = self.remit.events(run);
        let ends: Vec<usize> = (0..events.len()).filter(|&at| events[at]["event"] == "ended").collect();
        assert!(
            ends.is_empty() || ends == [events.len() - 1],
            "{run}: at most one end, and nothing after it: {ends:?}"
        );
        ends.first().map(|&at| events[at]["outcome"].as_str().unwrap().to_owned())
    }

    fn latest(&self) -> String {
        self.remit.runs()[0]["run"].as_str().unwrap().to_owned()
    }

    fn kept(&self) -> usize {
        fs::read_dir(self.remit.state().join("suspended")).map_or(0, Iterator::count)
    }
}

#[test]
fn a_run_goes_on_after_its_reboot() {
    let bench = Bench::new();
    let run = bench.suspend(&[]);
    // Not before it; and whoever comes next leaves it waiting, and says for what.
    let early = bench.ran(&["resume", &run]).expect(1);
    assert!(early.stderr.contains("has not been rebooted"), "{early}");
    let next = bench.next_run();
    assert!(next.stderr.contains(&format!("{run} waits for the reboot that it was granted")), "{next}");
    assert_eq!((bench.end(&run), bench.kept()), (None, 1));
    bench.reboot();
    let resumed = bench.ran(&["resume", &run]).expect(0).json();
    assert_eq!((&resumed["verdict"], &resumed["outcome"]), (&"fixed".into(), &"completed".into()), "{resumed}");
    assert_eq!((bench.end(&run).as_deref(), bench.kept()), (Some("completed"), 0));
    let again = bench.ran(&["resume", &run]).expect(1);
    assert!(again.stderr.contains("is not suspended"), "{again}");
}

/// Calls are numbered on after the reboot: one number for two calls would have one answer the intent of the other.
#[test]
fn each_call_has_a_number_of_its_own() {
    let bench = Bench::new();
    let run = bench.suspend(&[]);
    bench.reboot();
    let resumed = bench.ran(&["resume", &run]).expect(0).json();
    let events = bench.remit.events(&run);
    let calls: Vec<u64> =
        events.iter().filter(|event| event["event"] == "called").map(|event| event["call"].as_u64().unwrap()).collect();
    assert_eq!(calls, (0..4).collect::<Vec<_>>(), "get, request | put, get");
    assert_eq!(resumed["resources"]["calls"], 4);
}

#[test]
fn a_run_that_waited_too_long_is_ended_by_whoever_comes_next() {
    let bench = Bench::new();
    let (overdue, other) = (bench.suspend(&[]), bench.suspend(&["--param", "key=another"]));
    bench.wait_until(&overdue, 1);
    let next = bench.next_run();
    assert!(next.stderr.contains(&format!("{overdue} is over, timeout")), "{next}");
    assert_eq!(bench.end(&overdue).as_deref(), Some("timeout"));
    assert_eq!((bench.end(&other), bench.kept()), (None, 1), "the control: one that may still wait waits");
    // Also by the command that was to go on with it, with the exit code of the end.
    bench.wait_until(&other, 1);
    bench.reboot();
    let resumed = bench.ran(&["resume", &other]).expect(24).json();
    assert_eq!(resumed["outcome"], "timeout");
    assert_eq!((bench.end(&other).as_deref(), bench.kept()), (Some("timeout"), 0));
}

#[test]
fn a_run_whose_plugin_is_not_there_is_interrupted() {
    let bench = Bench::new();
    let (lost, changed, whole) = (bench.suspend(&[]), bench.suspend(&[]), bench.suspend(&[]));
    let kept = |run: &str| bench.remit.state().join("suspended").join(format!("{run}.wasm"));
    fs::remove_file(kept(&lost)).unwrap();
    fs::write(kept(&changed), "another plugin").unwrap();
    bench.next_run();
    for run in [&lost, &changed] {
        assert_eq!(bench.end(run).as_deref(), Some("interrupted"));
    }
    assert_eq!((bench.end(&whole), bench.kept()), (None, 1));
    bench.reboot();
    bench.ran(&["resume", &lost]).expect(1);
    bench.ran(&["resume", &whole]).expect(0);
}

#[test]
fn a_run_is_asked_again_whether_its_plugin_is_approved() {
    let msp = Msp::new();
    fs::copy(remit::guest("reboots"), msp.folder.join("reboots.wasm")).unwrap();
    msp.ok(&["sign", "reboots.wasm", "--key", "remit"]);
    let bench = Bench::on(msp.machine(), msp.folder.join("reboots.wasm"));
    let reviewed = |args: &[&str]| msp.run_on(&bench.remit, &[args, &["--key", "rob"]].concat()).expect(0);
    let grants = ["--grant", "kv", "--grant", "kv-write", "--grant", "patch-install"];
    reviewed(&[&["approve", "reboots.wasm", "--name", "reboots", "--client", "*"], &grants[..]].concat());
    let runs = [bench.suspend(&[]), bench.suspend(&["--param", "key=two"]), bench.suspend(&["--param", "key=three"])];
    bench.reboot();
    bench.ran(&["resume", &runs[0]]).expect(0);
    assert_eq!(bench.remit.events(&runs[0])[0]["trust"], "signed by remit, approved by rob in reboots");
    // What was signed about it is what it is asked with.
    fs::remove_file(bench.remit.state().join("suspended").join(format!("{}.vouched", runs[1]))).unwrap();
    let refused = bench.ran(&["resume", &runs[1]]).expect(20);
    assert!(refused.stderr.contains("what was signed about its plugin is no longer there"), "{refused}");
    reviewed(&["revoke", "--end", "compromised", "--reason", "it never comes back", "--plugin", "reboots.wasm"]);
    let refused = bench.ran(&["resume", &runs[2]]).expect(20);
    assert_eq!(refused.codes(), ["revoked"], "{refused}");
    for run in &runs[1..] {
        assert_eq!(bench.end(run).as_deref(), Some("refused"));
    }
    let end = bench.remit.events(&runs[2]).pop().unwrap();
    assert!(end["detail"].as_str().unwrap().contains("it never comes back"), "{end}");
    assert_eq!(bench.kept(), 0, "nothing of them is left");
    // To take back what it did runs nothing of it.
    let undone = bench.ran(&["undo", &runs[0]]).expect(12).json();
    assert_eq!(undone["effects"][0]["effect"], "changed", "all but the reboot, which nobody takes back: {undone}");
}

/// The unit's own points need a machine with systemd: see `a_host_that_dies_before_the_reboot` below.
#[test]
fn a_host_that_dies_before_it_kept_the_plugin_left_a_run_that_is_interrupted() {
    for (point, outcome) in [
        ("suspended.before-plugin", Some("interrupted")),
        ("whole.before-change", Some("interrupted")),
        ("whole.after-change", None),
    ] {
        let bench = Bench::new();
        let died = bench.enforce(&[]).env("REMIT_FAIL_POINT", point).output().unwrap();
        assert_eq!(died.status.signal(), Some(KILL), "{point}: {}", remit::Ran::from(died));
        let run = bench.latest();
        assert_eq!(bench.remit.events(&run).last().unwrap()["event"], "suspended", "{point}");
        bench.next_run();
        assert_eq!(bench.end(&run).as_deref(), outcome, "{point}");
        bench.next_run();
        assert_eq!(bench.end(&run).as_deref(), outcome, "{point}");
        if outcome.is_none() {
            bench.reboot();
            bench.ran(&["resume", &run]).expect(0);
            assert_eq!(bench.end(&run).as_deref(), Some("completed"));
        }
    }
}

/// A host that dies while it goes on leaves what a run waits with; nothing of it may go on a second time.
#[test]
fn a_host_that_dies_while_it_goes_on_leaves_nothing() {
    let bench = Bench::new();
    let run = bench.suspend(&[]);
    bench.reboot();
    // `resumed`, then the intent of the call after it.
    let died = bench.command(&["resume", &run]).env("REMIT_FAIL_POINT", "event.after-commit:2").output().unwrap();
    assert_eq!(died.status.signal(), Some(KILL), "{}", remit::Ran::from(died));
    assert_eq!((bench.end(&run), bench.kept()), (None, 1));
    bench.next_run();
    assert_eq!((bench.end(&run).as_deref(), bench.kept()), (Some("interrupted"), 0));
    let shown = bench.ran(&["runs", "show", &run]).expect(0).json();
    let effects = shown["effects"].as_array().unwrap();
    assert_eq!(effects.last().unwrap()["effect"], "unknown", "what was in flight: {shown}");
}

#[test]
fn a_record_goes_through_the_reboot_and_replays() {
    let bench = Bench::new();
    let record = bench.remit.folder("records").join("run");
    let record = record.to_str().unwrap();
    let run = bench.suspend(&["--record", record, "--param", "sleep-ms=1500"]);
    let replay = || {
        let began = Instant::now();
        let ran = Remit::new().run(&["--output", "json", "replay", record, "--plugin", bench.guest.to_str().unwrap()]);
        (ran, began.elapsed())
    };
    // What there is of it so far is a record too.
    let half = replay().0.expect(0).json();
    assert_eq!((&half["outcome"], &half["calls"], &half["divergence"]), (&"suspended".into(), &2.into(), &Value::Null));
    bench.reboot();
    let resumed = bench.ran(&["resume", &run, "--record", record]).expect(0).json();
    let (replayed, took) = replay();
    let replayed = replayed.expect(0).json();
    assert_eq!(replayed["divergence"], Value::Null);
    assert_eq!((&replayed["verdict"], &replayed["outcome"]), (&resumed["verdict"], &resumed["outcome"]));
    assert_eq!(replayed["calls"], resumed["resources"]["calls"]);
    println!("a replay of a run that slept 3 s, process and compiling included: {took:?}");

    // What went through the reboot is compared, on both sides of it.
    let text = fs::read_to_string(record).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let edit = |edit: &dyn Fn(usize, &mut Value)| {
        let mut events = events.clone();
        events.iter_mut().enumerate().for_each(|(at, event)| edit(at, event));
        assert_ne!(events, self::lines(&text), "there is nothing to edit");
        fs::write(record, events.iter().map(|event| format!("{event}\n")).collect::<String>()).unwrap();
        replay().0.expect(30).json()["divergence"].as_str().unwrap().to_owned()
    };
    let said = edit(&|_, event| {
        if event["event"] == "checkpoint" {
            event["state"] = "eyJhdF9tcyI6MSwiY2hhbmNlIjoyfQ==".into();
        }
    });
    assert!(said.contains("checkpoint"), "{said}");
    let at_resumed = events.iter().position(|event| event["event"] == "resumed").unwrap();
    let said = edit(&|at, event| {
        if at > at_resumed && event["function"] == "put-value" {
            event["arguments"]["value"] = "something else".into();
        }
    });
    assert!(said.contains("kv-write.put-value") && said.contains("something else"), "{said}");
    let said = edit(&|at, event| {
        if at > at_resumed && event["event"] == "inputs" {
            event["seed"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into();
        }
    });
    assert!(said.contains("put-value") || said.contains("slept"), "{said}");
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// WASI's own sleep takes no time in a replay, however long it is: this one is longer than the run's wall time.
#[test]
fn a_sleep_in_wasi_takes_no_time_in_a_replay() {
    let bench = Bench::new();
    let record = bench.remit.folder("records").join("run");
    let began = Instant::now();
    bench.suspend(&["--record", record.to_str().unwrap(), "--param", "sleep-ms=300"]);
    assert!(began.elapsed() >= Duration::from_millis(300), "the control: live it sleeps");
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains("slept: true"), "{text}");
    fs::write(&record, text.replace("\"sleep-ms\":300", "\"sleep-ms\":360000000")).unwrap();
    let args = ["replay", record.to_str().unwrap(), "--plugin", bench.guest.to_str().unwrap()];
    let replayed = bench.remit.run(&args).expect(30);
    assert!(replayed.stdout.contains("slept: false"), "it got past its sleep, at the times of the record: {replayed}");
}

/// On a machine with systemd, where a unit goes on with the run: its host dies beside each thing that it leaves, the next command
/// puts that in order, and one reboot later each run has its one end.
#[test]
fn a_host_that_dies_before_the_reboot() {
    let mut host = Host::prepare(need_root!())
        .with_program("/usr/local/bin/remit", built::remit())
        .with_program("/opt/plugin.wasm", &remit::guest("reboots"))
        .with_file("/etc/remit/policy.toml", POLICY)
        .boot();
    host.run(&["sh", "-c", "echo linux-image-amd64 >/run/reboot-required.pkgs"]);
    let boot = host.boot_id();
    let points: Vec<&str> =
        store::fail::POINTS.iter().copied().filter(|point| point.starts_with("suspended.")).collect();
    for point in &points {
        let (fail, key) = (format!("REMIT_FAIL_POINT={point}"), format!("key={}", point.replace('.', "-")));
        let run = ["run", "/opt/plugin.wasm", "--mode", "enforce", "--param", &key];
        let died = host.output(&[&["env", &fail, "/usr/local/bin/remit"], &run[..]].concat());
        let is_killed = died.status.signal() == Some(KILL) || died.status.code() == Some(128 + KILL);
        assert!(is_killed, "{point}: {}", remit::Ran::from(died));
        let next = ["/usr/local/bin/remit", "run", "/opt/plugin.wasm", "--param", "key=other"];
        remit::Ran::from(host.output(&next)).expect(10);
    }
    let links = || host.run(&["ls", "/etc/systemd/system/multi-user.target.wants"]);
    let mut waiting = 0;
    for (point, run) in points.iter().zip(enforced(&host)) {
        let name = run["run"].as_str().unwrap();
        let is_kept = *point != "suspended.before-plugin";
        assert_eq!(run["ended"].is_null(), is_kept, "{point}: {run}");
        assert_eq!(links().contains(&format!("remit-resume-{name}.service")), is_kept, "{point}");
        waiting += usize::from(is_kept);
    }
    assert_eq!(waiting, points.len() - 1);

    host.run(&["systemctl", "--no-block", "reboot"]);
    host.wait_for_reboot_after(&boot);
    let list = || enforced(&host);
    let deadline = Instant::now() + Duration::from_secs(40);
    while list().iter().any(|run| run["ended"].is_null()) {
        assert!(Instant::now() < deadline, "a run has no end: {:#?}", list());
        std::thread::sleep(Duration::from_millis(100));
    }
    let fixed = list().iter().filter(|run| run["ended"]["verdict"] == "fixed").count();
    assert_eq!(fixed, waiting, "{:#?}", list());
    for run in list() {
        let name = run["run"].as_str().unwrap();
        let events = host.run(&["/usr/local/bin/remit", "runs", "show", name, "--events"]);
        let ends: Vec<usize> =
            lines(&events).iter().enumerate().filter(|(_, it)| it["event"] == "ended").map(|it| it.0).collect();
        assert_eq!(ends, [lines(&events).len() - 1], "{name}");
    }
    let left = host.run(&["sh", "-c", "ls /etc/systemd/system /etc/systemd/system/*.wants /var/lib/remit/suspended"]);
    assert!(!left.contains("run_"), "nothing is left: {left}");
}

/// The enforce runs that a host remembers, the first one first.
fn enforced(host: &Host) -> Vec<Value> {
    let list = host.run(&["/usr/local/bin/remit", "--output", "json", "runs", "list"]);
    let runs: Vec<Value> = serde_json::from_str(&list).unwrap();
    runs.into_iter().rev().filter(|run| run["started"]["mode"] == "enforce").collect()
}
