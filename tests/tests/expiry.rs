//! What has had its time goes at the end of a run: out of the store, and out of quarantines.

use std::fs;
use std::path::Path;

use store::{Expected, Store};
use tests::{Remit, remit};

const ALLOWED: &str = "[[allow]]\ncapability = \"files-write\"\n[[allow]]\ncapability = \"kv-write\"\n";

fn run(remit: &Remit, root: &Path, end: &str, mode: &str) {
    let (bind, end) = (format!("scratch={}", root.display()), format!("end={end}"));
    remit.run_plugin(&remit::guest("endings"), &["--mode", mode, "--bind", &bind, "--param", &end]).expect(0);
}

fn scratch(remit: &Remit, name: &str) -> std::path::PathBuf {
    let folder = remit.folder(name);
    for file in ["replaced", "appended", "removed"] {
        fs::write(folder.join(file), "before\n").unwrap();
    }
    folder
}

#[test]
fn documents_that_have_expired_go_at_the_end_of_any_run() {
    let remit = Remit::new();
    let scratch = scratch(&remit, "scratch");
    run(&remit, &scratch, "compliant", "detect");
    let put = |key: &str, expires_ms| {
        let store = Store::open(&remit.state()).unwrap();
        store.put("test", key, "value", Expected::Any, expires_ms, 1).unwrap().unwrap();
    };
    put("expired", Some(2));
    put("in an hour", Some(u64::MAX >> 1));
    put("never", None);
    // As of the very beginning, so that what has expired and is there is seen.
    let keys = || -> Vec<String> {
        let store = Store::open(&remit.state()).unwrap();
        store.list("test", "", "", 10, 0).unwrap().into_iter().map(|document| document.key).collect()
    };
    assert_eq!(keys(), ["expired", "in an hour", "never"]);
    run(&remit, &scratch, "compliant", "detect");
    assert_eq!(keys(), ["in an hour", "never"]);
}

#[test]
fn a_quarantine_is_emptied_after_its_time_by_a_run_that_changes_things() {
    let remit = Remit::new();
    let (first, second) = (scratch(&remit, "first"), scratch(&remit, "second"));
    fs::write(remit.policy(), ALLOWED).unwrap();
    run(&remit, &first, "changes", "enforce");
    let kept = || first.join(".remit-quarantine").exists();
    run(&remit, &second, "compliant", "enforce");
    assert!(kept(), "the control: its time is not over");
    fs::write(remit.policy(), format!("{ALLOWED}[files.quarantine]\nretention-ms = 1\n")).unwrap();
    // What only looks leaves every folder as it is.
    run(&remit, &first, "compliant", "detect");
    run(&remit, &second, "changes", "dry-run");
    assert!(kept());
    // It has nothing to do with that folder, and nothing to remove.
    run(&remit, &second, "compliant", "enforce");
    assert!(!kept());
    assert_eq!(fs::read(first.join("done")).unwrap(), b"done\n", "and nothing else went");
}
