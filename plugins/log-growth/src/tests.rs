use super::*;

use remit_sdk::files::{Entries, Entry, FindEntries};
use remit_sdk::testing::Host;
use serde_json::{Value, json};

/// A host on which `app.log` has these sizes, look after look.
fn check(parameters: Value, sizes: &'static [u64]) -> Vec<(Severity, String)> {
    let mut sizes = sizes.iter().copied();
    let host = Host::new().parameters(parameters).answer(move |_: &FindEntries| {
        let size_bytes = sizes.next().expect("no more looks than sizes");
        let items = vec![Entry { path: "app.log".into(), size_bytes, ..Entry::default() }];
        Ok(Entries { items, ..Entries::default() })
    });
    let report = host.detect::<LogGrowth>().unwrap();
    assert_eq!(report.verdict == Verdict::Compliant, report.findings.is_empty());
    report.findings.into_iter().map(|finding| (finding.severity, finding.title)).collect()
}

fn root() -> Value {
    json!({ "root": "logs" })
}

#[test]
fn a_quiet_log_is_compliant() {
    assert_eq!(check(root(), &[512 * MIB, 512 * MIB]), []);
}

#[test]
fn a_large_log_is_found() {
    let found = check(root(), &[512 * MIB, 512 * MIB + 1]);
    assert_eq!(found, [(Severity::Warning, "app.log is 536.9 MB".to_owned())]);
}

#[test]
fn growth_is_told_by_the_hour() {
    // 100 MiB an hour are 291,271 bytes in 10 seconds.
    assert_eq!(check(root(), &[0, 291_271]), []);
    let found = check(root(), &[0, 291_272]);
    assert_eq!(found, [(Severity::Error, "app.log grows by 104.9 MB an hour".to_owned())]);
}

#[test]
fn a_log_that_was_rotated_meanwhile_says_nothing() {
    assert_eq!(check(root(), &[10 * MIB, 0]), []);
}

#[test]
fn without_a_second_look_there_is_no_growth() {
    assert_eq!(check(json!({ "root": "logs", "sample-seconds": 0 }), &[0]), []);
}
