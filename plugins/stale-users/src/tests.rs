use super::*;

use remit_sdk::device_people::ListUsers;
use remit_sdk::testing::Host;
use serde_json::{Value, json};

fn user(name: &str, idle_days: Option<u64>) -> User {
    let now_ms = Host::new().now_ms();
    User {
        name: name.into(),
        enabled: true,
        last_login_ms: idle_days.map(|days| now_ms - days * DAY_MS),
        ..User::default()
    }
}

fn check(parameters: Value, user: User) -> Option<(Severity, String)> {
    let host = Host::new().parameters(parameters).answer(move |_: &ListUsers| Ok(vec![user.clone()]));
    let report = host.detect::<StaleUsers>().unwrap();
    assert_eq!(report.verdict == Verdict::Compliant, report.findings.is_empty());
    report.findings.into_iter().next().map(|finding| (finding.severity, finding.title))
}

#[test]
fn an_account_is_stale_after_so_many_days() {
    assert_eq!(check(json!({}), user("ada", Some(90))), None);
    let found = check(json!({}), user("ada", Some(91)));
    assert_eq!(found, Some((Severity::Warning, "account ada has not logged in for 91 days".to_owned())));
}

#[test]
fn an_administrator_is_worse() {
    let found = check(json!({}), User { administrator: true, ..user("ada", Some(91)) });
    assert_eq!(found, Some((Severity::Error, "administrator ada has not logged in for 91 days".to_owned())));
}

#[test]
fn one_that_never_logged_in_is_found_unless_that_is_switched_off() {
    assert!(check(json!({}), user("new", None)).is_some());
    assert_eq!(check(json!({ "never-logged-in": false }), user("new", None)), None);
}

#[test]
fn who_cannot_log_in_or_is_no_person_is_left_out() {
    let stale = || user("ada", Some(1_000));
    assert!(check(json!({}), stale()).is_some());
    assert_eq!(check(json!({}), User { enabled: false, ..stale() }), None);
    assert_eq!(check(json!({ "ignore": ["ada"] }), stale()), None);
    let system = vec![("system".to_owned(), "true".to_owned())];
    assert_eq!(check(json!({}), User { attributes: system, ..stale() }), None);
}
