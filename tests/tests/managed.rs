//! Plugins on a managed host: updates with the reboot that they need, an install that outlives its host, and a service that
//! is brought back over D-Bus.

use std::process::Output;
use std::time::{Duration, Instant};

use tests::{Host, Root, apt, built, need_root};

const POLICY: &str = r#"
[[allow]]
capability = "patch-install"

[[allow]]
capability = "service-control"

[[allow]]
capability = "kv-write"

[[allow]]
capability = "ticket"

[patch]
repairs = true
reboots = true

[[patch.rule]]
action = "approve"
packages = ["probe-*", "slow"]
"#;

fn host(root: Root, plugin: &str) -> tests::hosts::Prepared {
    Host::prepare(root)
        .with_program("/usr/local/bin/remit", built::remit())
        .with_program("/opt/plugin.wasm", &built::plugin(plugin))
        .with_file("/etc/remit/policy.toml", POLICY)
}

/// The value at a JSON pointer of what a command printed.
fn text_at(json: &str, pointer: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let found = value.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {json}"));
    found.as_str().map_or_else(|| found.to_string(), str::to_owned)
}

fn json(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn explain(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_update_takes_the_reboot_it_needs_and_ends_fixed() {
    let mut host = host(need_root!(), "patch-compliance").boot();
    apt::pending_updates(&host);
    host.run(&["apt-mark", "unhold", "probe-held"]);
    host.run(&["apt-get", "--yes", "install", "--only-upgrade", "probe-held"]);
    host.run(&["dpkg", "--purge", "probe-kept"]);
    let boot = host.boot_id();
    let run = ["--param", "security-days=0", "--param", "other-days=0", "--param", "reboot=true"];
    let mut command = vec!["/usr/local/bin/remit", "run", "/opt/plugin.wasm", "--mode", "enforce", "--output", "json"];
    command.extend(run);
    let output = host.output(&command);
    // The machine may go down before the caller hears the end; what counts is in the record.
    if output.status.code().is_some() && !output.stdout.is_empty() {
        assert_eq!(output.status.code(), Some(28), "{}", explain(&output));
        assert_eq!(text_at(&json(&output), "/outcome"), "suspended");
    }
    host.wait_for_reboot_after(&boot);

    let list = || host.run(&["/usr/local/bin/remit", "runs", "list", "--output", "json"]);
    wait_until("the run ends after the boot", || text_at(&list(), "/0/ended") != "null");
    assert_eq!(text_at(&list(), "/0/ended/verdict"), "fixed", "{}", list());
    assert_eq!(text_at(&list(), "/0/ended/outcome"), "completed");
    let run = text_at(&list(), "/0/run");
    for package in ["probe-security", "probe-tool"] {
        assert_eq!(host.run(&["dpkg-query", "-W", "-f", "${Version}", package]), "2.0");
    }
    let left = host.run(&["sh", "-c", "ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants"]);
    assert!(!left.contains(&run), "nothing is left of the unit: {left}");
    let events = host.run(&["/usr/local/bin/remit", "runs", "show", &run, "--events"]);
    let order: Vec<String> = events.lines().map(|line| text_at(line, "/event")).collect();
    let at = |event: &str| order.iter().position(|it| it == event).unwrap_or_else(|| panic!("no {event} in {order:?}"));
    assert!(at("started") < at("checkpoint") && at("checkpoint") < at("suspended"), "{order:?}");
    assert!(at("suspended") < at("resumed") && at("resumed") < at("ended"), "{order:?}");
    assert_eq!(order.iter().filter(|event| *event == "ended").count(), 1);
}

#[test]
fn an_install_whose_host_is_killed_goes_on_and_is_adopted() {
    let host = host(need_root!(), "patch-compliance").boot();
    let repository = apt::Repository::new(&host);
    repository.install(&[apt::Package::new("slow", "1.0")]);
    let slow = apt::Package::new("slow", "2.0")
        .with_postinst("#!/bin/sh\ntouch /begun\nwhile [ ! -e /go ]; do sleep 0.1; done\n");
    repository.publish(&apt::MAIN, &[slow]);
    host.run(&["apt-get", "update"]);
    let enforce =
        "/usr/local/bin/remit run /opt/plugin.wasm --mode enforce --param other-days=0 --param security-days=0";
    let start = format!("setsid --fork {enforce} >/var/tmp/said 2>&1 </dev/null");
    host.run(&["sh", "-c", &start]);
    wait_until("the install begins", || {
        let said = std::fs::read_to_string(host.path("/var/tmp/said")).unwrap_or_default();
        assert!(said.is_empty(), "it ended before it began: {said}");
        host.path("/begun").exists()
    });
    host.run(&["pkill", "-9", "-x", "remit"]);
    host.run(&["touch", "/go"]);

    // Whoever comes next waits for the install, and its result is in the record of the run that began it.
    let next = host.output(&["sh", "-c", enforce]);
    assert_eq!(next.status.code(), Some(0), "{}", explain(&next));
    assert_eq!(host.run(&["dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "slow"]), "2.0 installed");
    let list = host.run(&["/usr/local/bin/remit", "runs", "list", "--output", "json"]);
    let killed = text_at(&list, "/1/run");
    assert_eq!(text_at(&list, "/1/ended/outcome"), "interrupted");
    let show = host.run(&["/usr/local/bin/remit", "runs", "show", &killed, "--output", "json"]);
    assert_eq!(text_at(&show, "/effects/0/effect"), "changed", "{show}");
    assert_eq!(text_at(&show, "/effects/0/target"), "apt:slow@2.0");
}

#[test]
fn a_killed_unit_is_brought_back_over_dbus() {
    let unit = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
    let host = host(need_root!(), "service-watchdog").with_unit("worker.service", unit).boot();
    host.run(&["systemctl", "kill", "--signal=KILL", "worker.service"]);
    wait_until("the unit is down", || !host.output(&["systemctl", "is-active", "worker.service"]).status.success());
    let output = host.output(&[
        "/usr/local/bin/remit",
        "run",
        "/opt/plugin.wasm",
        "--mode",
        "enforce",
        "--output",
        "json",
        "--param",
        "services=[\"worker\"]",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", explain(&output));
    assert_eq!(text_at(&json(&output), "/verdict"), "fixed");
    assert_eq!(host.run(&["systemctl", "is-active", "worker.service"]), "active\n");
}

/// A service that runs a program which was replaced on the disk, as an upgrade does it, is stale until it is restarted.
#[test]
fn a_service_that_runs_what_was_replaced_is_stale_until_it_is_restarted() {
    let unit = "[Service]\nExecStart=/usr/local/bin/napper infinity\n";
    let host = host(need_root!(), "reboot-pending")
        .with_program("/usr/local/bin/napper", std::path::Path::new("/usr/bin/sleep"))
        .with_unit("napper.service", unit)
        .boot();
    let check = |code: i32| {
        let output = host.output(&["/usr/local/bin/remit", "run", "/opt/plugin.wasm", "--output", "json"]);
        assert_eq!(output.status.code(), Some(code), "{}", explain(&output));
        json(&output)
    };
    check(0);
    host.run(&["sh", "-c", "cd /usr/local/bin && cp napper napper.new && mv napper.new napper"]);
    let stale = check(10);
    assert_eq!(text_at(&stale, "/findings/0/title"), "a reboot is due: services-stale");
    assert!(text_at(&stale, "/findings/0/evidence").contains("services: napper"), "{stale}");
    // An independent reader of the same.
    let needrestart = host.run(&["needrestart", "-b", "-l", "-r", "l"]);
    assert!(needrestart.lines().any(|line| line == "NEEDRESTART-SVC: napper.service"), "{needrestart}");
    host.run(&["systemctl", "restart", "napper.service"]);
    check(0);
}
