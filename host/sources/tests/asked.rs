//! Levels that only a whole system shows, or whose source asks the device's own backends: services, updates, reboots.
#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and starts what a person would start"
)]

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tests::apt::{MAIN, Package, Repository, SECURITY};
use tests::{Host, built, need_root};

/// How long a notice may take, beside what the test itself waits for.
const NOTICE_MAX: Duration = Duration::from_secs(40);
/// Where the program lies on a host.
const PROGRAM: &str = "/usr/local/bin/noticed";

/// The sources of some rules, in a process of their own.
struct Noticed {
    child: Child,
    lines: Receiver<Value>,
    /// What rules told that nobody has asked for yet.
    told: Vec<VecDeque<Value>>,
}

impl Noticed {
    fn start(mut command: Command, rules: usize) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (to, lines) = channel();
        let said = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                let _ = to.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines, told: vec![VecDeque::new(); rules] }
    }

    fn on(host: &Host, watches: &[Value]) -> Self {
        let watches: Vec<String> = watches.iter().map(Value::to_string).collect();
        let command: Vec<&str> = std::iter::once(PROGRAM).chain(watches.iter().map(String::as_str)).collect();
        Self::start(host.command(&command), watches.len())
    }

    /// What a rule tells next, which must be this.
    fn next(&mut self, rule: usize, change: &str) -> Value {
        loop {
            if let Some(notice) = self.told[rule].pop_front() {
                assert_eq!(notice["change"], change, "{notice}");
                return notice["data"].clone();
            }
            match self.lines.recv_timeout(NOTICE_MAX) {
                Ok(line) => self.keep(&line),
                Err(error) => panic!("rule {rule} did not tell that it {change}: {error:?}"),
            }
        }
    }

    /// Nothing was told that was not asked for, and nothing is for so long.
    fn silence(&mut self, for_s: u64) {
        match self.lines.recv_timeout(Duration::from_secs(for_s)) {
            Ok(line) => self.keep(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(error) => panic!("{error:?}"),
        }
        assert!(self.told.iter().all(VecDeque::is_empty), "{:?}", self.told);
    }

    fn keep(&mut self, line: &Value) {
        let rule: usize = line["rule"].as_str().unwrap().parse().unwrap();
        self.told[rule].push_back(line["notice"].clone());
    }
}

impl Drop for Noticed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn service(service: &str, state: &str) -> Value {
    json!({"type": "service-state", "service": service, "state": state})
}

#[test]
fn a_service_fails_is_stopped_is_started_and_comes_later() {
    const UNIT: &str = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
    let host = Host::prepare(need_root!())
        .with_program(PROGRAM, &built::example("noticed"))
        .with_file("/etc/systemd/system/steady.service", UNIT)
        .boot();
    let watches = [
        service("steady", "running"),
        service("steady", "stopped"),
        service("steady", "failed"),
        service("late", "stopped"),
        service("nowhere", "stopped"),
    ];
    let mut noticed = Noticed::on(&host, &watches);
    noticed.next(1, "raised");
    noticed.silence(2);
    for _ in 0..2 {
        host.run(&["systemctl", "start", "steady"]);
        let data = noticed.next(0, "raised");
        assert_eq!((&data["service"], &data["active-state"]), (&json!("steady"), &json!("active")), "{data}");
        noticed.next(1, "cleared");
        host.run(&["systemctl", "kill", "--signal=KILL", "steady"]);
        let data = noticed.next(2, "raised");
        assert_eq!(
            (&data["result"], &data["exit-status"], &data["sub-state"]),
            (&json!("signal"), &json!(9), &json!("failed"))
        );
        noticed.next(0, "cleared");
        host.run(&["systemctl", "reset-failed", "steady"]);
        noticed.next(2, "cleared");
        noticed.next(1, "raised");
    }
    // Stopping it as one should is no failure.
    host.run(&["systemctl", "start", "steady"]);
    host.run(&["systemctl", "stop", "steady"]);
    for (rule, change) in [(0, "raised"), (1, "cleared"), (0, "cleared"), (1, "raised")] {
        noticed.next(rule, change);
    }
    // One that is installed while it is waited for.
    std::fs::write(host.path("/etc/systemd/system/late.service"), UNIT).unwrap();
    host.run(&["systemctl", "daemon-reload"]);
    assert_eq!(noticed.next(3, "raised")["unit"], json!("late.service"));
    std::fs::remove_file(host.path("/etc/systemd/system/late.service")).unwrap();
    host.run(&["systemctl", "daemon-reload"]);
    noticed.next(3, "cleared");
    noticed.silence(2);
}

/// Where systemd does not run: here, because its folder is not to be seen.
#[test]
fn a_service_of_an_init_script_ends_starts_and_ends_again() {
    let _root = need_root!();
    const SCRIPT: &str = r#"#!/bin/sh
### BEGIN INIT INFO
# Provides: steady
### END INIT INFO
PIDFILE=/run/steady.pid
case "$1" in
start) sleep 600 >/dev/null 2>&1 </dev/null & echo $! >$PIDFILE ;;
stop) kill $(cat $PIDFILE); rm $PIDFILE ;;
status) [ -e $PIDFILE ] || exit 3; kill -0 $(cat $PIDFILE) 2>/dev/null || exit 1 ;;
esac
"#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("steady"), SCRIPT).unwrap();
    let script = format!(
        "mount -t tmpfs run /run; mount -t tmpfs init /etc/init.d; cp {}/steady /etc/init.d; chmod +x /etc/init.d/steady; exec \"$@\"",
        folder.path().display()
    );
    let watches = [
        service("steady", "running"),
        service("steady", "failed"),
        service("steady", "stopped"),
        service("nowhere", "stopped"),
    ];
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--propagation", "private", "/bin/sh", "-e", "-c", &script, "sh"]);
    command.arg(built::example("noticed")).args(watches.iter().map(Value::to_string));
    let mut noticed = Noticed::start(command, watches.len());
    noticed.next(2, "raised");
    let target = noticed.child.id().to_string();
    let act = |command: &[&str]| {
        let inside = ["--mount", "--target", &target, "--"];
        assert!(Command::new("/usr/bin/nsenter").args(inside).args(command).status().unwrap().success(), "{command:?}");
    };
    for _ in 0..2 {
        act(&["/etc/init.d/steady", "start"]);
        assert!(noticed.next(0, "raised")["pid"].is_u64());
        noticed.next(2, "cleared");
        act(&["/bin/sh", "-c", "kill -9 $(cat /run/steady.pid)"]);
        noticed.next(1, "raised");
        noticed.next(0, "cleared");
        act(&["/usr/bin/rm", "/run/steady.pid"]);
        noticed.next(2, "raised");
        noticed.next(1, "cleared");
    }
    act(&["/etc/init.d/steady", "start"]);
    noticed.next(0, "raised");
    noticed.next(2, "cleared");
    act(&["/etc/init.d/steady", "stop"]);
    noticed.next(0, "cleared");
    noticed.next(2, "raised");
    noticed.silence(1);
}

#[test]
fn updates_come_are_installed_and_come_again() {
    let host = Host::prepare(need_root!()).with_program(PROGRAM, &built::example("noticed")).boot();
    let repository = Repository::new(&host);
    repository.install(&[Package::new("probe-plain", "1.0"), Package::new("probe-other", "1.0")]);
    let updates = |only_security: bool| json!({"type": "updates-available", "only-security": only_security});
    let mut noticed = Noticed::on(&host, &[updates(false), updates(true)]);
    noticed.silence(4);
    repository.publish(&MAIN, &[Package::new("probe-plain", "2.0")]);
    host.run(&["apt-get", "update"]);
    let data = noticed.next(0, "raised");
    assert_eq!((&data["count"], &data["products"]), (&json!(1), &json!(["probe-plain"])), "{data}");
    host.run(&["apt-get", "install", "-y", "probe-plain"]);
    assert_eq!(noticed.next(0, "cleared")["count"], 0);
    repository.publish(&SECURITY, &[Package::new("probe-plain", "3.0")]);
    host.run(&["apt-get", "update"]);
    assert_eq!(noticed.next(0, "raised")["security-count"], 1);
    assert_eq!(noticed.next(1, "raised")["count"], 1);
    // Another one is news, although there was one already; to who asks for security only, it is not.
    repository.publish(&MAIN, &[Package::new("probe-other", "2.0")]);
    host.run(&["apt-get", "update"]);
    noticed.next(0, "cleared");
    assert_eq!(noticed.next(0, "raised")["count"], 2);
    // An index that says the same again is not.
    host.run(&["apt-get", "update"]);
    noticed.silence(8);
}

#[test]
fn a_reboot_is_waited_for_is_not_and_is_again() {
    let host = Host::prepare(need_root!()).with_program(PROGRAM, &built::example("noticed")).boot();
    let repository = Repository::new(&host);
    let mut noticed = Noticed::on(&host, &[json!({"type": "reboot-pending"})]);
    noticed.silence(4);
    host.run(&["touch", "/run/reboot-required.not", "/run/reboot"]);
    noticed.silence(8);
    host.run(&["sh", "-c", "echo kernel >/run/reboot-required.pkgs; touch /run/reboot-required"]);
    let data = noticed.next(0, "raised");
    assert_eq!((&data["reasons"], &data["packages"]), (&json!(["package-manager"]), &json!("kernel")), "{data}");
    host.run(&["sh", "-c", "rm /run/reboot-required*"]);
    assert_eq!(noticed.next(0, "cleared")["reasons"], json!([]));
    repository.install(&[Package::new("probe-tool", "1.0").wants_reboot()]);
    assert_eq!(noticed.next(0, "raised")["packages"], "probe-tool");
}
