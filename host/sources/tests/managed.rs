//! Sources on a managed host that is booted: what only a whole system does.
#![cfg(target_os = "linux")]
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Host, Root, hosts, need_root};

const PROGRAM: &str = "/usr/local/bin/notices";
const TOLD: &str = "/var/log/notices";
/// Longer than any source takes to look again, and to gather.
const QUIET: Duration = Duration::from_secs(8);

/// A host on which these are watched from its boot on.
fn prepare(root: Root, watches: &[Value]) -> hosts::Prepared {
    let watches: Vec<String> = watches.iter().map(|watch| format!("'{watch}'")).collect();
    let unit = format!(
        "[Service]\nExecStart={PROGRAM} /var/lib/notices {}\nStateDirectory=notices\nStateDirectoryMode=0700\n\
         StandardOutput=append:{TOLD}\n",
        watches.join(" ")
    );
    let host = Host::prepare(root).with_program(PROGRAM, Path::new(env!("CARGO_BIN_EXE_notices")));
    host.with_unit("notices.service", &unit)
}

/// What was noticed for the watch of this number.
fn told(host: &Host, number: usize) -> Vec<Value> {
    let text = std::fs::read_to_string(host.path(TOLD)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["order"] == format!("order-{number}")).map(|mut line| line["notice"].take()).collect()
}

/// What was noticed, as soon as that is enough.
fn wait_for(host: &Host, number: usize, is_enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let told = told(host, number);
        if is_enough(&told) {
            return told;
        }
        let state = || host.run(&["systemctl", "status", "--no-pager", "notices.service"]);
        assert!(Instant::now() < deadline, "of {number} only {told:#?} was told\n{}", state());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// How often something was noticed, with what was merged.
fn occurrences(told: &[Value]) -> u64 {
    told.iter().map(|it| it["data"]["occurrences"].as_u64().unwrap()).sum()
}

#[test]
fn a_boot_and_a_reboot_are_told_once_each() {
    let mut host = prepare(need_root!(), &[json!({ "type": "boot" })]).boot();
    let first = host.boot_id();
    let told_first = wait_for(&host, 0, |told| !told.is_empty());
    assert_eq!(told_first[0]["data"], json!({ "boot-id": first, "last-boot-id": null }));
    // However often the agent starts.
    for _ in 0..3 {
        host.run(&["systemctl", "restart", "notices.service"]);
    }
    host.run(&["systemctl", "kill", "--signal=KILL", "notices.service"]);
    host.run(&["systemctl", "reset-failed", "notices.service"]);
    host.run(&["systemctl", "start", "notices.service"]);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(told(&host, 0).len(), 1);
    host.run(&["systemctl", "reboot"]);
    host.wait_for_reboot_after(&first);
    let second = host.boot_id();
    let all = wait_for(&host, 0, |told| told.len() > 1);
    assert_eq!(all[1]["data"], json!({ "boot-id": second, "last-boot-id": first }));
    assert!(all[0]["at-ms"].as_i64() < all[1]["at-ms"].as_i64());
    host.run(&["systemctl", "restart", "notices.service"]);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(told(&host, 0).len(), 2);
}

#[test]
fn logins_accounts_and_ports_are_told_as_real_programs_make_them() {
    let watches = [
        json!({ "type": "login" }),
        json!({ "type": "login", "user": "eve" }),
        json!({ "type": "account-change", "only-admins": true }),
        json!({ "type": "listening-port" }),
    ];
    let host = prepare(need_root!(), &watches).boot();
    std::thread::sleep(QUIET);
    let ports_before = told(&host, 3).len();
    // A login with a terminal, which writes utmp and wtmp; becoming somebody else is none.
    let log_in = |user: &str| host.run(&["sh", "-c", &format!("echo exit | script -qec 'login -f {user}' /dev/null")]);
    log_in("root");
    host.run(&["runuser", "-u", "nobody", "--", "true"]);
    let logins = wait_for(&host, 0, |told| !told.is_empty());
    assert_eq!((&logins[0]["subject"], logins[0]["data"]["tty"].is_string()), (&json!("root"), true), "{logins:#?}");
    // A user, and then one who may administer.
    host.run(&["useradd", "--create-home", "mallory"]);
    host.run(&["useradd", "--create-home", "--groups", "sudo", "eve"]);
    let accounts = wait_for(&host, 2, |told| !told.is_empty());
    assert_eq!((&accounts[0]["subject"], &accounts[0]["data"]["is-admin"]), (&json!("user/eve"), &json!(true)));
    log_in("eve");
    assert_eq!(wait_for(&host, 1, |told| !told.is_empty())[0]["subject"], json!("eve"));
    // A port that everybody reaches, and one that nobody else does.
    for (unit, address) in [("near", "127.0.0.1:8081"), ("far", "0.0.0.0:8080")] {
        let listen = format!("--listen={address}");
        host.run(&["systemd-run", &format!("--unit={unit}"), "/usr/bin/systemd-socket-activate", &listen, "/bin/cat"]);
    }
    let ports = wait_for(&host, 3, |told| told.len() > ports_before);
    let port = &ports[ports_before];
    assert_eq!((&port["subject"], &port["data"]["addresses"]), (&json!("tcp/8080"), &json!(["0.0.0.0"])));
    assert_eq!(port["data"]["program"], json!("/usr/bin/systemd-socket-activate"));
    std::thread::sleep(QUIET);
    let counts = [0, 1, 2, 3].map(|number| told(&host, number).len());
    assert_eq!(counts, [2, 1, 1, ports_before + 1], "{:#?}", told(&host, 0));
    // While it is off: a login, another administrator, another port.
    host.run(&["systemctl", "stop", "notices.service"]);
    log_in("eve");
    host.run(&["usermod", "--append", "--groups", "sudo", "mallory"]);
    host.run(&["systemd-run", "/usr/bin/systemd-socket-activate", "--listen=0.0.0.0:8082", "/bin/cat"]);
    host.run(&["systemctl", "start", "notices.service"]);
    assert_eq!(wait_for(&host, 2, |told| told.len() > 1)[1]["data"]["while-away"], json!(true));
    assert_eq!(wait_for(&host, 3, |told| told.len() > counts[3])[counts[3]]["subject"], json!("tcp/8082"));
    wait_for(&host, 1, |told| told.len() > 1);
    std::thread::sleep(QUIET);
    assert_eq!([0, 1, 2, 3].map(|number| told(&host, number).len()), [3, 2, 2, ports_before + 2]);
}

#[test]
fn lines_of_the_journal_are_counted_once_over_rotations_and_restarts() {
    let log = |journal: &str| json!({ "type": "log-match", "log": { "journal": journal }, "pattern": "^MARK (?<number>[0-9]+)" });
    let host = prepare(need_root!(), &[log("probe.service"), log("*")]).boot();
    // Each tenth line has a mark; of one unit journald takes 10,000 lines in 30 s.
    let write = |unit: &str, lines: u32| {
        let each = format!("for n in $(seq {lines}); do case $n in *0) echo MARK $n;; *) echo REMARK $n;; esac; done");
        host.run(&["systemd-run", "--wait", "--quiet", &format!("--unit={unit}"), "/bin/sh", "-c", &each]);
    };
    std::thread::sleep(Duration::from_secs(2));
    for _ in 0..3 {
        write("probe", 500);
        host.run(&["journalctl", "--rotate"]);
        write("other", 100);
    }
    wait_for(&host, 0, |told| occurrences(told) >= 150);
    let told_all = wait_for(&host, 1, |told| occurrences(told) >= 180);
    assert_eq!(told_all.last().unwrap()["data"]["groups"], json!({ "number": "100" }));
    host.run(&["systemctl", "stop", "notices.service"]);
    write("probe", 200);
    host.run(&["journalctl", "--rotate"]);
    host.run(&["systemctl", "start", "notices.service"]);
    write("probe", 100);
    wait_for(&host, 0, |told| occurrences(told) >= 180);
    host.run(&["systemctl", "restart", "notices.service"]);
    std::thread::sleep(QUIET);
    assert_eq!((occurrences(&told(&host, 0)), occurrences(&told(&host, 1))), (180, 210));
}
