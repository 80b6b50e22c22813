use super::*;

use remit_sdk::device::ListVolumes;
use remit_sdk::kv::{GetValue, KvEntry};
use remit_sdk::kv_write::{PutValue, RemoveValue};
use remit_sdk::notify::{ResolveEvent, TriggerEvent};
use remit_sdk::run::Mode;
use remit_sdk::testing::Host;
use remit_sdk::ticket::{RaiseTicket, ResolveIfMine};
use serde_json::json;

/// A host with one volume so free, of which somebody was told when it was so free.
fn host(free_percent: u64, told: Option<u32>) -> Host {
    let volume =
        Volume { mount: "/var".into(), size_bytes: 100 << 30, free_bytes: free_percent << 30, ..Volume::default() };
    Host::new()
        .parameters(json!({ "min-free-percent": 20 }))
        .answer(move |_: &ListVolumes| Ok(vec![volume.clone()]))
        .answer(move |_: &GetValue| Ok(told.map(|free| KvEntry { value: free.to_string(), ..KvEntry::default() })))
        .answer(|_: &PutValue| Ok(Default::default()))
        .answer(|_: &RemoveValue| Ok(Default::default()))
        .answer(|_: &RaiseTicket| Ok(Default::default()))
        .answer(|_: &ResolveIfMine| Ok(Default::default()))
        .answer(|_: &TriggerEvent| Ok(Default::default()))
        .answer(|_: &ResolveEvent| Ok(Default::default()))
}

/// The fingerprints that are found, and what is then done about those that are remediable.
fn check(host: &Host) -> (Vec<String>, Vec<&'static str>) {
    let report = host.detect::<DiskSpace>().unwrap();
    let seen = host.names().len();
    let remediable: Vec<Finding> = report.findings.iter().filter(|it| it.remediable).cloned().collect();
    host.remediate::<DiskSpace>(&remediable).unwrap();
    let found = report.findings.into_iter().map(|finding| finding.fingerprint).collect();
    let mut done = host.names().split_off(seen);
    done.retain(|name| !name.starts_with("run."));
    (found, done)
}

const TOLD_NOW: [&str; 3] = ["ticket.raise-ticket", "notify.trigger-event", "kv-write.put-value"];
const TAKEN_BACK: [&str; 3] = ["ticket.resolve-if-mine", "notify.resolve-event", "kv-write.remove-value"];

#[test]
fn a_volume_with_room_is_nothing_to_tell() {
    assert_eq!(check(&host(20, None)), (vec![], vec![]));
}

#[test]
fn a_full_volume_is_told_once() {
    let first = host(19, None);
    assert_eq!(check(&first), (vec!["volume:/var".into(), "untold:/var".into()], TOLD_NOW.to_vec()));
    assert_eq!(first.calls::<RaiseTicket>()[0].ticket.fingerprint, "volume:/var");
    let put = &first.calls::<PutValue>()[0];
    assert_eq!((put.key.as_str(), put.value.as_str(), put.ttl_seconds), ("told/:var", "19", 86_400));
    drop(first);
    assert_eq!(check(&host(19, Some(19))), (vec!["volume:/var".to_owned()], vec![]));
    assert_eq!(check(&host(15, Some(19))).1, [""; 0], "not so much fuller");
}

#[test]
fn a_volume_that_runs_fuller_is_told_again() {
    let (found, done) = check(&host(14, Some(19)));
    assert_eq!((found.len(), done), (2, TOLD_NOW.to_vec()));
}

#[test]
fn room_again_takes_back_what_was_told() {
    assert_eq!(check(&host(20, Some(19))), (vec!["room:/var".to_owned()], TAKEN_BACK.to_vec()));
}

#[test]
fn a_ticket_that_a_person_has_answered_is_theirs() {
    let host = host(20, Some(19))
        .answer(|_: &ResolveIfMine| Err(Error::of_kind(ErrorKind::Conflict, "person-replied", "it stays open")));
    assert_eq!(check(&host).1, TAKEN_BACK);
}

#[test]
fn other_mounts_are_left_out() {
    let host = host(1, None).parameters(json!({ "mounts": ["/srv"] }));
    assert_eq!(check(&host), (vec![], vec![]));
}

#[test]
fn a_dry_run_asks_for_what_the_enforce_run_does() {
    let plan = |mode| {
        let host = host(1, None).mode(mode);
        check(&host);
        host.plan()
    };
    assert_eq!(plan(Mode::DryRun), plan(Mode::Enforce));
}
