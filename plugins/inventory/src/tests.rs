use super::*;

use remit_sdk::device::{GetHardware, GetIdentity, GetOs, ListNetworkInterfaces, ListVolumes};
use remit_sdk::software::{FindPrograms, Program, Programs};
use remit_sdk::testing::Host;
use serde_json::{Value, json};

fn program(id: String) -> Program {
    Program { id, version: "1.0".into(), ..Program::default() }
}

fn host(programs: usize) -> Host {
    Host::new()
        .answer(|_: &GetIdentity| Ok(Identity { hostname: "web1".into(), ..Identity::default() }))
        .answer(|_: &GetOs| Ok(OsInfo { name: "Debian".into(), version: "12.7".into(), ..OsInfo::default() }))
        .answer(|_: &GetHardware| Ok(HardwareInfo { physical_cores: 4, ..HardwareInfo::default() }))
        .answer(|_: &ListVolumes| Ok(vec![Volume { mount: "/".into(), ..Volume::default() }]))
        .answer(|_: &ListNetworkInterfaces| Ok(vec![]))
        .answer(move |_: &FindPrograms| {
            let items = (0..programs).map(|number| program(format!("apt:package-{number:04}"))).collect();
            Ok(Programs { items, truncated: false })
        })
}

fn facts(host: &Host) -> (String, Value) {
    let report = host.detect::<Inventory>().unwrap();
    assert_eq!(report.verdict, Verdict::Compliant);
    (report.summary, serde_json::from_str(&report.facts.unwrap()).unwrap())
}

#[test]
fn the_facts_are_in_the_words_of_the_contract() {
    let (summary, facts) = facts(&host(2));
    assert_eq!(summary, "web1, Debian 12.7, 1 volumes, 2 programs");
    assert_eq!(facts["hardware"]["physical-cores"], 4);
    assert_eq!(facts["software"], json!({ "apt:package-0000": "1.0", "apt:package-0001": "1.0" }));
    assert_eq!((&facts["os"]["platform"], &facts["missing"]), (&json!("linux"), &json!([])));
}

#[test]
fn what_the_platform_lacks_is_named() {
    let host = host(1).answer(|_: &GetHardware| Err(Error::of_kind(ErrorKind::Unsupported, "platform", "no")));
    let (_, facts) = facts(&host);
    assert_eq!((&facts["hardware"], &facts["missing"]), (&Value::Null, &json!(["hardware"])));
}

#[test]
fn any_other_failure_is_an_error() {
    let host = host(1).answer(|_: &GetHardware| Err(Error::of_kind(ErrorKind::Failed, "errno-5", "no")));
    assert_eq!(host.detect::<Inventory>().unwrap_err().kind, ErrorKind::Failed);
}

#[test]
fn programs_stay_off_where_nobody_wants_them() {
    let host = host(1).parameters(json!({ "software": false }));
    let (_, facts) = facts(&host);
    assert!(facts.get("software").is_none());
    assert!(!host.names().contains(&"software.find-programs"));
}

#[test]
fn more_programs_than_facts_can_hold_are_counted() {
    let (_, facts) = facts(&host(9_000));
    let kept = facts["software"].as_object().unwrap().len();
    assert!(facts["software"].to_string().len() <= PROGRAMS_BYTES_MAX);
    assert_eq!(facts["software-left-out"], json!(9_000 - kept));
}
