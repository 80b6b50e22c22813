//! A recorded run goes the same way again on another machine, and where its record was changed, it is said at which call.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tests::{Remit, built, need_root, remit};

/// A dry run of `disk-cleanup` with its record; the folder is gone afterwards.
fn record(remit: &Remit) -> (PathBuf, PathBuf, Value) {
    let (scratch, plugin) = (remit.folder("scratch"), built::plugin("disk-cleanup"));
    let old = fs::FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(60 * 86_400));
    for name in ["a.log", "b.log"] {
        fs::write(scratch.join(name), name).unwrap();
        fs::File::open(scratch.join(name)).unwrap().set_times(old).unwrap();
    }
    let record = remit.folder("records").join("run");
    let bind = format!("scratch={}", scratch.display());
    let args = ["--mode", "dry-run", "--bind", &bind, "--record", record.to_str().unwrap()];
    let summary = remit.run_plugin(&plugin, &args).expect(0).json();
    assert_eq!((&summary["verdict"], summary["effects"].as_array().unwrap().len()), (&"planned".into(), 2));
    fs::remove_dir_all(scratch).unwrap();
    (plugin, record, summary)
}

fn replay(remit: &Remit, record: &Path, plugin: &Path) -> remit::Ran {
    let (record, plugin) = (record.to_str().unwrap(), plugin.to_str().unwrap());
    remit.run(&["--output", "json", "replay", record, "--plugin", plugin])
}

/// A record with one event changed.
fn edited(record: &Path, edit: impl Fn(&mut Value) -> bool) -> PathBuf {
    let mut events: Vec<Value> =
        fs::read_to_string(record).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter_mut().any(edit), "there is nothing to edit");
    let path = record.with_extension("edited");
    fs::write(&path, events.iter().map(|event| format!("{event}\n")).collect::<String>()).unwrap();
    path
}

fn is_answer(event: &Value, phase: &str, function: &str) -> bool {
    event["event"] == "called" && event["phase"] == phase && event["function"] == function
}

#[test]
fn a_replay_needs_neither_device_nor_network() {
    need_root!();
    let there = Remit::new();
    let (plugin, record, summary) = record(&there);
    let here = Remit::new();
    // A network of its own, with nothing in it; no program of this machine; no state and no folder of that one.
    let mut command = Command::new("unshare");
    command.args([
        "--net",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /usr/bin && exec \"$@\"",
        "sh",
    ]);
    command.arg(built::remit()).args(["--output", "json", "replay"]).arg(&record).arg("--plugin").arg(&plugin);
    command.env("REMIT_STATE", here.state()).env("REMIT_POLICY", here.policy());
    let replayed = remit::Ran::from(command.output().unwrap()).expect(0).json();
    assert_eq!(replayed["divergence"], Value::Null);
    assert_eq!((&replayed["verdict"], &replayed["outcome"]), (&summary["verdict"], &summary["outcome"]));
    assert_eq!(replayed["calls"], summary["resources"]["calls"]);
    assert!(here.runs().is_empty(), "a replay is no run of this device");
}

#[test]
fn an_edited_answer_changes_the_verdict() {
    let remit = Remit::new();
    let (plugin, record, _) = record(&remit);
    replay(&remit, &record, &plugin).expect(0);
    let nothing_old = edited(&record, |event| {
        let is_it = is_answer(event, "detect", "find-entries");
        if is_it {
            event["answer"]["items"] = Value::Array(Vec::new());
        }
        is_it
    });
    let replayed = replay(&remit, &nothing_old, &plugin).expect(30).json();
    assert_eq!(replayed["verdict"], "compliant");
    assert_ne!(replayed["divergence"], Value::Null);
}

#[test]
fn an_edited_answer_is_named_by_the_call_that_it_leads_to() {
    let remit = Remit::new();
    let (plugin, record, _) = record(&remit);
    let other_file = edited(&record, |event| {
        let is_it = is_answer(event, "remediate", "find-entries");
        if is_it {
            event["answer"]["items"][0]["path"] = "z.log".into();
        }
        is_it
    });
    let removal = fs::read_to_string(&record).unwrap();
    let removal = removal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let call =
        removal.into_iter().find(|event| is_answer(event, "remediate", "remove-entries")).unwrap()["call"].clone();
    let divergence = replay(&remit, &other_file, &plugin).expect(30).json()["divergence"].as_str().unwrap().to_owned();
    assert!(divergence.starts_with(&format!("call {call}, files-write.remove-entries")), "{divergence}");
    assert!(divergence.contains("z.log"), "{divergence}");
}

#[test]
fn findings_and_lines_are_compared_too() {
    let remit = Remit::new();
    let (plugin, record, _) = record(&remit);
    let other_title = edited(&record, |event| {
        let is_it = event["event"] == "reported";
        if is_it {
            event["report"]["findings"][0]["title"] = "something else".into();
        }
        is_it
    });
    let replayed = replay(&remit, &other_title, &plugin).expect(30).json();
    assert!(replayed["divergence"].as_str().unwrap().contains("something else"), "{replayed}");
}

#[test]
fn another_plugin_does_not_replay_it() {
    let remit = Remit::new();
    let (_, record, _) = record(&remit);
    let other = replay(&remit, &record, &remit::guest("endings")).expect(1);
    assert!(other.stderr.contains("the record is of disk-cleanup"), "{other}");
}
