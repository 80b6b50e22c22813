use super::*;

use remit_sdk::device::GetRebootState;
use remit_sdk::testing::Host;
use serde_json::{Value, json};

/// What is found on a machine in this state on its tenth day.
fn check(parameters: Value, state: RebootState) -> Vec<(String, Severity, String)> {
    let host = Host::new().parameters(parameters);
    let booted_ms = host.now_ms() - 10 * DAY_MS;
    let host = host.answer(move |_: &GetRebootState| Ok(RebootState { booted_ms, ..state.clone() }));
    let report = host.detect::<RebootPending>().unwrap();
    assert_eq!(report.verdict == Verdict::Compliant, report.findings.is_empty());
    assert_eq!(host.metrics(), [("uptime".to_owned(), 10.0)]);
    report.findings.into_iter().map(|finding| (finding.fingerprint, finding.severity, finding.title)).collect()
}

fn pending(reasons: &[&str], since_days: u64) -> RebootState {
    let since_ms = Host::new().now_ms() - since_days * DAY_MS;
    RebootState {
        pending: true,
        reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
        attributes: vec![("since-ms".to_owned(), since_ms.to_string())],
        ..RebootState::default()
    }
}

#[test]
fn a_machine_that_waits_for_nothing_is_compliant() {
    assert_eq!(check(json!({}), RebootState::default()), []);
}

#[test]
fn a_reboot_that_is_due_is_a_warning_and_later_an_error() {
    let found = |since_days| check(json!({}), pending(&["kernel"], since_days)).remove(0);
    assert_eq!(found(7), ("reboot".to_owned(), Severity::Warning, "a reboot is due: kernel".to_owned()));
    assert_eq!(found(8), ("reboot".to_owned(), Severity::Error, "a reboot has been due for 8 days: kernel".to_owned()));
}

#[test]
fn a_reason_that_does_not_count_is_left_out() {
    let ignore = || json!({ "ignore": ["services-stale"] });
    assert_eq!(check(ignore(), pending(&["services-stale"], 1)), []);
    let found = check(ignore(), pending(&["services-stale", "kernel"], 1));
    assert_eq!(found[0].2, "a reboot is due: kernel");
}

#[test]
fn a_long_uptime_is_found_only_where_there_is_a_limit() {
    let found = |limit: u64| check(json!({ "max-uptime-days": limit }), RebootState::default());
    assert_eq!((found(0).len(), found(10).len()), (0, 0));
    assert_eq!(found(9), [("uptime".to_owned(), Severity::Warning, "the machine has run for 10 days".to_owned())]);
}
