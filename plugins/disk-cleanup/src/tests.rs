use super::*;

use std::cell::RefCell;
use std::rc::Rc;

use remit_sdk::files::{Entry, EntryKind, FindEntries};
use remit_sdk::files_write::RemoveEntries;
use remit_sdk::run::Mode;
use remit_sdk::testing::Host;
use remit_sdk::types::{self, Change};
use serde_json::json;

fn file(path: &str) -> Entry {
    Entry { path: path.into(), kind: EntryKind::File, size_bytes: 1_000, ..Entry::default() }
}

/// A host with these files, two to a page; `stuck` cannot be removed.
fn host(paths: &[&str]) -> Host {
    let there = Rc::new(RefCell::new(paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>()));
    let seen = Rc::clone(&there);
    Host::new()
        .parameters(json!({ "root": "scratch", "path": "logs", "pattern": "*.log", "older-than-days": 7 }))
        .answer(move |_: &FindEntries| {
            let there = seen.borrow();
            let items = there.iter().take(2).map(|path| file(path)).collect();
            Ok(Entries { items, truncated: there.len() > 2, skipped: 0 })
        })
        .answer(move |call: &RemoveEntries| {
            there.borrow_mut().retain(|path| path == "stuck" || !call.paths.contains(path));
            Ok(call.paths.iter().map(|path| removal(path)).collect())
        })
}

fn removal(path: &str) -> Removal {
    let path = path.to_owned();
    match path.as_str() {
        "stuck" => Removal { path, error: Some(types::Error::default()), ..Removal::default() },
        _ => Removal {
            path,
            change: Change { effect: Effect::Changed, ..Change::default() },
            quarantined_bytes: 1_000,
            ..Removal::default()
        },
    }
}

#[test]
fn old_files_are_one_finding_with_their_number_and_size() {
    let host = host(&["a.log", "b.log", "c.log"]);
    let report = host.detect::<DiskCleanup>().unwrap();
    assert_eq!(report.verdict, Verdict::NonCompliant);
    let finding = &report.findings[0];
    assert_eq!(finding.title, "at least 2 files in scratch/logs are older than 7 days: 2.0 kB");
    assert_eq!((finding.attribute("files"), finding.attribute("bytes")), (Some("2"), Some("2000")));
    assert!(finding.remediable && finding.evidence.contains("a.log"), "{finding:?}");
}

#[test]
fn without_old_files_it_is_compliant() {
    assert_eq!(host(&[]).detect::<DiskCleanup>().unwrap().verdict, Verdict::Compliant);
}

#[test]
fn the_limit_is_the_same_all_day() {
    let limit = |hour: u64| {
        let host = host(&[]);
        let now_ms = host.now_ms() + hour * 60 * 60 * 1_000;
        let host = host.at_ms(now_ms);
        host.detect::<DiskCleanup>().unwrap();
        host.calls::<FindEntries>()[0].selection.modified_before_ms
    };
    assert_eq!(limit(0), limit(23));
    assert_ne!(limit(0), limit(24));
}

#[test]
fn all_pages_are_removed_and_what_stays_is_counted() {
    let host = host(&["a.log", "b.log", "stuck"]);
    let remedy = host.remediate::<DiskCleanup>(&[]).unwrap();
    assert_eq!(remedy.summary, "2 files removed: 2.0 kB to the quarantine, 0 B free at once; 1 left alone");
    assert_eq!(host.calls::<RemoveEntries>().len(), 2);
}

#[test]
fn what_cannot_be_removed_ends_the_loop() {
    let host = host(&["stuck", "stuck", "stuck"]);
    host.remediate::<DiskCleanup>(&[]).unwrap();
    assert_eq!(host.calls::<RemoveEntries>().len(), 1);
}

#[test]
fn a_dry_run_asks_for_what_the_enforce_run_does() {
    let plan = |mode| {
        let host = host(&["a.log", "b.log", "c.log"]).mode(mode);
        host.remediate::<DiskCleanup>(&[]).unwrap();
        host.plan()
    };
    assert_eq!(plan(Mode::DryRun), plan(Mode::Enforce));
}
