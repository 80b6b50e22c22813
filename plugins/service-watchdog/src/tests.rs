use super::*;

use remit_sdk::kv::{GetValue, KvEntry};
use remit_sdk::kv_write::PutValue;
use remit_sdk::run::Mode;
use remit_sdk::service::GetService;
use remit_sdk::service_control::{RestartService, StartService};
use remit_sdk::testing::Host;
use remit_sdk::ticket::{RaiseTicket, ResolveIfMine};
use serde_json::json;

/// A host whose only service is in this state, and was started so often.
fn host(state: ServiceState, start_type: StartType, starts: u32) -> Host {
    Host::new()
        .parameters(json!({ "services": ["nginx"] }))
        .answer(move |call: &GetService| {
            Ok(ServiceInfo { name: call.name.clone(), state, start_type, ..ServiceInfo::default() })
        })
        .answer(move |_: &GetValue| {
            Ok((starts > 0).then(|| KvEntry { value: starts.to_string(), ..KvEntry::default() }))
        })
        .answer(|_: &PutValue| Ok(Default::default()))
        .answer(|_: &StartService| Ok(Default::default()))
        .answer(|_: &RestartService| Ok(Default::default()))
        .answer(|_: &RaiseTicket| Ok(Default::default()))
        .answer(|_: &ResolveIfMine| Ok(Default::default()))
}

/// What is found, and what is then done.
fn check(host: &Host) -> (Vec<(Severity, String)>, Vec<&'static str>) {
    let report = host.detect::<ServiceWatchdog>().unwrap();
    let seen = host.names().len();
    host.remediate::<ServiceWatchdog>(&report.findings).unwrap();
    let found = report.findings.into_iter().map(|finding| (finding.severity, finding.title)).collect();
    (found, host.names().split_off(seen))
}

const STARTED: [&str; 4] =
    ["kv.get-value", "kv-write.put-value", "service-control.start-service", "ticket.resolve-if-mine"];

#[test]
fn a_service_that_runs_is_left_alone() {
    assert_eq!(check(&host(ServiceState::Running, StartType::Automatic, 0)), (vec![], vec![]));
}

#[test]
fn a_service_that_is_down_is_counted_and_started() {
    let host = host(ServiceState::Failed, StartType::Automatic, 1);
    assert_eq!(check(&host), (vec![(Severity::Error, "nginx has failed".to_owned())], STARTED.to_vec()));
    let put = &host.calls::<PutValue>()[0];
    assert_eq!((put.key.as_str(), put.value.as_str(), put.ttl_seconds), ("restarts/nginx", "2", 3_600));
    assert_eq!(host.calls::<StartService>()[0].wait_ms, 30_000);
}

#[test]
fn a_paused_service_is_started_anew() {
    let (_, done) = check(&host(ServiceState::Paused, StartType::Automatic, 0));
    assert!(done.contains(&"service-control.restart-service"), "{done:?}");
}

#[test]
fn after_three_starts_a_person_is_asked() {
    let host = host(ServiceState::Stopped, StartType::Automatic, 3);
    let (found, done) = check(&host);
    assert_eq!(found[0].0, Severity::Critical);
    assert_eq!(done, ["ticket.raise-ticket"]);
    assert_eq!(host.calls::<RaiseTicket>()[0].ticket.fingerprint, "service:nginx");
}

#[test]
fn a_start_that_fails_is_a_ticket_with_the_reason() {
    let host = host(ServiceState::Stopped, StartType::Automatic, 0)
        .answer(|_: &StartService| Err(Error::of_kind(ErrorKind::Failed, "service-failed", "exit code 1")));
    check(&host);
    assert!(host.calls::<RaiseTicket>()[0].ticket.body.contains("exit code 1"));
    assert!(host.calls::<ResolveIfMine>().is_empty());
}

#[test]
fn what_somebody_switched_off_is_only_told() {
    let (found, done) = check(&host(ServiceState::Stopped, StartType::Masked, 0));
    assert_eq!((found[0].0, done), (Severity::Info, vec![]));
}

#[test]
fn a_service_that_is_not_there_is_an_error_and_cannot_be_started() {
    let host = host(ServiceState::Stopped, StartType::Automatic, 0)
        .answer(|_: &GetService| Err(Error::of_kind(ErrorKind::NotFound, "service", "no such service")));
    assert_eq!(check(&host), (vec![(Severity::Error, "nginx is not installed".to_owned())], vec![]));
}

#[test]
fn a_dry_run_asks_for_what_the_enforce_run_does() {
    let plan = |mode| {
        let host = host(ServiceState::Stopped, StartType::Automatic, 0).mode(mode);
        check(&host);
        host.plan()
    };
    assert_eq!(plan(Mode::DryRun), plan(Mode::Enforce));
}
